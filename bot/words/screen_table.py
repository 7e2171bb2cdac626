"""The tables of screen talk, one a language: ``locale/<language>/screen_talk.toml``.

They say what counts as such talk, what it means, and give examples, which the tests play. All tables apply to
every text together: the agent mixes languages. The English one tells how a table is written.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from bot.words.texts import languages


class ScreenAction(StrEnum):
    """What the bot does or offers instead of what the agent told somebody to do on a screen."""

    EXPORT = "export"  # run the export
    CREDITS = "credits"  # show them
    TIMELINE = "timeline"  # show the tracks
    STATE = "state"  # show where the project stands
    EDIT = "edit"  # offer to send what was to be dragged as a message


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of screen talk.

    Args:
        words: One of them stands in every text that the pattern can match.
        pattern: Searched in a clause.
        unless: Makes it content after all.
        action: What it means, if anything.
        named: Whether the name of a button or place can tell another action.
    """

    words: tuple[str, ...]
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    action: ScreenAction | None
    named: bool


@dataclass(frozen=True, slots=True)
class Table:
    """All languages' tables in one.

    Args:
        rows: What counts as screen talk.
        names: What the name of a button or place tells; the first that is found.
        breaks: What parts clauses.
        opens: A clause that belongs to the next one.
        continues: A clause that belongs to the one before it.
        content: A clause that is no screen talk, whatever the rows say.
        follows: A sentence that goes on with the one before it.
        leads: A sentence that only leads to the next one.
        before_edit: What is left out before an instruction that is offered as a message.
    """

    rows: tuple[Row, ...]
    names: tuple[tuple[re.Pattern[str], ScreenAction], ...]
    breaks: re.Pattern[str]
    opens: re.Pattern[str]
    continues: re.Pattern[str]
    content: re.Pattern[str]
    follows: re.Pattern[str]
    leads: re.Pattern[str]
    before_edit: tuple[re.Pattern[str], ...]


@cache
def table() -> Table:
    """What stands in the catalogues; a language without such a table adds nothing."""
    read = [_read(language) for language in languages()]
    tables = [found for found in read if found]
    clauses = {
        name: "|".join(f"(?:{found['clauses'][name]})" for found in tables)
        for name in ("breaks", "opens", "continues", "content", "follows", "leads")
    }
    return Table(
        rows=tuple(_row(row) for found in tables for row in found["row"]),
        names=tuple(
            (re.compile(pattern), ScreenAction(action))
            for found in tables
            for action, pattern in found["names"].items()
        ),
        breaks=re.compile(clauses["breaks"], re.IGNORECASE),
        opens=re.compile(clauses["opens"]),
        continues=re.compile(clauses["continues"]),
        content=re.compile(clauses["content"]),
        follows=re.compile(clauses["follows"]),
        leads=re.compile(clauses["leads"]),
        before_edit=tuple(
            re.compile(f"^(?:{found['clauses']['before_edit']})", re.IGNORECASE) for found in tables
        ),
    )


def _row(row: dict[str, Any]) -> Row:
    return Row(
        words=tuple(row["words"]),
        pattern=re.compile(row["pattern"]),
        unless=re.compile(row["unless"]) if "unless" in row else None,
        action=ScreenAction(row["action"]) if "action" in row else None,
        named=row.get("named", False),
    )


def _read(language: str) -> dict[str, Any]:
    file = files("bot.words") / "locale" / language / "screen_talk.toml"
    if not file.is_file():
        return {}
    text = file.read_text("utf-8")
    parts: dict[str, str] = tomllib.loads(text).get("parts", {})
    # "<lead>" in a pattern stands for the part of that name.
    found: dict[str, Any] = tomllib.loads(
        re.sub(r"<(\w+)>", lambda m: f"(?:{parts[m[1]]})" if m[1] in parts else m[0], text)
    )
    return found
