"""What commands print: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from bot.commands.check_findings import Finding, Verdict
from bot.commands.jobs import JobRow
from bot.jobs.model import MAX_PROMPT_CHARS
from bot.jobs.queue.given_up import STORED_GIVEN_UP, GivenUp
from bot.runtime.logs import redact

MAX_CELL_CHARS = 60
MAX_FOUND_CHARS = 300


def print_json(value: Any) -> None:
    """Print a value for scripts."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; the last column is as wide as it gets."""
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
        typer.echo("  ".join(cells).rstrip())


def print_findings(findings: Sequence[Finding]) -> None:
    """Print the doctor's table: a line each, and under what is wrong what to do."""
    width = max(_width(finding.name) for finding in findings)
    for finding in findings:
        name = finding.name + " " * (width - _width(finding.name))
        typer.echo(f"{finding.verdict.mark} {name}  {one_line(finding.found, MAX_FOUND_CHARS)}")
        if finding.advice:
            typer.echo(f"  {' ' * width}  → {finding.advice}")
    count = sum(finding.verdict is Verdict.WRONG for finding in findings)
    typer.echo("Everything is as it should be." if not count else f"{count} to put right.")


def print_jobs(rows: Sequence[JobRow], *, as_json: bool) -> None:
    """Print jobs, a line each."""
    lines = [("ID", "STATE", "KIND", "CHAT", "ASKED (UTC)", "WISH")]
    for row in rows:
        job = row.job
        prompt = one_line(job.text or ", ".join(file.name for file in job.files))
        lines.append((job.id, _state(row), job.kind.value, str(job.chat), _moment(job.asked_at), prompt))
    _print_list([row.to_dict() for row in rows], lines, as_json=as_json)


def print_given_up(found: Sequence[GivenUp], *, as_json: bool) -> None:
    """Print jobs that were given up, a line each."""
    lines = [("ID", "KIND", "CHAT", "GIVEN UP (UTC)", "ERROR")]
    lines += [(one.id, one.kind, one.chat, _moment(one.at), one.error) for one in found]
    _print_list([STORED_GIVEN_UP.dump_python(one, mode="json") for one in found], lines, as_json=as_json)


def _print_list(values: Sequence[Any], lines: Sequence[Sequence[str]], *, as_json: bool) -> None:
    if as_json:
        print_json(values)
    elif values:
        print_table(lines)
    else:
        typer.echo("No jobs.")


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def print_job(row: JobRow) -> None:
    """Print all of one job."""
    facts = row.to_dict() | {"state": _state(row), "text": one_line(row.job.text, most=MAX_PROMPT_CHARS)}
    facts["files"] = ", ".join(f"{one_line(file.name)} ({file.size or '?'} bytes)" for file in row.job.files)
    facts["saved"] = ", ".join(row.saved)
    for name in ("position", "stopping"):
        del facts[name]
    print_table(
        [(name.replace("_", " "), str(value)) for name, value in facts.items() if value not in ("", None)]
    )


def _state(row: JobRow) -> str:
    if row.position:
        return f"queued, position {row.position}"
    return "running, stopping" if row.is_stopping else row.state.value


def one_line(text: str, most: int = MAX_CELL_CHARS) -> str:
    """A text that people wrote, as one line without tokens and what a terminal would obey."""
    seen = "".join(c if c.isprintable() else " " for c in redact(text))
    line = " ".join(seen.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
