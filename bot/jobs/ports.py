"""What jobs need of a chat, without knowing Telegram; ``telegram/sending`` implements it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoints, Exported, SentMessage
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, OutgoingMessage, Progress, TextMessage
from bot.jobs.model import Attachment, Job
from bot.runtime.arriving_file import ArrivingFile


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is open to be read once, with what an upload has to know of it."""

    name: str  # a safe name with the extension that fits its content
    size: int  # bytes, exact
    content_type: str  # its MIME type, by its first bytes if they tell
    chunks: AsyncIterator[bytes]  # its content, to be read once

    async def read(self, limit: int) -> bytes:
        """Return the whole content of a small file.

        Args:
            limit: The most bytes that are read.

        Raises:
            FileTooLarge: It has more.
        """
        content = bytearray()
        async for chunk in self.chunks:
            content += chunk
            if len(content) > limit:
                raise FileTooLarge(limit)
        return bytes(content)


@dataclass(frozen=True, slots=True)
class Result:
    """A finished video to be delivered.

    Args:
        exported: What is known of it.
        path: The file; ``None`` if there is only a ``file_id`` or a ``link``.
        arriving: The same file, if it may not be whole yet.
        browser_link: Where the project opens in a browser; a button under the video.
        project_link: The project's page, where people have to sign in, if there is no browser link.
        share: What is typed behind the bot's name to send it elsewhere; empty if it can't be shared.
        buttons: Other buttons under it.
        answer: What stands above its line; if that is too long for a caption, it is sent before and begins there.
    """

    exported: Exported
    path: Path | None = None
    arriving: ArrivingFile | None = None
    browser_link: str = ""
    project_link: str = ""
    share: str = ""
    buttons: tuple[Button, ...] = ()
    answer: TextMessage | None = None


RECEIVED_REACTION, DONE_REACTION = "👀", "👌"
"""What the bot reacts with to a request that has arrived, and to one that is done."""

MAX_SENT_BYTES = 10_000_000
"""The largest file of the agent's that is sent: so large may photos be, and it is held in memory."""


class FileGone(Exception):
    """Telegram no longer has the file, or never handed it out."""


class FileUnavailable(FileGone):
    """Telegram does not hand out the file at the moment; later it may."""


class FilesUnreadable(FileUnavailable):
    """The bot can't read the files of its own Bot API server: its operator has to repair that."""


class FileTooLarge(Exception):
    """The file is larger than allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"over {limit} bytes")
        self.limit = limit


class ChatGone(Exception):
    """The bot was blocked or removed: nobody is left to answer."""


class TopicGone(ChatGone):
    """The chat's topic is deleted or closed, and nothing can be sent to the rest of the group either."""


