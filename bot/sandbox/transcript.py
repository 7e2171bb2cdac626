"""What was said in a conversation, by all sides and with times, as a text to read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.clock import Clock
from bot.sandbox.botapi.client import ChatHandle, People, Seen

FILE_NAME = "transcript.txt"

_MEDIA = ("video", "photo", "audio", "voice", "document", "animation", "video_note", "sticker")


class Transcript:
    """Collects and writes.

    Args:
        title: Of the conversation.
        clock: Its time.
    """

    def __init__(self, title: str, clock: Clock) -> None:
        self._title = title
        self._clock = clock
        self._began = clock.now()
        self._lines: list[tuple[datetime, str]] = []

    def pressed(self, who: str, button: str, answer: Mapping[str, Any] | None) -> None:
        """Somebody pressed a button."""
        toast = (answer or {}).get("text")
        told = f" → “{toast}”" if toast else ""
        self._lines.append((self._clock.now(), f"{who} presses [{button}]{told}"))

    async def write(self, people: People, chats: Mapping[str, ChatHandle], out: Path) -> None:
        """Write the transcript, and beside it every file that the bot delivered.

        Args:
            people: Telegram's control API.
            chats: By the names to call them.
            out: The directory.
        """
        lines = list(self._lines)
        for name, chat in chats.items():
            for message in await chat.messages(deleted=True):
                lines += self._of(name, message, await self._saved(people, message, out))
        lines.sort(key=lambda line: line[0])
        body = [f"{self._time(at)}  {text}" for at, text in lines]
        (out / FILE_NAME).write_text("\n".join([self._title, "", *body, ""]), encoding="utf-8")

    async def _saved(self, people: People, message: Seen, out: Path) -> str:
        if not message.json.get("from", {}).get("is_bot") or not message.media:
            return ""
        name = message.media.get("file_name") or "photo.jpg"
        target = out / f"{message.chat_id}_{message.id}_{Path(name).name}"
        await people.save(message.media["file_id"], target)
        return target.name

    def _of(self, chat: str, message: Seen, saved: str) -> list[tuple[datetime, str]]:
        sender = message.json.get("from", {})
        who = "Bot" if sender.get("is_bot") else sender.get("first_name", "Somebody")
        place = f" in {chat}" if chat != who and not sender.get("is_bot") else f" to {chat}"
        lines = []
        for number, (stamp, version) in enumerate(zip(message.stamps, message.versions, strict=True)):
            at = datetime.fromisoformat(stamp)
            kind = next((f"[{kind}] " for kind in _MEDIA if kind in version), "")
            text = version.get("text") or version.get("caption") or ""
            reply = version.get("reply_to_message", {}).get("message_id")
            does = "edits" if number else "says"
            about = f" (reply to #{reply})" if reply and not number else ""
            rows = version.get("reply_markup", {}).get("inline_keyboard", [])
            buttons = "".join(f" [{button['text']}]" for row in rows for button in row)
            file = f" → {saved}" if saved and not number else ""
            indented = text.replace("\n", "\n            ")
            lines.append((at, f"{who}{place} {does} #{message.id}{about}: {kind}{indented}{buttons}{file}"))
        if message.deleted_at:
            lines.append((datetime.fromisoformat(message.deleted_at), f"{who} deletes #{message.id}"))
        return lines

    def _time(self, at: datetime) -> str:
        seconds = max(0.0, (at - self._began).total_seconds())
        return f"{int(seconds // 60):02}:{seconds % 60:05.2f}"
