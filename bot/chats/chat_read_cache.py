"""Cache of what a job has just read of its chat: its steps need the chat some thirty times."""

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from bot.chats.key import ChatKey

T = TypeVar("T")

READING_S = 1.0
"""How long a job may use what it has read of a chat."""


class ChatReader(Protocol):
    """A reader of what is stored of a chat: mostly a job."""

    @property
    def id(self) -> str:
        """An id that no other reader has."""
        ...

    @property
    def chat(self) -> ChatKey:
        """The chat that it works for."""
        ...


@dataclass(slots=True)
class _Reading(Generic[T]):
    key: ChatKey
    reader: str
    began_s: float
    value: T | None = None  # None while it is being read


class ChatReadCache(Generic[T]):
    """Cache of the chats read in the last second.

    A job's first reading is of the store, and sees all changes made by this process. A change that another process
    makes while the job runs is seen a second later at the latest.
    """

    def __init__(self) -> None:
        self._readings: dict[ChatKey, _Reading[T]] = {}  # the latest of each account, the oldest first

    async def get(self, key: ChatKey, reader: str, read: Callable[[], Awaitable[T]]) -> T:
        """Return what the same reader has read less than `READING_S` ago, or read it.

        Args:
            key: Which chat.
            reader: ID of the job.
            read: Reads from the store.
        """
        now_s, reading = time.monotonic(), self._readings.get(key.of_account)
        if reading is not None and (reading.key, reading.reader) == (key, reader):
            value = reading.value if now_s - reading.began_s <= READING_S else None
            if value is not None:
                return value
        while self._readings and next(iter(self._readings.values())).began_s < now_s - READING_S:
            del self._readings[next(iter(self._readings))]
        self._readings.pop(key.of_account, None)
        # Cached before the read is complete, so that a change that comes meanwhile can drop it.
        reading = self._readings[key.of_account] = _Reading(key, reader, now_s)
        value = reading.value = await read()
        return value

    @contextlib.contextmanager
    def updating(self, key: ChatKey, change: Callable[[T], T] | None = None) -> Iterator[None]:
        """Update the cached chat along with a write: apply the same change if the write succeeds, otherwise drop it.

        Args:
            key: Which chat is written.
            change: Returns the cached value with the change; ``None`` drops that value in any case.
        """
        is_written = False
        try:
            yield
            is_written = True
        finally:
            reading = self._readings.get(key.of_account)
            value = reading.value if reading is not None and reading.key == key else None
            if reading is not None and value is not None and is_written and change is not None:
                reading.value = change(value)
            else:
                self._readings.pop(key.of_account, None)
