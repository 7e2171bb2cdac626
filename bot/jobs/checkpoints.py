"""What a job's attempts have saved, so that the next one goes on from there: a class each."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

C = TypeVar("C", bound="Checkpoint")


class Checkpoint(BaseModel):
    """Base of all checkpoints.

    ``name`` is what it is called in Redis, whatever the class is called. An unknown field of a later release is
    ignored, and a new field has a default.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: ClassVar[str]


def field_of(checkpoint: type[Checkpoint], key: str = "") -> str:
    """Return the name under which a checkpoint is stored."""
    return f"{checkpoint.name}:{key}" if key else checkpoint.name


class Checkpoints(Protocol):
    """The checkpoints of one job."""

    def get_value(self, name: str) -> Any:
        """Return what was saved under a name, or ``None``."""
        ...

    async def save_value(self, name: str, value: Any) -> None:
        """Save a JSON value; it is in the store when this returns."""
        ...

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
