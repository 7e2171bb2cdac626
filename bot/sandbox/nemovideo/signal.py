"""Wait for a condition without polling."""

import asyncio
from collections.abc import Callable


class Signal:
    """Wakes waiters to check their conditions again."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake all waiters."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition holds.

        Args:
            true: The condition, checked after every change.
            timeout_s: Timeout in real seconds, so that no test hangs on a slow clock.

        Returns:
            Whether the condition holds in the end.
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
