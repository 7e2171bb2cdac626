"""What runs in a bot's process before the bot does. Imports little, because every process imports it."""

import os
import sys
from collections.abc import Mapping, Sequence


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

    main()
