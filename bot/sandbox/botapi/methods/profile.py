"""Methods about the bot's profile: name, descriptions, commands and menu button."""

import json
import re
from typing import Any

from bot.sandbox.botapi.context import Context, Handler, method
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.membership import ADMIN_RIGHTS
from bot.sandbox.botapi.params import Params

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_SCOPES = frozenset(
    [
        "default",
        "all_private_chats",
        "all_group_chats",
        "all_chat_administrators",
        "chat",
        "chat_administrators",
        "chat_member",
    ]
)
_MAX_COMMANDS = 100
_TEXTS = {
    "Name": ("name", 64),
    "Description": ("description", 512),
    "ShortDescription": ("short_description", 120),
}


@method("getMe")
async def get_me(context: Context) -> Any:
    """Return the bot."""
    return {
        **context.bot.user,
        "can_join_groups": True,
        "can_read_all_group_messages": not context.bot.privacy,
        "supports_inline_queries": context.bot.inline,
        "supports_guest_queries": context.bot.guest,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": context.bot.topics,
        "allows_users_to_create_topics": context.bot.topics,
        "can_manage_bots": False,
    }


@method("setMyDefaultAdministratorRights")
async def set_my_default_administrator_rights(context: Context) -> Any:
    """Set the rights that the bot asks for when it is added as an admin."""
    given = context.params.json("rights", "ChatAdministratorRights") or {}
    context.bot.admin_rights[context.params.flag("for_channels")] = given
    return True


@method("getMyDefaultAdministratorRights")
async def get_my_default_administrator_rights(context: Context) -> Any:
    """Return the rights that the bot asks for when it is added as an admin."""
    given = context.bot.admin_rights.get(context.params.flag("for_channels"), {})
    return {"is_anonymous": False, **dict.fromkeys(ADMIN_RIGHTS, False), **given}


def _language(context: Context) -> str:
    language = context.params.text("language_code")
    if language and not re.fullmatch(r"[a-z]{2}", language):
        raise bad_request("LANG_CODE_INVALID")
    return language


def _scope(context: Context) -> str:
    given = context.params.json("scope", "BotCommandScope")
    if given is None:
        return json.dumps({"type": "default"})
    if not isinstance(given, dict) or given.get("type") not in _SCOPES:
        raise bad_request("can't parse BotCommandScope: unsupported type specified")
    if "chat_id" in given and context.world.find_chat(context.bot, Params(given).integer("chat_id")) is None:
        raise bad_request("chat not found")
    return json.dumps(given, sort_keys=True)


@method("setMyCommands")
async def set_my_commands(context: Context) -> Any:
    """Set the commands for a scope and a language."""
    given = context.params.json("commands", "commands")
    if not isinstance(given, list) or not all(isinstance(command, dict) for command in given):
        raise bad_request("can't parse commands: expected an Array of BotCommand")
    if len(given) > _MAX_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in given:
        command["command"] = str(command.get("command", "")).removeprefix("/")
        if not _COMMAND.fullmatch(command["command"]):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", ""))) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    context.bot.commands[_scope(context), _language(context)] = [
        {"command": command["command"], "description": command["description"]} for command in given
    ]
    return True


@method("getMyCommands")
async def get_my_commands(context: Context) -> Any:
    """Return the commands set for exactly this scope and language."""
    return context.bot.commands.get((_scope(context), _language(context)), [])


@method("deleteMyCommands")
async def delete_my_commands(context: Context) -> Any:
    """Remove the commands for a scope and a language."""
    context.bot.commands.pop((_scope(context), _language(context)), None)
    return True


def _text_methods(field: str, limit: int) -> tuple[Handler, Handler]:
    async def write(context: Context) -> Any:
        text = context.params.text(field)
        if len(text) > limit:
            raise bad_request(f"bot {field.replace('_', ' ')} is too long")
        context.bot.texts[field, _language(context)] = text
        return True

    async def read(context: Context) -> Any:
        texts = context.bot.texts
        general = context.bot.user["first_name"] if field == "name" else ""
        return {field: texts.get((field, _language(context))) or texts.get((field, "")) or general}

    return write, read


for _noun, (_field, _limit) in _TEXTS.items():
    _write, _read = _text_methods(_field, _limit)
    method(f"setMy{_noun}")(_write)
    method(f"getMy{_noun}")(_read)


@method("setChatMenuButton")
async def set_chat_menu_button(context: Context) -> Any:
    """Set the menu button, in one private chat or everywhere."""
    button = context.params.json("menu_button", "MenuButton") or {"type": "default"}
    if not isinstance(button, dict) or button.get("type") not in {"commands", "web_app", "default"}:
        raise bad_request("can't parse menu button: unsupported type specified")
    if context.params.has("chat_id"):
        context.chat().menu_button = None if button["type"] == "default" else button
    else:
        context.bot.menu_button = {"type": "commands"} if button["type"] == "default" else button
    return True


@method("getChatMenuButton")
async def get_chat_menu_button(context: Context) -> Any:
    """Return the menu button."""
    chat = context.chat(write=False) if context.params.has("chat_id") else None
    return (chat and chat.menu_button) or context.bot.menu_button