class Responder(Protocol):
    """Sends to one chat for a job."""

    def begin_variation(self, number: int, count: int, name: LocalizedMessage) -> None:
        """Show in the progress message which variation is being made, and give it a ``result_path`` of its own.

        Args:
            number: Which variation, from 1.
            count: How many there are.
            name: What it is called.
        """
        ...

    def end_variation(self) -> None:
        """Show the whole job again, and return to its ``result_path``."""
        ...

    def report_progress(self, progress: Progress) -> None:
        """Show this in the progress message from its next edit on. Cheap: it may be called for every chunk."""
        ...

    async def show_progress(self) -> None:
        """Send the progress message now, unless it is there already."""
        ...

    async def flush_progress(self) -> None:
        """Edit the progress message before going on, for a stage that may end before the next edit."""
        ...

    async def send(self, idempotency_key: str, message: OutgoingMessage) -> None:
        """Send a message, once for each idempotency key even across crashes.

        Raises:
            ChatGone: Nobody is left to answer.
        """
        ...

    async def react(self, emoji: str) -> bool:
        """React to the message that asked; idempotent.

        Returns:
            Whether it shows: some chats allow only a few reactions, or none.

        Raises:
            ChatGone: Nobody is left to answer.
        """
        ...

    async def conclude(self, *, is_done: bool) -> None:
        """Change the reaction to the request to "done", or remove it. Never fails."""
        ...

    async def send_file(
        self, idempotency_key: str, name: str, content_type: str, content: bytes, send_as: str = ""
    ) -> None:
        """Send a file, once for each idempotency key: pictures as photos, if Telegram takes them.

        A file that Telegram refuses is left out.

        Args:
            idempotency_key: What is sent; unique within the job.
            name: Its name, not trusted.
            content_type: Its declared MIME type; may be empty.
            content: Its bytes, at most ``MAX_SENT_BYTES``.
            send_as: What to send it as, if Telegram takes that: ``animation``, ``audio``, ``photo`` or
                ``video_note``.

        Raises:
            ChatGone: Nobody is left to answer.
        """
        ...

    async def send_again(self, idempotency_key: str, file: Attachment, caption: str) -> None:
        """Send a file that Telegram has, once for each idempotency key even across crashes.

        Args:
            idempotency_key: What is sent; unique within the job.
            file: The file, which is sent as its kind.
            caption: Its caption, as HTML.

        Raises:
            FileGone: Telegram no longer takes it.
            ChatGone: Nobody is left to answer.
        """
        ...

    async def post(self, channel_id: int, file: Attachment, caption: str) -> str | None:
        """Post a file that Telegram has to a channel, each time this is called.

        Returns:
            The post's link; ``None`` if nobody knows whether it was posted.

        Raises:
            FileGone: Telegram no longer takes the file.
            ChatGone: The bot may not post there.
        """
        ...

    def prefetch_file(self, file: Attachment) -> None:
        """Make Telegram prepare a file that will be opened in a moment; errors are raised when it is opened."""
        ...

    def open_file(self, file: Attachment) -> AbstractAsyncContextManager[OpenFile]:
        """Open a file at Telegram.

        Raises:
            FileGone: Telegram no longer has it.
            FileUnavailable: Telegram does not hand it out at the moment.
            FileTypeUnsupported: NemoVideo can't use its kind of content.
            FileTooLarge: Telegram does not hand out files of this size.
            AudioTooLong: It would have to be converted, and is too long for that.
        """
        ...

    async def delete_file_copies(self) -> None:
        """Delete the copies of files that were made for the job; idempotent. Never fails."""
        ...

    async def discard_result(self) -> None:
        """Delete the file at ``result_path``; idempotent. Never fails."""
        ...

    @property
    def send_limit_bytes(self) -> int:
        """The size of the largest video that can be sent to the chat, in bytes."""
        ...

    @property
    def can_stream_upload(self) -> bool:
        """Whether a file can be sent while it is still being written."""
        ...

    @property
    def result_path(self) -> Path:
        """The file that the job's result is written to."""
        ...

    async def deliver(self, idempotency_key: str, result: Result) -> SentMessage:
        """Send the finished video, once for each idempotency key even across crashes.

        Returns:
            The message with it; without ``file_id`` if the whole video was not sent.

        Raises:
            ChatGone: Nobody is left to answer.
            FileGone: Telegram no longer has the file that was sent before.
            NeverArrived: The rest of the file did not come; nothing was sent.
        """
        ...

    async def deliver_album(
        self, idempotency_key: str, results: Sequence[Result], caption: TextMessage
    ) -> list[SentMessage] | None:
        """Send finished videos as one album, once for each idempotency key even across crashes.

        Returns:
            What became of each; ``None`` if they can't be sent so, and have to be delivered one by one.
        """
        ...

    async def delete_message(self, telegram_chat_id: int, message_id: int, *, only_buttons: bool) -> bool:
        """Delete a message; idempotent.

        Args:
            telegram_chat_id: The id that its chat had in Telegram then; a message stays behind if its group moves.
            message_id: The message.
            only_buttons: Only remove its buttons, as happens anyway where it can't be deleted any more.

        Returns:
            Whether the message is gone.
        """
        ...

    async def finish_progress(self, closing: LocalizedMessage | None) -> None:
        """Delete the progress message, or let it show a last text."""
        ...

    async def close(self) -> None:
        """Stop editing the progress message; it stays for the next attempt at the job."""
        ...


class ResponderFactory(Protocol):
    """Makes the responder of a job."""

    def open(self, job: Job, checkpoints: Checkpoints) -> Responder:
        """Return the responder of a job that starts, or starts again."""
        ...


class GroupAdmins(Protocol):
    """Finds the admins of groups and channels."""

    async def is_admin(self, chat: ChatKey, user_id: int) -> bool:
        """Return whether a user is an admin of a group; anonymous admins have the group's own id."""
        ...

    async def may_post(self, channel_id: int, user_id: int) -> bool:
        """Return whether both the bot and a user may post in a channel."""
        ...


class Topics(Protocol):
    """Opens and names the topics of private chats."""

    async def open(self, chat: ChatKey, name: str) -> ChatKey | None:
        """Open a topic; return ``None`` if the chat has no topics, or if that fails."""
        ...

    async def rename(self, topic: ChatKey, name: str) -> bool:
        """Rename a private chat's topic, and return whether it exists; true outside of topics, false in groups."""
        ...


SendAlert: TypeAlias = Callable[[str, LocalizedMessage], Awaitable[None]]
"""Reports a problem to the bot's admins by its name, each time that it occurs."""


class AlertMessages(Protocol):
    """The messages of alerts in the private chats of the bot's admins."""

    async def show(self, sent: SentMessage, view: ListMessage, language: str) -> None:
        """Edit a message. Never fails."""
        ...

    async def send(self, admin: int, message: LocalizedMessage, language: str) -> SentMessage | None:
        """Send a message without the store; return ``None`` if that failed."""
        ...
