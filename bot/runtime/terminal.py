"""Progress of a command, in a terminal only."""

import contextlib
import sys
from collections.abc import Callable, Iterator

import typer

_ERASE_LINE = "\r\x1b[K"


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show one line of progress, which is erased at the end; outside a terminal, show nothing.

    Yields:
        A function that shows what the command does now.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def show(step: str) -> None:
        typer.echo(f"{_ERASE_LINE}{step}…", nl=False, err=True)

    try:
        yield show
    finally:
        typer.echo(_ERASE_LINE, nl=False, err=True)
