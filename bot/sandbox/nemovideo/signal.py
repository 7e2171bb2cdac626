"""Waiting for something to become true, without sleeping in between."""

import asyncio
from collections.abc import Callable


class Signal:
    """A word to everyone who waits that something changed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Let all who wait look again."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition holds.

        Args:
            true: The condition, looked at after every change.
            timeout_s: Real seconds; a test that waits must not hang on a slow clock.

        Returns:
            Whether it holds in the end.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not true():
            event = self._event
            left_s = deadline - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(event.wait(), left_s)
            except TimeoutError:
                return true()
        return True
