"""The state of a conversation that is played: people, chats, topics, and labelled messages."""

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
"""Pause between two looks at what sends no notification, in real seconds."""

PATIENCE_S = 60.0
"""How long to wait for expectations outside of chats, in real seconds."""

CANCEL_MARK = "✖"
"""Start of the cancel button's text; under a progress message it stops the job."""

MEDIA_KINDS = ("video", "photo", "document")


class Unmet(Exception):
    """An expectation that didn't hold; the message describes the difference."""


@dataclass(slots=True)
class Stage:
    """State that all steps of a conversation share.

    Args:
        people: Telegram's control API.
        changes: Notifies of everything that Telegram's chats show.
        work_dir: Directory for files.
        last_actor: Name of the person who acted last.
        last: That person's step, in whose chat the bot's answer is expected.
        members: People by name.
        chats: Groups and channels by title.
        topics: Thread IDs of topics, by the titles of group and topic.
        labels: Messages by label.
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

    async def thread(self, title: str | None, topic: str) -> int | None:
        """Return the thread ID of a topic; those of private chats keep the names that they had before.

        Args:
            title: The group, or None for the private chat of whoever acted last.
            topic: The topic's name.
        """
        if title is None:
            for thread_id, name in (await self.members[self.last_actor].chat.topics()).items():
                self.topics[self.last_actor, name] = thread_id
        return self.topics.get((title or self.last_actor, topic))


async def until(
    chat: ChatHandle,
    changes: Changes,
    look: Callable[[list[Seen]], Seen | None],
    within_s: float,
    wanted: str,
    **filters: int,
) -> Seen:
    """Wait until a chat has a matching message of the bot.

    Args:
        chat: The chat to search.
        changes: Wakes for another look.
        look: Returns the matching message.
        within_s: Timeout in real seconds.
        wanted: Description of the message, for the error.
        filters: Which messages ``look`` gets, see ``ChatHandle.messages``: a long chat takes long to read.

    Raises:
        Unmet: No message matched in time.
    """
    ends_s = time.monotonic() + within_s
    while True:
        count = changes.count
        messages = await chat.messages(deleted=True, from_bots=True, **filters)
        if (found := look(messages)) is not None:
            return found
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            messages = await chat.messages(deleted=True, from_bots=True)
            there = "\n".join(f"    {describe(m)}" for m in messages) or "    nothing"
            raise Unmet(f"expected {wanted}\n  there are of the bot in this chat:\n{there}")
        await changes.wait_for(partial(_changed, changes, count), left_s)


def is_progress_message(message: Seen) -> bool:
    """Return whether a message is or was the progress message of a job; one of a guest becomes its result."""
    is_guests = "guest_bot_caller_user" in message.json
    rows = [
        row
        for version in (message.versions[-1:] if is_guests else message.versions)
        for row in version.get("reply_markup", {}).get("inline_keyboard", [])
    ]
    return any(
        button["text"].startswith(CANCEL_MARK) and ":cancel:" in button.get("callback_data", "")
        for row in rows
        for button in row
    )


def describe(message: Seen) -> str:
    """Describe a message in a line, for errors."""
    kind = next((f"[{kind}] " for kind in MEDIA_KINDS if kind in message.json), "")
    kind = "(progress) " if is_progress_message(message) else kind
    gone = " (deleted)" if message.deleted_at else ""
    buttons = "".join(f" [{button}]" for button in message.buttons)
    return f"#{message.id}{gone} {kind}“{message.text}”{buttons}"


def _changed(changes: Changes, count: int) -> bool | None:
    return changes.count != count or None
