"""The command line: ``nemovideo-bot init``, ``run``, ``sandbox``, ``check`` and ``jobs``.

Each command imports what only it needs, so that a terminal shows progress at once.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.chats.key import ChatKey
from bot.jobs.job_state import JobState
from bot.runtime.lean_imports import import_lean
from bot.runtime.process import Role
from bot.runtime.terminal import EXIT_INTERRUPTED, EXIT_WRONG, CommandError, progress

if TYPE_CHECKING:
    from bot.app import App
    from bot.commands.jobs import JobAdmin, JobRow
    from bot.jobs.queue.job_reader import GivenUp

DRAIN_TIMEOUT_S = 8.0  # after SIGTERM; systemd, compose and Kubernetes kill after 20 s and more

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
jobs = typer.Typer(help="List, show, cancel and retry jobs in all chats.", no_args_is_help=True)
app.add_typer(jobs, name="jobs")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nemovideo-bot {version('nemovideo-bot')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """The NemoVideo Telegram bot: edit and make videos by chatting."""


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Only(StrEnum):
    """A part of the sandbox."""

    SERVICES = "services"


@app.command()
def run(
    role: Annotated[Role, typer.Option(help="What this process does.")] = Role.ALL,
    paused: Annotated[
        bool,
        typer.Option(
            "--paused",
            help="Begin and continue no edit until an admin sends /resume: for a store restored from a backup.",
        ),
    ] = False,
) -> None:
    """Run the bot for real use. Settings come from the environment and from .env."""
    with progress("Starting"):
        gc.disable()  # Imports leave no garbage, and looking for it slows them down.
        import_lean()
        from bot.app import App
        from bot.runtime.clock import SystemClock
        from bot.runtime.logs import configure_logging
        from bot.runtime.process import collect_rarely, hide_memory
        from bot.runtime.tracing import configure_tracing
        from bot.settings import load_settings

        collect_rarely()  # Before a collection: one of all that was imported takes 0.07 s.
        gc.enable()
    hide_memory()
    settings = load_settings()
    # What is written is the bot's alone; a Bot API server beside it reads the results, as its user or in its group.
    os.umask(0o027 if settings.telegram_local_mode else 0o077)
    configure_logging(settings.log_level, settings.log_format)
    configure_tracing()
    _run(_until_signal(App(settings, SystemClock(), role, paused=paused)))


@app.command()
def sandbox(
    play: Annotated[
        str | None,
        typer.Option(
            help="Play this conversation file and end; without a file, the main job.", metavar="[FILE]"
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="With --play: where the transcript and the delivered files go.")
    ] = Path("out"),
    only: Annotated[
        Only | None, typer.Option(help="Start the stand-ins alone, for any other client.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Keep all files in this new directory; otherwise they are removed at the end."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The chat page's port; 0 takes a free one.")
    ] = 0,
    telegram_port: Annotated[
        int, typer.Option(min=0, max=65535, help="With --only: Telegram's port; 0 takes a free one.")
    ] = 0,
    nemo_port: Annotated[
        int, typer.Option(min=0, max=65535, help="With --only: NemoVideo's port; 0 takes a free one.")
    ] = 0,
    load: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help="Let this many people write at once, with your settings' limits, and print what it took.",
            metavar="CHATS",
        ),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="With --load: how long they write.")] = 5.0,
) -> None:
    """Try the bot on a chat page, against stand-ins of Telegram and NemoVideo, all on this machine."""
    with progress("Starting"):
        import_lean()
        from bot.runtime.logs import configure_logging
        from bot.sandbox import command

    configure_logging("ERROR", "text")
    if load is not None:
        _run(command.load(load, minutes))
    elif play is not None:
        exit_code = _run(command.play(Path(play), out))
        sys.exit(EXIT_INTERRUPTED if exit_code is None else exit_code)
    else:
        _run(command.services(telegram_port, nemo_port) if only else command.chat(data_dir, port))


@app.command()
def init(
    non_interactive: Annotated[
        bool,
        typer.Option("--non-interactive", help="Ask nothing: take the settings from the environment."),
    ] = False,
) -> None:
    """Set the bot up: ask for tokens and who may use it, check them, and write .env."""
    with progress("Starting"):
        from rich.prompt import Prompt

        from bot.commands.init import CannotInit, SetUp
        from bot.runtime.clock import SystemClock
        from bot.runtime.logs import configure_logging
        from bot.settings import ENV_FILE, load_settings

    def ask(question: str, default: str) -> str:
        try:
            return Prompt.ask(question, default=default, show_default=bool(default))
        except EOFError:
            raise CannotInit("There is nobody to ask: use --non-interactive") from None

    configure_logging("ERROR", "text")
    set_up = SetUp(load_settings(None), SystemClock(), None if non_interactive else ask, typer.echo)
    _run(set_up.run(ENV_FILE))


@app.command()
def check(as_json: AsJson = False) -> None:
    """Check all that the bot needs, and advise what to do. The exit code is 1 if something is wrong."""
    with progress("Starting") as show_progress:
        import_lean()
        from bot.commands import printing
        from bot.commands.check import check_without_settings, run_checks
        from bot.commands.check_findings import Verdict
        from bot.runtime.clock import SystemClock
        from bot.runtime.logs import configure_logging
        from bot.settings import WrongSettings, load_settings

        # The table reports what is wrong.
        configure_logging("ERROR", "text")
        try:
            findings = _run(run_checks(load_settings(), SystemClock(), show_progress))
        except WrongSettings as error:
            findings = check_without_settings(error)
    if findings is None:
        sys.exit(EXIT_INTERRUPTED)
    is_well = all(finding.verdict is not Verdict.WRONG for finding in findings)
    if as_json:
        printing.print_json({"ok": is_well, "checks": [asdict(finding) for finding in findings]})
    else:
        printing.print_findings(findings)
    sys.exit(0 if is_well else EXIT_WRONG)


JobId = Annotated[str, typer.Argument(help="The job's ID, as shown by 'jobs list'.", metavar="ID")]


@jobs.command("list")
def list_jobs(
    state: Annotated[
        list[JobState] | None,
        typer.Option(help="List jobs in this state instead. Can be repeated."),
    ] = None,
    given_up: Annotated[
        bool,
        typer.Option("--given-up", help="List jobs that hit an unexpected error or kept crashing the bot."),
    ] = False,
    chat: Annotated[
        str | None, typer.Option(help="List only this chat's jobs. Give its ID, for a topic ID:TOPIC.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="List at most this many jobs.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List running jobs, queued edits and open questions; with --state or --given-up, ended jobs."""
    try:
        key = ChatKey.parse(chat) if chat is not None else None
    except ValueError:
        raise typer.BadParameter(
            "a chat is a number, such as -100123 or -100123:45", param_hint="--chat"
        ) from None
    if given_up and state:
        raise typer.BadParameter("can't be used with --state", param_hint="--given-up")
    from bot.commands import printing

    if given_up:
        ended: list[GivenUp] = _with_job_admin(lambda admin: admin.given_up(chat=key, limit=limit))
        printing.print_given_up(ended, as_json=as_json)
    else:
        rows: list[JobRow] = _with_job_admin(
            lambda admin: admin.rows(states=state or (), chat=key, limit=limit)
        )
        printing.print_jobs(rows, as_json=as_json)


