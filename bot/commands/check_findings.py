"""The findings of ``nemovideo-bot check``."""

from dataclasses import dataclass
from enum import StrEnum

from bot.runtime.logs import redact


class Verdict(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WRONG = "wrong"
    SKIPPED = "skipped"  # it does not apply here, or depends on something that is wrong

    @property
    def mark(self) -> str:
        """Its sign in the table."""
        return {Verdict.OK: "✓", Verdict.WRONG: "✗", Verdict.SKIPPED: "–"}[self]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str  # what was checked
    verdict: Verdict  # the outcome
    found: str  # what was found; secrets in it are replaced
    advice: str = ""  # what to do if something is wrong

    def __post_init__(self) -> None:
        # URLs in the settings may contain a password.
        object.__setattr__(self, "found", redact(self.found))


def ok(name: str, found: str) -> Finding:
    """Report that all is well."""
    return Finding(name, Verdict.OK, found)


def wrong(name: str, found: str, advice: str) -> Finding:
    """Report something that has to be put right."""
    return Finding(name, Verdict.WRONG, found, advice)


def skipped(name: str, why: str) -> Finding:
    """Report that a check does not apply or can't be made."""
    return Finding(name, Verdict.SKIPPED, why)
