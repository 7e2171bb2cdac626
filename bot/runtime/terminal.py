"""What a command shows besides its results: its progress, in a terminal only, and why it failed."""

import contextlib
import sys
from collections.abc import Callable, Iterator

import typer

EXIT_WRONG = 1
EXIT_SETTINGS = 2  # also for a wrong command line, as is usual
EXIT_STORE = 3
EXIT_TELEGRAM = 4
EXIT_INTERRUPTED = 130

_ERASE_LINE = "\r\x1b[K"


class CommandError(Exception):
    """Ends a command. The message is for the person who called it: what is wrong, and what to do."""

    exit_code = EXIT_SETTINGS


@contextlib.contextmanager
def progress(step: str) -> Iterator[Callable[[str], None]]:
    """Show one line of progress, which is erased at the end; outside a terminal, show nothing.

    Args:
        step: What the command does first.

    Yields:
        A function that shows what the command does now.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def show(step: str) -> None:
        typer.echo(f"{_ERASE_LINE}{step}…", nl=False, err=True)

    show(step)
    try:
        yield show
    finally:
        typer.echo(_ERASE_LINE, nl=False, err=True)
