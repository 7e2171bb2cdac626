"""The page's live updates: a stream of server-sent events for each open page.

- ``hello``: ``{bot}``, once.
- ``chats``: all chats, when one is new or changed.
- ``message``: a message as it is now; ``deleted`` once it is deleted.
- ``panel``: the state of the services and of the bot's jobs, see `panel`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse

from bot.sandbox.botapi.state import Bot, Chat, Json, World
from bot.sandbox.page.panel import panel
from bot.sandbox.services import Services

LOOK_AGAIN_S = 1.0
"""How often NemoVideo and the bot's jobs are checked for changes; Telegram notifies of each."""

GATHER_S = 0.04
"""Changes within this time are sent together."""

_WRITERS = {"channel": {"creator", "administrator"}}
_PRESENT = frozenset({"member", "administrator", "creator", "restricted"})


class Feed:
    """The streams of all open pages.

    Args:
        services: The stand-ins.
        redis: The bot's store.
    """

    def __init__(self, services: Services, redis: Redis) -> None:
        self._services = services
        self._redis = redis
        self._closed = False

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._services.telegram.changes.notify()

    async def stream(self, request: Request) -> StreamingResponse:
        """Answer a page's request for its stream."""
        headers = {"cache-control": "no-store"}
        return StreamingResponse(self._events(request), media_type="text/event-stream", headers=headers)

    async def panel(self, _: Request) -> JSONResponse:
        """Return the panel's current state, for a page that has just changed something."""
        return JSONResponse(await panel(self._services, self._redis))

    async def _events(self, request: Request) -> AsyncIterator[bytes]:
        world = self._services.telegram
        bot = next(iter(world.bots.values()))
        seen: dict[tuple[int, int], tuple[int, bool]] = {}
        chats: list[Json] = []
        sent_panel: Json = {}
        yield _event("hello", {"bot": bot.user})
        while not self._closed and not await request.is_disconnected():
            count = world.changes.count
            if (now := [_chat(world, bot, chat) for chat in _chats(world, bot)]) != chats:
                chats = now
                yield _event("chats", chats)
            for message in _changed(world, bot, seen):
                yield _event("message", message)
            if (state := await panel(self._services, self._redis)) != sent_panel:
                sent_panel = state
                yield _event("panel", sent_panel)
            await world.changes.wait_for(
                lambda count=count: None if world.changes.count == count else True,  # type: ignore[misc]
                LOOK_AGAIN_S,
            )
            await asyncio.sleep(GATHER_S)


def _event(name: str, value: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def _chats(world: World, bot: Bot) -> Iterator[Chat]:
    yield from bot.private.values()
    yield from world.chats.values()


def _changed(world: World, bot: Bot, seen: dict[tuple[int, int], tuple[int, bool]]) -> Iterator[Json]:
    for chat in _chats(world, bot):
        for message_id, message in chat.messages.items():
            state = (len(message.versions), message.deleted is not None)
            before = seen.get((chat.id, message_id))
            if before == state or (before is None and message.deleted):
                continue
            seen[chat.id, message_id] = state
            yield {**message.json, "versions": len(message.versions), "deleted": message.deleted is not None}


def _chat(world: World, bot: Bot, chat: Chat) -> Json:
    """Return a chat for the page's list: who may write there, the bot's commands and its description."""
    writers = _WRITERS.get(chat.type, _PRESENT)
    people = [world.users[one] for one in chat.members if one in world.users and chat.status(one) in writers]
    language = people[0].get("language_code", "en")[:2] if people else "en"
    return {
        **chat.json,
        "topics": [{"id": thread, "name": name} for thread, name in chat.topics.items()],
        "people": [{"id": one["id"], "name": one["first_name"]} for one in people],
        "language": language,
        "commands": _commands(bot, chat, language),
        "about": bot.texts.get(("description", language)) or bot.texts.get(("description", ""), ""),
        "blocked": chat.blocked,
        "bot": chat.status(bot.id),
    }


def _commands(bot: Bot, chat: Chat, language: str) -> list[Json]:
    """Return what a client lists after "/": the narrowest scope with commands, in the person's language if possible.

    See "Determining list of commands" in the Bot API.
    """
    if chat.status(bot.id) not in _PRESENT:
        return []
    kind = "all_private_chats" if chat.type == "private" else "all_group_chats"
    for scope in ({"chat_id": chat.id, "type": "chat"}, {"type": kind}, {"type": "default"}):
        for code in (language, ""):
            if found := bot.commands.get((json.dumps(scope, sort_keys=True), code)):
                return found
    return []
