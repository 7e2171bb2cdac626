"""Actions of the control API that read; each can wait until there is something to return.

``timeout_s`` delays the answer until enough matches are found, or for so many seconds.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from bot.sandbox.botapi import control_inline
from bot.sandbox.botapi.control import ACTIONS, action, the_bot, the_chat
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.journal import Call
from bot.sandbox.botapi.method_names import METHOD_NAMES
from bot.sandbox.botapi.methods.refused import REFUSED, implemented
from bot.sandbox.botapi.params import Params
from bot.sandbox.botapi.state import Chat, Json, Message, World

__all__ = ["ACTIONS", "control_inline"]


async def _enough(world: World, params: Params, look: Callable[[], list[Any]]) -> list[Any]:
    count = params.integer("count", 1)

    def seen() -> list[Any] | None:
        found = look()
        return found if len(found) >= count else None

    found = await world.changes.wait_for(seen, params.number("timeout_s") or 0)
    return look() if found is None else found


def _matches(call: Call, params: Params) -> bool:
    methods = params.names("method")
    return (
        call.seq > params.integer("after")
        and (not methods or call.method.lower() in methods)
        and (not params.has("chat") or str(call.params.get("chat_id")) == params.text("chat"))
        and call.state in (params.names("state") or ["ok", "error", "dropped", "lost"])
    )


@action
async def calls(world: World, params: Params) -> Any:
    """Return the ended calls of bots (or those in a ``state``), ``after`` a number, by ``method`` and ``chat``."""
    found = await _enough(
        world, params, lambda: [call for call in world.journal.calls if _matches(call, params)]
    )
    return [call.json() for call in found]


def message_json(message: Message) -> Json:
    """Return a message with its history."""
    return {
        **message.json,
        "versions": [{"at": at.isoformat(), "message": json} for at, json in message.versions],
        "deleted_at": message.deleted and message.deleted.isoformat(),
        "keyboard": message.keyboard,
    }


def _wanted(world: World, chat: Chat, params: Params) -> list[Json]:
    """Return the messages that match by ID, sender, words and kind."""
    pattern = re.compile(params.text("matching"), re.IGNORECASE | re.DOTALL)
    kind, after = params.text("kind"), params.integer("after")
    found = []
    for message in chat.messages.values():
        json = message.json
        sender = json.get("from", {})
        if (
            json["message_id"] > after
            and (not params.has("message") or json["message_id"] == params.integer("message"))
            and (not params.has("from") or sender.get("id") == params.integer("from"))
            and (not params.flag("from_bots") or _is_a_bots(world, json))
            and (not params.has("thread") or json.get("message_thread_id", 0) == params.integer("thread"))
            and (not kind or kind in json)
            and (not params.has("reply_to") or _replies_to(json) == params.integer("reply_to"))
            and _fate(message, params)
            and len(message.versions) >= params.integer("versions", 1)
            and pattern.search(json.get("text") or json.get("caption") or "")
        ):
            found.append(message_json(message))
    return found


def _is_a_bots(world: World, json: Json) -> bool:
    """Return whether a bot sent a message: channel posts name no sender, and anonymous admins only look like bots."""
    return "from" not in json or world.bot_by_id(json["from"]["id"]) is not None


def _fate(message: Message, params: Params) -> bool:
    if params.flag("only_deleted"):
        return message.deleted is not None
    return params.flag("deleted") or message.deleted is None


def _replies_to(json: Json) -> int:
    return int(json.get("reply_to_message", {}).get("message_id", 0))


@action
async def messages(world: World, params: Params) -> Any:
    """Return the messages of ``chat`` as they are now.

    Filters: ``matching`` (a regular expression), ``kind``, ``after`` (an ID), ``message`` (an ID), ``from``,
    ``from_bots``, ``reply_to``, ``thread``, ``deleted`` (deleted ones too), ``only_deleted``,
    ``versions`` (at least so many).
    """
    chat = the_chat(world, params)
    return await _enough(world, params, lambda: _wanted(world, chat, params))


@action
async def topics(world: World, params: Params) -> Any:
    """Return the names of the topics of ``chat`` by their thread IDs."""
    return the_chat(world, params).topics


@action
async def callback(world: World, params: Params) -> Any:
    """Return the bot's answer to the button press ``id``, or null without one."""
    pressed = world.callbacks.get(params.text("id"))
    if pressed is None:
        raise bad_request("no such callback")
    return await world.changes.wait_for(lambda: pressed.answer, params.number("timeout_s") or 0)


@action
async def updates(world: World, params: Params) -> Any:
    """Return the bot's updates: the ``pending`` ones, and all that were ``made``.

    With ``timeout_s``, wait until none is pending.
    """
    queue = the_bot(world, params).queue
    await queue.wait_until_empty(params.number("timeout_s") or 0)
    return {"pending": queue.pending, "made": queue.made}


@action
async def faults(world: World, params: Params) -> Any:
    """Return the active faults; with ``id``, wait until that fault holds ``waiting`` calls."""
    wanted = [one for one in world.journal.faults if params.integer("id") in {0, one.id}]
    if params.has("id"):
        if not wanted:
            raise bad_request("no such fault")
        waiting = params.integer("waiting", 1)
        await world.changes.wait_for(
            lambda: True if wanted[0].waiting >= waiting else None, params.number("timeout_s") or 0
        )
    return [one.json() for one in wanted]


@action
async def file_info(world: World, params: Params) -> Any:
    """Return size and digest of ``file_id``."""
    file = world.files.find(params.text("file_id"), 0)
    digest = await asyncio.to_thread(file.sha256)
    return {"size": file.size, "sha256": digest, "kind": file.kind, "media": file.media}


@action
async def methods(_: World, __: Params) -> Any:
    """Return the documented methods that are ``implemented``, always ``refused``, and ``missing``."""
    working = implemented()
    return {
        "implemented": sorted(working),
        "refused": sorted(REFUSED),
        "missing": sorted(METHOD_NAMES - working - REFUSED),
    }


@action
async def state(world: World, params: Params) -> Any:
    """Return what a bot set, and its chat actions, drafts and reactions."""
    bot = the_bot(world, params)
    return {
        "local": world.local,
        "bots": [one.user for one in world.bots.values()],
        "users": list(world.users.values()),
        "chats": [chat.json for chat in (*world.chats.values(), *bot.private.values())],
        "commands": [
            {"scope": scope, "language_code": language, "commands": given}
            for (scope, language), given in bot.commands.items()
        ],
        "texts": [
            {"field": field, "language_code": language, "text": text}
            for (field, language), text in bot.texts.items()
        ],
        "menu_button": bot.menu_button,
        "chat_actions": world.actions,
        "drafts": world.drafts,
        "reactions": [
            {"chat": chat, "message": message, "user": user, "reaction": reaction}
            for (chat, message, user), reaction in world.reactions.items()
        ],
    }