@jobs.command("show")
def show_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Show a job's request, state and steps."""
    _print_job(_with_job_admin(lambda admin: admin.row(job_id)), as_json=as_json)


@jobs.command("cancel")
def cancel_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel a queued or running job and notify its chat."""
    _print_job(_with_job_admin(lambda admin: admin.cancel(job_id)), as_json=as_json)


@jobs.command("retry")
def retry_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Run a failed or cancelled job again. What was already charged isn't charged again."""
    _print_job(_with_job_admin(lambda admin: admin.retry(job_id)), as_json=as_json)


def _with_job_admin(work: Callable[[JobAdmin], Coroutine[Any, Any, Any]]) -> Any:
    with progress("Starting"):
        import_lean()
        from bot.commands.jobs import open_job_admin
        from bot.runtime.clock import SystemClock
        from bot.runtime.logs import configure_logging
        from bot.settings import load_settings

    async def main() -> Any:
        async with open_job_admin(load_settings(), SystemClock()) as admin:
            return await work(admin)

    configure_logging("ERROR", "text")
    return _run(main())


def _print_job(row: JobRow, *, as_json: bool) -> None:
    from bot.commands import printing

    if as_json:
        printing.print_json(row.to_dict())
    else:
        printing.print_job(row)


async def _until_signal(bot: App) -> None:
    import asyncio

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        loop.call_later(DRAIN_TIMEOUT_S, _end_at_once)

    # A terminal that closes sends SIGHUP.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, end)
    await bot.run(stop)


def _end_at_once() -> None:
    """End without giving jobs back: a store that hangs would take none. They are taken up as after a crash."""
    import structlog

    structlog.get_logger(__name__).warning("app.drain_timed_out", after_s=DRAIN_TIMEOUT_S)
    os._exit(0)


def _run(main: Coroutine[Any, Any, Any]) -> Any:
    import asyncio

    with asyncio.Runner(loop_factory=_loop_factory()) as runner, contextlib.suppress(KeyboardInterrupt):
        return runner.run(main)


def _loop_factory() -> Any:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def main() -> None:
    """The entry point."""
    arguments = sys.argv[1:]
    if "--play" in arguments:
        # Typer has no options with an optional value: without one, the main job is played.
        after = arguments.index("--play") + 1
        if after == len(arguments) or arguments[after].startswith("-"):
            from bot.sandbox.command import MAIN_JOB

            arguments.insert(after, str(MAIN_JOB))
    try:
        app(arguments)
    except CommandError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
