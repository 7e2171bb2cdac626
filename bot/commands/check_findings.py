"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.runtime.logs import redact


class Verdict(StrEnum):
    """How something stands."""

    OK = "ok"
    WRONG = "wrong"
    NOT_ASKED = "not asked"  # it does not apply here, or hangs on something that is wrong

    @property
    def mark(self) -> str:
        """In the table."""
        return {Verdict.OK: "✓", Verdict.WRONG: "✗", Verdict.NOT_ASKED: "–"}[self]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's table.

    Args:
        name: What was looked at.
        verdict: How it stands.
        found: What was seen; never a secret.
        advice: What to do, where something is wrong.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""

    def __post_init__(self) -> None:
        # Addresses in the settings may hold a password.
        object.__setattr__(self, "found", redact(self.found))


def ok(name: str, found: str) -> Finding:
    """All is well."""
    return Finding(name, Verdict.OK, found)


def wrong(name: str, found: str, advice: str) -> Finding:
    """Something has to be put right."""
    return Finding(name, Verdict.WRONG, found, advice)


def not_asked(name: str, why: str) -> Finding:
    """It does not apply, or can't be known."""
    return Finding(name, Verdict.NOT_ASKED, why)
