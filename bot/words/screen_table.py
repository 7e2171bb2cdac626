"""The tables of screen talk, one per language: ``locale/<language>/screen_talk.toml``.

They define which clauses are screen talk and what these mean, with examples that the tests run. All tables together
apply to every text, as the agent mixes languages. The format is described in the English one.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from pydantic import BaseModel

from bot.words.texts import languages


class ScreenAction(StrEnum):
    """What the bot does or offers instead of an action on a screen."""

    EXPORT = "export"  # run the export
    CREDITS = "credits"  # show the credits
    TIMELINE = "timeline"  # show the tracks
    STATE = "state"  # show the project's status
    EDIT = "edit"  # offer to send the instruction as a message


class Row(BaseModel, frozen=True):
    """One kind of screen talk."""

    words: tuple[str, ...]  # every text that the pattern can match contains one of them
    pattern: re.Pattern[str]  # matches a clause of screen talk
    unless: re.Pattern[str] | None = None  # matches exceptions
    action: ScreenAction | None = None  # the action it stands for, if any
    named: bool = False  # whether the name of a button or place can change the action


class _LanguageTable(BaseModel):
    clauses: dict[str, str]
    names: dict[ScreenAction, re.Pattern[str]]
    row: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """All languages' tables in one."""

    rows: tuple[Row, ...]  # the kinds of screen talk
    names: tuple[tuple[re.Pattern[str], ScreenAction], ...]  # of buttons and places; the first match counts
    breaks: re.Pattern[str]  # matches separators of clauses
    opens: re.Pattern[str]  # matches a clause that belongs to the next one
    continues: re.Pattern[str]  # matches a clause that belongs to the previous one
    content: re.Pattern[str]  # matches a clause that is never screen talk
    follows: re.Pattern[str]  # matches a sentence that continues the previous one
    leads: re.Pattern[str]  # matches a sentence that only introduces the next one
    presses: re.Pattern[str]  # matches an instruction to press a button; its group: the name, or quotations
    before_edit: tuple[re.Pattern[str], ...]  # match what is cut off before an instruction that is offered


@cache
def table() -> Table:
    """Return the tables of all languages that have one."""
    tables = [content for language in languages() if (content := _read(language)) is not None]
    clauses = {
        name: "|".join(f"(?:{content.clauses[name]})" for content in tables)
        for name in ("breaks", "opens", "continues", "content", "follows", "leads", "presses")
    }
    return Table(
        rows=tuple(row for content in tables for row in content.row),
        names=tuple((name, action) for content in tables for action, name in content.names.items()),
        breaks=re.compile(clauses["breaks"], re.IGNORECASE),
        opens=re.compile(clauses["opens"]),
        continues=re.compile(clauses["continues"]),
        content=re.compile(clauses["content"]),
        follows=re.compile(clauses["follows"]),
        leads=re.compile(clauses["leads"]),
        presses=re.compile(clauses["presses"]),
        before_edit=tuple(
            re.compile(f"^(?:{content.clauses['before_edit']})", re.IGNORECASE) for content in tables
        ),
    )


def _read(language: str) -> _LanguageTable | None:
    file = files("bot.words") / "locale" / language / "screen_talk.toml"
    if not file.is_file():
        return None
    text = file.read_text("utf-8")
    parts: dict[str, str] = tomllib.loads(text).get("parts", {})
    # "<lead>" in a pattern is replaced by the part of that name.
    text = re.sub(r"<(\w+)>", lambda m: f"(?:{parts[m[1]]})" if m[1] in parts else m[0], text)
    return _LanguageTable.model_validate(tomllib.loads(text))
