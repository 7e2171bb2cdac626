"""Check what the bot must do in a conversation against what its chats show."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from bot.sandbox import media_files
from bot.sandbox.botapi.client import Seen
from bot.sandbox.conversation import NOTHING, BotStep, Video
from bot.sandbox.stage import Stage, Unmet, is_progress_message, until

SECONDS_TOLERANCE = 0.35
"""Tolerance of a delivered video's length: a frame or two, and the sound's last packet."""

_ABOUT_A_MESSAGE = frozenset(
    {"says", "never_says", "sends", "live", "live_is_gone", "buttons", "reply_to", "shows"}
)


class Expectations:
    """Checks the expectations of a conversation step by step.

    Args:
        stage: The conversation's state.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._matched: dict[tuple[int, int | None], int] = {}  # chat and topic → ID of the last match

    async def expect(self, step: BotStep) -> None:
        """Wait for what a step expects.

        Raises:
            Unmet: The expectation didn't hold in time.
        """
        title = step.chat or self._stage.last.chat
        chat = self._stage.chats[title] if title else self._stage.members[self._stage.last_actor].chat
        topic = step.topic or (None if step.chat else self._stage.last.topic)
        thread = await self._stage.thread(title, topic) if topic else None
        after = self._matched.get((chat.id, thread), 0)

        wants_progress = bool(step.live) or step.live_is_gone

        def look(messages: list[Seen]) -> Seen | None:
            here = [m for m in messages if m.json.get("message_thread_id") == thread] if topic else messages
            if wants_progress:
                return next((m for m in reversed(here) if self._is_progress_as(m, step)), None)
            return next((m for m in here if self._meets(m, step)), None)

        def counted(messages: list[Seen]) -> Seen | None:
            said = [m for m in messages if not is_progress_message(m)]
            return said[-1] if len(said) == step.messages else None

        if step.model_fields_set & _ABOUT_A_MESSAGE:
            filters = {} if wants_progress else {"after": after}
            if step.again is not None:
                filters = {"message": self._stage.labels[step.again].id}
            found = await until(chat, self._stage.changes, look, step.within_s, _describe(step), **filters)
            if not wants_progress and step.again is None:
                self._matched[chat.id, thread] = found.id
            if step.label:
                self._stage.labels[step.label] = found
            if step.sends is not None:
                await self._check_video(found, step.sends)
        if step.gone is not None:
            wanted_id = self._stage.labels[step.gone].id
            await until(
                chat,
                self._stage.changes,
                lambda messages: next((m for m in messages if m.deleted_at), None),
                step.within_s,
                f"“{step.gone}” to be deleted",
                message=wanted_id,
            )
        if step.buttonless is not None:
            bare_id = self._stage.labels[step.buttonless].id
            await until(
                chat,
                self._stage.changes,
                lambda messages: next((m for m in messages if not m.deleted_at and not m.buttons), None),
                step.within_s,
                f"“{step.buttonless}” to be there without buttons",
                message=bare_id,
            )
        if step.sent is not None:
            await until(
                chat,
                self._stage.changes,
                lambda messages: messages[-1] if len(messages) == step.sent else None,
                step.within_s,
                f"{step.sent} messages sent",
            )
        if step.messages is not None and (step.messages or await chat.messages(from_bots=True)):
            await until(chat, self._stage.changes, counted, step.within_s, f"{step.messages} messages in all")

    def _is_progress_as(self, message: Seen, step: BotStep) -> bool:
        said = [version.get("text") or "" for version in message.versions]
        return (
            is_progress_message(message)
            and all(any(piece in text for text in said) for piece in step.live)
            and (not step.live_is_gone or bool(message.deleted_at))
            and self._replies(message, step)
        )

    def _replies(self, message: Seen, step: BotStep) -> bool:
        replied = message.json.get("reply_to_message", {}).get("message_id")
        wanted = None if step.reply_to in (None, NOTHING) else self._stage.labels[step.reply_to].id
        return step.reply_to is None or replied == wanted

    def _meets(self, message: Seen, step: BotStep) -> bool:
        if (
            is_progress_message(message)
            or message.deleted_at
            or (step.sends is not None) != ("video" in message.json)
        ):
            return False
        return (
            all(piece in message.text for piece in step.says)
            and (step.shows is None or step.shows in message.json)
            and not any(piece in message.text for piece in step.never_says)
            and all(words in _formatted(message, kind) for kind, words in step.formatted.items())
            and all(any(piece in button for button in message.buttons) for piece in step.buttons)
            and self._replies(message, step)
        )

    async def _check_video(self, message: Seen, wanted: Video) -> None:
        path = self._stage.work_dir / "delivered.mp4"
        await self._stage.people.save(message.media["file_id"], path)
        facts: dict[str, float | bool] = asdict(await asyncio.to_thread(media_files.facts_of, path))
        facts["cover"] = bool(message.media.get("cover")) and await self._is_lit(message.media["cover"][-1])
        for name, value in wanted.model_dump(exclude_none=True).items():
            found = facts[name]
            fits = abs(found - value) <= SECONDS_TOLERANCE if name == "seconds" else found == value
            if not fits:
                raise Unmet(f"expected a video whose {name} is {value}, it is {found}")
        declared = message.media
        if not declared.get("width") or not declared.get("height") or not declared.get("duration"):
            raise Unmet(f"the video came without width, height or duration: {declared}")

    async def _is_lit(self, cover: dict[str, Any]) -> bool:
        path = self._stage.work_dir / "cover.jpg"
        await self._stage.people.save(cover["file_id"], path)
        return await asyncio.to_thread(media_files.is_lit, path)


def _formatted(message: Seen, kind: str) -> list[str]:
    """Return the words that have an entity of a kind; entities count UTF-16 units."""
    raw = message.text.encode("utf-16-le")
    entities = message.json.get("entities") or message.json.get("caption_entities") or []
    return [
        raw[2 * one["offset"] : 2 * (one["offset"] + one["length"])].decode("utf-16-le")
        for one in entities
        if one["type"] == kind
    ]


def _describe(step: BotStep) -> str:
    wanted = step.model_dump(
        exclude_defaults=True, exclude={"within_s", "label", "chat", "topic", "messages"}
    )
    return "a message that " + ", ".join(f"{name}: {_listed(value)}" for name, value in wanted.items())


def _listed(value: object) -> str:
    return " and ".join(f"“{piece}”" for piece in value) if isinstance(value, tuple) else str(value)
