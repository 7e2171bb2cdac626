"""The output of commands: tables for people, JSON for scripts."""

import html
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from bot.commands.check_findings import Finding, Verdict
from bot.commands.jobs import JobRow
from bot.jobs.checkpoints import StepTime
from bot.jobs.model import MAX_PROMPT_CHARS, JobState
from bot.jobs.queue.job_reader import STORED_GIVEN_UP, GivenUp
from bot.runtime.logs import redact
from bot.telegram.sending.formatting import format_message
from bot.words import Words

MAX_CELL_CHARS = 60
MAX_FOUND_CHARS = 300

_RENDERING = "export"  # the step that renders

_STEPS = {
    "gather": "collecting the request",
    "connect": "connecting",
    "upload": "uploading",
    "ask_agent": "editing",
    _RENDERING: "rendering",
    "deliver": "sending",
}
"""What an operator calls the steps of a request; the others are called by their own names."""

_TAG = re.compile(r"<[^>]*>")

_UNWRAPPED = 10_000  # columns of output that goes to no terminal: each row is one line, for grep


def print_json(value: Any) -> None:
    """Print a value for scripts."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; in a terminal, cells are wrapped to its width."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else _UNWRAPPED
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each check, and below it what to do if something is wrong."""
    rows = []
    for finding in findings:
        found = one_line(finding.found, MAX_FOUND_CHARS)
        rows.append((f"{finding.verdict.mark} {finding.name}", found))
        if finding.advice:
            rows.append(("", f"→ {finding.advice}"))
    print_table(rows)
    count = sum(finding.verdict is Verdict.WRONG for finding in findings)
    typer.echo("No problems found." if not count else f"Problems to fix: {count}")


def print_jobs(rows: Sequence[JobRow], *, as_json: bool) -> None:
    """Print jobs, one per line."""
    lines = [("ID", "STATE", "KIND", "CHAT", "ASKED (UTC)", "BEGAN", "LAST SAVED", "CREDITS", "REQUEST")]
    for row in rows:
        job = row.job
        prompt = one_line(job.prompt or ", ".join(file.name for file in job.files))
        times = (_format_clock(row.began_at), _format_clock(row.saved_at))
        asked = _format_time(job.asked_at)
        credits_used = str(row.credits_used or "")
        lines.append(
            (job.id, _state(row), job.kind.value, str(job.chat), asked, *times, credits_used, prompt)
        )
    _print_list([row.to_dict() for row in rows], lines, as_json=as_json)


def print_given_up(jobs: Sequence[GivenUp], *, as_json: bool) -> None:
    """Print jobs that were given up, one per line."""
    lines = [("ID", "KIND", "CHAT", "GIVEN UP (UTC)", "ERROR")]
    lines += [(job.id, job.kind, job.chat, _format_time(job.at), job.error) for job in jobs]
    _print_list([STORED_GIVEN_UP.dump_python(job, mode="json") for job in jobs], lines, as_json=as_json)


def _print_list(values: Sequence[Any], lines: Sequence[Sequence[str]], *, as_json: bool) -> None:
    if as_json:
        print_json(values)
    elif values:
        print_table(lines)
    else:
        typer.echo("No jobs.")


def _format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _format_clock(time: datetime | None) -> str:
    return "" if time is None else f"{time.astimezone(UTC):%H:%M:%S}"


def print_job(row: JobRow) -> None:
    """Print all fields of one job."""
    facts = row.to_dict() | {"state": _state(row), "text": one_line(row.job.prompt, MAX_PROMPT_CHARS)}
    facts["files"] = ", ".join(f"{one_line(file.name)} ({file.size or '?'} bytes)" for file in row.job.files)
    facts["saved"] = ", ".join(row.saved)
    facts["steps"] = ", ".join(map(_format_step, row.progress.steps))
    facts["failed_for"] = _failure(row)
    facts["credits_used"] = row.credits_used or ""
    for name in ("position", "stopping", "parked", "step", "render_percent"):
        del facts[name]
    print_table(
        [(name.replace("_", " "), str(value)) for name, value in facts.items() if value not in ("", None)]
    )


def _state(row: JobRow) -> str:
    if row.position:
        return f"queued, position {row.position}"
    if row.is_parked:
        return "parked, waits for a worker"
    if row.is_stopping:
        return "running, stopping"
    if row.step is not None and row.state is JobState.RUNNING:
        percent = row.progress.render_percent
        rendered = f" ({percent}% rendered)" if row.step.name == _RENDERING and percent is not None else ""
        since = _format_clock(datetime.fromtimestamp(row.step.began_at, UTC))
        return f"{_step_name(row.step)}{rendered} since {since}"
    failure = _failure(row)
    return f"{row.state.value}: {one_line(failure)}" if failure else row.state.value


def _step_name(step: StepTime) -> str:
    return _STEPS.get(step.name, step.name.replace("_", " "))


def _format_step(step: StepTime) -> str:
    name = _step_name(step)
    if step.ended_at is None:
        return f"{name} since {_format_clock(datetime.fromtimestamp(step.began_at, UTC))}"
    return f"{name} {max(0.0, step.ended_at - step.began_at):.1f} s"


def _failure(row: JobRow) -> str:
    """Return why a job failed: what its chat was shown, and the error behind it if there is one."""
    told = row.progress.ended_with
    if row.state is not JobState.FAILED or told is None:
        return row.given_up_for
    text = _TAG.sub("", format_message(Words("en"), told.key, told.params))
    return " ".join(filter(None, (html.unescape(text), row.given_up_for and f"({row.given_up_for})")))


def one_line(text: str, max_chars: int = MAX_CELL_CHARS) -> str:
    """Return what a person wrote as one line, without tokens and terminal control characters."""
    printable = "".join(c if c.isprintable() else " " for c in redact(text))
    line = " ".join(printable.split())
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"
