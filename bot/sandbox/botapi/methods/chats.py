"""Methods about chats and their members."""

from typing import Any

from bot.sandbox.botapi.context import Context, method
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.membership import MEMBER_RIGHTS, complete_member
from bot.sandbox.botapi.state import Chat, Json


def member_json(context: Context, chat: Chat, user_id: int) -> Json:
    """Return somebody's ``ChatMember``, with the status ``left`` for strangers."""
    known = chat.members.get(user_id, {"status": "left"})
    return complete_member({"user": context.world.user(user_id), **known})


@method("getChat")
async def get_chat(context: Context) -> Any:
    """Return a chat's full description."""
    chat = context.chat(write=False)
    info: Json = {
        **chat.json,
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(
            (
                "unlimited_gifts",
                "limited_gifts",
                "unique_gifts",
                "premium_subscription",
                "gifts_from_channels",
            ),
            False,
        ),
    }
    if chat.type in {"group", "supergroup"}:
        info["permissions"] = dict.fromkeys(MEMBER_RIGHTS, True)
    if chat.linked is not None:
        info["linked_chat_id"] = chat.linked
    if chat.pinned and (pinned := chat.find_message(chat.pinned[-1])):
        info["pinned_message"] = pinned.json
    return context.with_own_file_ids(info)


@method("getChatMember")
async def get_chat_member(context: Context) -> Any:
    """Return a member, or somebody who isn't one."""
    chat = context.chat(write=False)
    user_id = context.params.integer("user_id")
    if context.world.user(user_id) is None:
        raise bad_request("invalid user_id specified")
    return member_json(context, chat, user_id)


@method("getChatAdministrators")
async def get_chat_administrators(context: Context) -> Any:
    """Return the admins, without other bots."""
    chat = context.chat(write=False)
    if chat.type == "private":
        raise bad_request("there are no administrators in the private chat")
    return [
        member_json(context, chat, user_id)
        for user_id, member in chat.members.items()
        if member["status"] in {"administrator", "creator"}
        and (user_id == context.bot.id or context.world.bot_by_id(user_id) is None)
    ]


@method("getChatMemberCount")
async def get_chat_member_count(context: Context) -> Any:
    """Return the number of members."""
    chat = context.chat(write=False)
    return sum(member["status"] not in {"left", "kicked"} for member in chat.members.values())


@method("leaveChat")
async def leave_chat(context: Context) -> Any:
    """Remove the bot from the chat."""
    chat = context.chat(write=False)
    if chat.type == "private":
        raise bad_request("chat member status can't be changed in private chats")
    chat.members[context.bot.id] = {"status": "left"}
    context.world.changes.notify()
    return True
