"""Backoff with an injectable clock; stamina's sleeps by the event loop's."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Pauses for as many retries as it takes; each is twice as long as the one before, up to ``longest_s``.

        backoff = Backoff()
        while not await connect():
            await clock.sleep(backoff.next_s())

    Args:
        first_s: The first pause, in seconds.
        longest_s: The longest one, in seconds.
    """

    first_s: float = 0.5
    longest_s: float = 15.0
    _next_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    def next_s(self) -> float:
        """Return the pause to make now, in seconds, and lengthen the one after it."""
        pause_s = self._next_s
        self._next_s = min(2 * pause_s, self.longest_s)
        return pause_s

    def reset(self) -> None:
        """Begin with the first pause again, after a success."""
        self._next_s = self.first_s
