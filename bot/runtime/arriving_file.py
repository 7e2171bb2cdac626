"""A file that is sent on while it is still being written."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path


class NeverArrived(Exception):
    """The file ended early, so no reader has received all of it."""


class ArrivingFile:
    """A file of known size that grows.

    Args:
        path: Where it is written.
        whole_path: Where it is moved once it is whole.
        size_bytes: Its size then.

    Attributes:
        is_broken: Whether some of it never comes.
    """

    def __init__(self, path: Path, whole_path: Path, size_bytes: int) -> None:
        self.path = path
        self.whole_path = whole_path
        self.size_bytes = size_bytes
        self.is_broken = False
        self._arrived_bytes = 0
        self._has_ended = False
        self._changed = asyncio.Event()

    def add(self, size_bytes: int) -> None:
        """Add to the number of bytes that can be read."""
        self._arrived_bytes += size_bytes
        self._notify()

    def end(self) -> None:
        """Note that no more bytes come: it is whole and in its place, or never will be."""
        self._has_ended = True
        self.is_broken = self._arrived_bytes < self.size_bytes
        self._notify()

    async def wait_for(self, size_bytes: int) -> None:
        """Wait until a number of bytes can be read, or all of them.

        Raises:
            NeverArrived: They never come.
        """
        while self._arrived_bytes < min(size_bytes, self.size_bytes):
            if self.is_broken:
                raise NeverArrived
            await self._changed.wait()

    async def wait_for_end(self) -> None:
        """Wait until it is whole and in its place.

        Raises:
            NeverArrived: It never will be.
        """
        while not self._has_ended:
            await self._changed.wait()
        if self.is_broken:
            raise NeverArrived

    def open(self) -> ArrivingReader:
        """Open it for one reader."""
        return ArrivingReader(self)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class ArrivingReader:
    """Reads an arriving file as forms read files; `wait_for` comes before each read.

    Args:
        file: The file.

    Raises:
        NeverArrived: It broke off and is gone.
    """

    def __init__(self, file: ArrivingFile) -> None:
        self._file = file
        try:
            self._handle = file.path.open("rb")
        except FileNotFoundError:
            if file.is_broken:
                raise NeverArrived from None
            self._handle = file.whole_path.open("rb")

    async def wait_for(self, size_bytes: int) -> None:
        """Wait until a number of further bytes can be read, or all that are left.

        Raises:
            NeverArrived: They never come.
        """
        await self._file.wait_for(self._handle.tell() + size_bytes)

    def read(self, size_bytes: int = -1) -> bytes:
        """Return the next bytes, as far as they have arrived."""
        return self._handle.read(size_bytes)

    def tell(self) -> int:
        """Return the position."""
        return self._handle.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move; the end is where the file will end."""
        if whence == os.SEEK_END:
            return self._handle.seek(self._file.size_bytes + offset)
        return self._handle.seek(offset, whence)

    def close(self) -> None:
        """Close the file."""
        self._handle.close()
