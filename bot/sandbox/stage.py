"""Where a conversation is played: its people, chats and topics, and the messages that were given a name."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bot.sandbox.botapi.client import ChatHandle, People, Person, Seen
from bot.sandbox.botapi.journal import Changes
from bot.sandbox.conversation import PersonStep

LOOK_AGAIN_S = 0.02
"""Pause between two looks at what nothing tells of, in real seconds."""

PATIENCE_S = 10.0
"""For something outside the chats to come true, in real seconds."""

LIVE_MARK = "✖"
"""Begins the cancel button, which every live message has and no other."""

MEDIA_KINDS = ("video", "photo", "document")


class Unmet(Exception):
    """An expectation that did not hold; the message tells the difference."""


@dataclass(slots=True)
class Stage:
    """What all steps of a conversation share.

    Args:
        people: Telegram's control API.
        changes: Tells of everything that happens in Telegram's stand-in.
        work_dir: Where files are made.
        last_actor: Who acted last.
        last: What they did: the bot's answer is looked for there.
        members: The people by their names.
        chats: The groups by their titles.
        topics: Numbers of topics, by the titles of their groups and their own.
        labels: Messages by the names that they were given.
    """

    people: People
    changes: Changes
    work_dir: Path
    last_actor: str
    last: PersonStep = field(default_factory=lambda: PersonStep(says=""))
    members: dict[str, Person] = field(default_factory=dict)
    chats: dict[str, ChatHandle] = field(default_factory=dict)
    topics: dict[tuple[str, str], int] = field(default_factory=dict)
    labels: dict[str, Seen] = field(default_factory=dict)


async def until(
    chat: ChatHandle,
    changes: Changes,
    look: Callable[[list[Seen]], Seen | None],
    within_s: float,
    wanted: str,
) -> Seen:
    """Wait until a message is found among the bot's in a chat.

    Args:
        chat: Where to look.
        changes: Wakes for another look.
        look: Picks it out.
        within_s: How long to wait, in real seconds.
        wanted: What it is, for the error.

    Raises:
        Unmet: It never came.
    """
    ends_s = time.monotonic() + within_s
    while True:
        count = changes.count
        messages = await chat.messages(deleted=True, from_bots=True)
        if (found := look(messages)) is not None:
            return found
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            there = "\n".join(f"    {shown(m)}" for m in messages) or "    nothing"
            raise Unmet(f"expected {wanted}\n  there are of the bot in this chat:\n{there}")
        await changes.wait_for(partial(_changed, changes, count), left_s)


def is_live(message: Seen) -> bool:
    """Whether it is, or was, the live message of a job."""
    rows = [
        row
        for version in message.versions
        for row in version.get("reply_markup", {}).get("inline_keyboard", [])
    ]
    return any(button["text"].startswith(LIVE_MARK) for row in rows for button in row)


def shown(message: Seen) -> str:
    """A message in a line, for errors."""
    kind = next((f"[{kind}] " for kind in MEDIA_KINDS if kind in message.json), "")
    kind = "(live) " if is_live(message) else kind
    gone = " (deleted)" if message.deleted_at else ""
    buttons = "".join(f" [{button}]" for button in message.buttons)
    return f"#{message.id}{gone} {kind}“{message.text}”{buttons}"


def _changed(changes: Changes, count: int) -> bool | None:
    return changes.count != count or None
