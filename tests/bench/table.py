"""What the benchmarks have in common: figures, contenders that take turns, and how they are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Contender = Callable[[], Awaitable[float]]
"""Does its work once, and gives what it is measured by: seconds, MB/s, calls a second."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Args:
        path: What was measured.
        ours: The bot's figure, with its unit.
        peer: What it is held against, and its figure; empty when it stands alone.
        value: The ratio of the two, or the bot's figure itself; the median of all rounds.
        lowest: Of all rounds.
        highest: Of all rounds.
        unit: Of the three.
        goal: The bound on the value.
        at_least: Whether the goal is a lower bound; otherwise it is an upper one.
    """

    path: str
    ours: str
    peer: str
    value: float
    lowest: float
    highest: float
    unit: str
    goal: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Return whether the median reaches the goal."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def row(self) -> str:
        """A line of a Markdown table."""
        sign = "≥" if self.at_least else "≤"
        mark = "✓" if self.is_met else "✗"
        spread = f"{self.lowest:.3g}–{self.highest:.3g}"
        return (
            f"| {self.path} | {self.ours} | {self.peer or '–'} | {self.value:.3g}{self.unit} ({spread}) "
            f"| {sign} {self.goal:g}{self.unit} | {mark} |"
        )


HEADER = "| path | bot | peer | median (range) | goal | |\n|---|---|---|---|---|---|"


async def take_turns(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Run every contender once a round, after one round that does not count.

    A machine that gets busier meanwhile slows all of them, so that their ratio within a round stays true.

    Args:
        contenders: By name.
        rounds: That count.

    Returns:
        Each one's measures, a round after another.
    """
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            taken = await run()
            if number:
                measured[name].append(taken)
    return measured


def ratio(
    path: str,
    ours: Sequence[float],
    peer: Sequence[float],
    *,
    unit: str,
    peer_name: str,
    goal: float,
    at_least: bool = True,
) -> Figure:
    """Hold the bot's measures against a peer's, round by round.

    Args:
        path: What was measured.
        ours: A measure a round.
        peer: The same.
        unit: Of both.
        peer_name: Who the peer is.
        goal: The bound on the ratio.
        at_least: Whether it is a lower one.
    """
    ratios = [mine / other for mine, other in zip(ours, peer, strict=True)]
    return Figure(
        path,
        f"{median(ours):.4g} {unit}",
        f"{peer_name}: {median(peer):.4g} {unit}",
        median(ratios),
        min(ratios),
        max(ratios),
        "×",
        goal,
        at_least,
    )


def alone(path: str, measures: Sequence[float], *, unit: str, goal: float, peer: str = "") -> Figure:
    """A measure with an upper bound of its own.

    Args:
        path: What was measured.
        measures: One a round.
        unit: Of all of them.
        goal: The bound.
        peer: What it was measured beside, if that tells something.
    """
    value = median(measures)
    return Figure(path, f"{value:.4g} {unit}", peer, value, min(measures), max(measures), f" {unit}", goal)
