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
