"""What runs in a bot's process before the bot does. Imports little, because every process imports it."""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

SKEW = "skew"
"""A file in the process's directory: by how many seconds its wall clock is wrong."""


def _skew(directory: str) -> None:
    """Take the time of day in the bot's and docket's modules from a clock that a test can set."""
    file = Path(directory) / SKEW

    class Meta(type):
        def __instancecheck__(cls, other: object) -> bool:
            return isinstance(other, datetime)

    class Skewed(datetime, metaclass=Meta):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            by_s = float(file.read_text()) if file.exists() else 0.0
            return datetime.now(tz) + timedelta(seconds=by_s)

    for name, module in list(sys.modules.items()):
        if name.startswith(("bot.", "docket.")) and vars(module).get("datetime") is datetime:
            module.datetime = Skewed  # type: ignore[attr-defined]


def run_bot(arguments: Sequence[str], environment: Mapping[str, str], directory: str, log: str) -> None:
    """Become `nemovideo-bot` with these arguments and this environment alone.

    Args:
        arguments: As on the command line.
        environment: Replaces the whole environment.
        directory: Where to run; without a file `.env`.
        log: Where output goes.
    """
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["nemovideo-bot", *arguments]

    from bot.cli import main

    _skew(directory)
    main()
