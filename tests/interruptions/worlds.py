"""Several worlds side by side: an interrupted job mostly waits, for leases and for new starts."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.interruptions.world import World, open_world

T = TypeVar("T")

ENDS = {"killed": signal.SIGKILL, "told to end": signal.SIGTERM}
"""The ways in which a process ends."""


@dataclass(frozen=True, slots=True)
class Worlds:
    """Makes worlds.

    Args:
        directory: Where each gets a directory.
        clip: A small video.
    """

    directory: Path
    clip: Path

    async def at_each(
        self, cases: Mapping[str, T], play: Callable[[World, T], Awaitable[None]], *, local: bool = False
    ) -> None:
        """Play every case in a world of its own, all at the same time.

        Args:
            cases: By their names.
            play: Plays one.
            local: Whether the Bot API server is an own one.

        Raises:
            ExceptionGroup: What did not hold, each with its case's name.
        """

        async def one(number: int, name: str, case: T) -> None:
            directory = self.directory / str(number)
            directory.mkdir()
            try:
                async with open_world(directory, self.clip, local=local) as world:
                    await play(world, case)
            except (Exception, asyncio.CancelledError) as error:
                error.add_note(f"Case: {name}")
                raise

        played = await asyncio.gather(
            *(one(number, name, case) for number, (name, case) in enumerate(cases.items())),
            return_exceptions=True,
        )
        failed = [error for error in played if isinstance(error, Exception)]
        if failed:
            raise ExceptionGroup("not as expected", failed)
