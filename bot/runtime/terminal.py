"""Progress in a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import typer


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """One line in a terminal, which is gone when it is done; nothing elsewhere.

    Yields:
        What is told each thing as it begins.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def tell(what: str) -> None:
        typer.echo(f"\r\x1b[K{what}…", nl=False, err=True)

    try:
        yield tell
    finally:
        typer.echo("\r\x1b[K", nl=False, err=True)
