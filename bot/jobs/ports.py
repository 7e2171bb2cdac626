"""What jobs need of a chat, without knowing what a chat is. ``telegram/`` implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoints, ProgressMessageSent
from bot.jobs.messages import Button, LocalizedMessage, OutgoingMessage, Progress
from bot.jobs.model import Attachment, Job

PROGRESS_MESSAGE = ProgressMessageSent.name


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file's bytes on their way.

    Args:
        name: Safe, with the ending that fits its content.
        size: Bytes, exact.
        content_type: By its first bytes, where they tell.
        chunks: To be read once.
    """

    name: str
    size: int
    content_type: str
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Result:
    """A finished video to be delivered.

    Args:
        path: Where it lies; ``None`` when only ``file_id`` or ``link`` is there.
        link: Its address with NemoVideo, for when it can't be sent.
        why_link: Why it can't: ``too_large``, ``no_room`` on the disk, or ``elsewhere``, where nothing is fetched from.
        size: Bytes.
        duration_s: As the render said, where it did.
        took_s: From the request to now.
        file_id: Telegram's handle when this very draft was delivered before.
        kind: What it was sent as then.
        as_file: Whether it goes as a file, whatever it is.
        browser_link: Where the project opens in a browser, to stand under the video.
        buttons: What else stands under it.
    """

    path: Path | None = None
    link: str = ""
    why_link: str = "too_large"
    size: int | None = None
    duration_s: float | None = None
    took_s: float = 0.0
    file_id: str = ""
    kind: str = "video"
    as_file: bool = False
    browser_link: str = ""
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a result reached the chat.

    Args:
        file_id: To send it again without bytes; empty when a link was sent.
        kind: What it became: video, animation or document.
        message_id: Of its message.
        address: The id in Telegram of the chat where that is.
    """

    file_id: str
    kind: str = "video"
    message_id: int = 0
    address: int = 0


class FileGone(Exception):
    """Telegram no longer has the file, or never gave it out."""


class FileTooLarge(Exception):
    """The file is over a limit.

    Args:
        limit: Bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"over {limit} bytes")
        self.limit = limit


class ChatGone(Exception):
    """The bot was blocked or removed: there is nobody left to answer."""


class Responder(Protocol):
    """The chat's side of one job."""

    def report_progress(self, progress: Progress) -> None:
        """Let the live message show this from its next edit on. Cheap; call it as often as you like."""
        ...

    async def show_progress(self) -> None:
        """Put the live message into the chat now, if it is not there yet."""
        ...

    async def flush_progress(self) -> None:
        """Let the newest progress be seen before going on; for stages too short for the next edit."""
        ...

    async def send(self, slot: str, message: OutgoingMessage) -> None:
        """Send a message of its own, once for each slot even across crashes.

        Raises:
            ChatGone: Nobody there.
        """
        ...

    def open_file(self, file: Attachment) -> AbstractAsyncContextManager[OpenFile]:
        """Start to read a file that lies with Telegram.

        Raises:
            FileGone: It can't be had any more.
            FileNotTaken: Its content is of another kind than can be used.
            FileTooLarge: Telegram does not hand out a file of this size.
            SoundTooLong: It would have to be converted, and is too long for that.
        """
        ...

    async def release_files(self) -> None:
        """Have the copies deleted that were made for the job to read; twice is as good as once. Never fails."""
        ...

    async def discard_result(self) -> None:
        """Delete what was put at ``result_path``; likewise."""
        ...

    @property
    def send_limit_bytes(self) -> int:
        """Bytes of the largest video that can be sent to the chat."""
        ...

    @property
    def result_path(self) -> Path:
        """Where the job's result is put for sending."""
        ...

    async def deliver(self, slot: str, result: Result) -> Delivered:
        """Send the finished video, once for each slot even across crashes.

        Raises:
            ChatGone: Nobody there.
        """
        ...

    async def delete_message(self, address: int, message_id: int, *, only_buttons: bool) -> bool:
        """Delete a message; twice is as good as once.

        Args:
            address: The id that its chat had in Telegram: what is in a group that has moved since stays there.
            message_id: Which one.
            only_buttons: Leave it there without its buttons, as is done where it can't be deleted any more.

        Returns:
            Whether the message is gone.
        """
        ...

    async def finish_progress(self, closing: LocalizedMessage | None) -> None:
        """Take the live message away, or let it say one last thing."""
        ...

    async def close(self) -> None:
        """Stop editing; the message stays as it is, for whoever takes the job up again."""
        ...


class ResponderFactory(Protocol):
    """Makes the chat's side of a job."""

    def open(self, job: Job, checkpoints: Checkpoints) -> Responder:
        """The front of a job that starts, or starts again."""
        ...


class GroupAdmins(Protocol):
    """What jobs need to know of a group's people."""

    async def is_admin(self, chat: ChatKey, user_id: int) -> bool:
        """Whether somebody may speak for a group; anonymous admins go by the group's own id."""
        ...
