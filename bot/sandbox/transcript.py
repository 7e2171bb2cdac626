"""Write the transcript of a conversation, with times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.runtime.clock import Clock
from bot.sandbox.botapi.client import ChatHandle, ControlError, People, Seen

FILE_NAME = "transcript.txt"

INDENT = "\n" + " " * 9
"""Line break and indentation before further lines of a message."""

_KINDS = (
    "live_photo",
    "animation",
    "video",
    "photo",
    "audio",
    "voice",
    "document",
    "video_note",
    "sticker",
    "location",
    "contact",
    "poll",
    "dice",
    "story",
    "paid_media",
    "checklist",
    "forum_topic_created",
)


class Transcript:
    """Collects a conversation's events and writes them as a text.

    Args:
        title: The conversation's title.
        clock: The conversation's source of time.
    """

    def __init__(self, title: str, clock: Clock) -> None:
        self._title = title
        self._clock = clock
        self._lines: list[tuple[datetime, str]] = []

    def add_inline(self, who: str, words: str, offered: Sequence[str], button: dict[str, Any]) -> None:
        """Add what somebody typed behind the bot's name, and what it offered."""
        results = " ".join(f"[{title}]" for title in (*filter(None, [button.get("text")]), *offered))
        self._lines.append((self._clock.now(), f"{who} types @bot {words} ⇒ {results or 'nothing'}"))

    def add_press(self, who: str, button: str, answer: Mapping[str, Any]) -> None:
        """Add a button press with its answer."""
        toast = f" → “{answer['text']}”" if answer.get("text") and "url" not in answer else ""
        opened = f" → {answer['url']}" if answer.get("url") else ""
        self._lines.append((self._clock.now(), f"{who} presses [{button}]{toast}{opened}"))

    async def write(self, people: People, chats: Mapping[str, ChatHandle], out: Path) -> None:
        """Write the transcript, and every file that the bot delivered beside it.

        Args:
            people: Telegram's control API.
            chats: Chats by name.
            out: Directory to write to.
        """
        lines = list(self._lines)
        for name, chat in chats.items():
            for message in await _messages(chat):
                lines += _lines_of(name, message, await _saved(people, message, out))
        lines.sort(key=lambda line: line[0])
        began = lines[0][0] if lines else self._clock.now()
        body = [f"{_time(at - began)}  {text}" for at, text in lines]
        (out / FILE_NAME).write_text("\n".join([self._title, "", *body, ""]), encoding="utf-8")


async def _messages(chat: ChatHandle) -> list[Seen]:
    try:
        return await chat.messages(deleted=True)
    except ControlError:  # A private chat that was never opened.
        return []


async def _saved(people: People, message: Seen, out: Path) -> str:
    if not message.json.get("from", {}).get("is_bot") or not message.media:
        return ""
    name = Path(message.media.get("file_name") or "photo.jpg")
    target = out / f"{message.chat_id}_{message.id}_{name.name}"
    try:
        await people.save(message.media["file_id"], target)
    except ControlError:  # The conversation deleted the file.
        target.unlink(missing_ok=True)
        return "(gone)"
    return target.name


def _lines_of(chat: str, message: Seen, saved: str) -> list[tuple[datetime, str]]:
    sender = message.json.get("from", {})
    # Anonymous admins and channels have a bot of Telegram's as sender.
    somebody = message.json.get("sender_chat", {}).get("title") or sender.get("first_name", "Somebody")
    who = "Bot" if sender.get("is_bot") and "sender_chat" not in message.json else somebody
    # In a private chat only the bot's messages need a receiver.
    receiver = "" if chat == who else f" → {chat}"
    if message.json.get("is_topic_message"):
        receiver += f", topic {message.json['message_thread_id']}"
    lines = []
    shown_buttons = ""
    for number, (stamp, version) in enumerate(zip(message.stamps, message.versions, strict=True)):
        buttons = _buttons(version)
        text = version.get("text") or version.get("caption") or ""
        if number:
            # An edit takes one line, because it is one of many that say nearly the same.
            line = f"edits #{message.id}: {' │ '.join(line for line in text.splitlines() if line)}"
        else:
            reply = version.get("reply_to_message", {}).get("message_id")
            about = f" (reply to #{reply})" if reply else ""
            line = f"#{message.id}{about}: {_content(version)}{text.replace(chr(10), INDENT)}"
        line += (buttons or " [no buttons]") if buttons != shown_buttons else ""
        shown_buttons = buttons
        file = f" ⇒ {saved}" if saved and not number else ""
        lines.append((datetime.fromisoformat(stamp), f"{who}{receiver} {line}{file}"))
    if message.deleted_at:
        lines.append((datetime.fromisoformat(message.deleted_at), f"#{message.id} is deleted"))
    return lines


def _content(version: Mapping[str, Any]) -> str:
    kind = next((kind for kind in _KINDS if kind in version), None)
    if kind is None:
        return ""
    body = version[kind]
    name = body.get("file_name") if isinstance(body, dict) else None
    return f"[{kind}{f' {name}' if name else ''}] "


def _buttons(version: Mapping[str, Any]) -> str:
    rows = version.get("reply_markup", {}).get("inline_keyboard", [])
    return "".join(f" [{button['text']}]" for row in rows for button in row)


def _time(since: timedelta) -> str:
    seconds = max(0.0, since.total_seconds())
    return f"{int(seconds // 60):02}:{seconds % 60:04.1f}"
