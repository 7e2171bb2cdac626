"""What a job's attempts have saved, so that the next one goes on from there: a class each.

A checkpoint that only one step uses stands beside that step.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

C = TypeVar("C", bound="Checkpoint")

RawDraft: TypeAlias = Any  # a draft as NemoVideo sent it; ``None`` for an empty project

FILES, LINKS = "files", "links"
"""The keys of ``UploadStarted`` and ``Uploaded``: files and links go to NemoVideo in requests of their own."""


class Checkpoint(BaseModel):
    """Base of all checkpoints.

    ``name`` is what it is called in Redis, whatever the class is called. An unknown field of a later release is
    ignored, and a new field has a default.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: ClassVar[str]


class SentMessage(BaseModel):
    """A message that is in the chat.

    Args:
        message_id: Its number, which means another message, or none, once the group has become a supergroup.
        telegram_chat_id: The id that the chat had in Telegram when the message was sent.
        file_id: Telegram's handle of the video or file in it; empty if there is none.
        kind: What that became: ``video``, ``animation`` or ``document``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    message_id: int
    telegram_chat_id: int
    file_id: str = ""
    kind: str = ""


class MessageSend(Checkpoint):
    """Saved under its idempotency key right before a message is sent, and again once it is in the chat.

    Args:
        newest_before: The highest message number known in the chat before the message was sent.
        sent: The message; ``None`` while it is unknown whether it was sent.
    """

    name = "message"
    newest_before: int = 0
    sent: SentMessage | None = None


PROGRESS_MESSAGE = "progress"
"""The idempotency key of a job's progress message; what announced a waiting job's position goes on as that."""


class UploadStarted(Checkpoint):
    """Saved right before a request with files (key ``FILES``) or links (key ``LINKS``).

    Args:
        digest_before: A digest of the project's uploads then.
        size_bytes: Bytes of the files; 0 for links.
        sources: File ids or links.
    """

    name = "upload_started"
    digest_before: str = ""
    size_bytes: int = 0
    sources: tuple[str, ...] = ()


class UploadedFile(BaseModel):
    """What NemoVideo said of an uploaded file.

    Args:
        name: The name it was uploaded under.
        size_bytes: Its size.
        kind: Its type as NemoVideo calls it; empty if it said nothing.
        duration_s: Length of audio and video in seconds.
        width: In pixels.
        height: In pixels.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str = ""
    size_bytes: int = 0
    kind: str | None = ""
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None


class Uploaded(Checkpoint):
    """Saved when NemoVideo has taken files (key ``FILES``) or fetched links (key ``LINKS``).

    Args:
        session_id: The project that has them: a retry need not bring them there twice.
        size_bytes: Bytes of all of them; 0 for links.
        sources: What is known of each, by file id or link.
    """

    name = "uploaded"
    session_id: str | None = None
    size_bytes: int = 0
    sources: Mapping[str, UploadedFile | None] = {}


class AgentAsked(Checkpoint):
    """Saved right before the message goes out; from here on it is never sent again.

    Args:
        draft_before: The draft then; what the agent did without our hearing of it shows by comparison.
    """

    name = "agent_asked"
    draft_before: RawDraft = None


class AgentAnswered(Checkpoint):
    """Saved when the agent's turn is over, however it ended.

    Args:
        text: The agent's words.
        draft_before: The draft when the message was sent.
        draft_after: The draft at the end.
        failed: Whether the stream told an error.
        reason: What the error said.
        code: Its code.
        raw_video_announced: Whether the chat was told that the raw video is ready.
    """

    name = "agent_answered"
    text: str = ""
    draft_before: RawDraft = None
    draft_after: RawDraft = None
    failed: bool = False
    reason: str = ""
    code: int | None = None
    raw_video_announced: bool = False


class RenderStarted(Checkpoint):
    """Saved before the call that starts a render, which is found again by its id."""

    name = "render_started"
    number: int = 1
    render_id: str = ""


class PrivateMessageKept(Checkpoint):
    """Saved when the answer to somebody in a group waits until they begin a private chat.

    Args:
        encrypted: The stored ``ListMessage``, encrypted: links in it are as good as the account.
    """

    name = "private_message"
    encrypted: str = ""


def field_of(checkpoint: type[Checkpoint], key: str = "") -> str:
    """Return the name under which a checkpoint is stored."""
    return f"{checkpoint.name}:{key}" if key else checkpoint.name


class Checkpoints(Protocol):
    """The checkpoints of one job."""

    def load(self, checkpoint: type[C], key: str = "") -> C | None:
        """Return what was saved, or ``None``.

        Args:
            checkpoint: The class to load.
            key: Tells several of one class apart, such as an idempotency key.
        """
        ...

    async def save(self, checkpoint: Checkpoint, key: str = "") -> None:
        """Save a checkpoint; it is in the store when this returns."""
        ...

    async def delete(self, checkpoint: type[Checkpoint], key: str = "") -> None:
        """Forget a checkpoint."""
        ...


class StoredCheckpoints:
    """Implements ``Checkpoints`` over what the store had; a subclass writes what changes back."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    async def _write(self, name: str, value: Any) -> None:
        """Write a JSON value to the store."""
        raise NotImplementedError

    async def _save(self, name: str, value: Any) -> None:
        self._values[name] = value
        await self._write(name, value)

    def load(self, checkpoint: type[C], key: str = "") -> C | None:
        """See ``Checkpoints``."""
        value = self._values.get(field_of(checkpoint, key))
        return None if value is None else checkpoint.model_validate(value)

    async def save(self, checkpoint: Checkpoint, key: str = "") -> None:
        """See ``Checkpoints``."""
        await self._save(field_of(type(checkpoint), key), checkpoint.model_dump(mode="json"))

    async def delete(self, checkpoint: type[Checkpoint], key: str = "") -> None:
        """See ``Checkpoints``."""
        await self._save(field_of(checkpoint, key), None)
