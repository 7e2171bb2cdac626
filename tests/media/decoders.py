"""What the process of the decoders is asked to do in tests: it finds these by their names, like everything else."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from bot.media import decoder_process as decoding


def say(*args: Any) -> Any:
    return list(args)


def who() -> list[Any]:
    return [os.getpid(), os.getppid(), sorted(os.environ)]


def crash(*_: Any) -> None:
    os.abort()


def hang(pid_file: str = "", *_: Any) -> None:
    if pid_file:
        Path(pid_file).write_text(str(os.getpid()))
    while True:
        pass


def rest(*_: Any) -> None:
    time.sleep(1000)


def hoard() -> int:
    return len(bytearray(decoding.MEMORY_BYTES))


def write(number: int, size: int) -> int:
    return os.write(number, bytes(size))


def talk() -> str:
    return "x" * (decoding.MAX_ANSWER_BYTES + 1)


def loaded() -> list[str]:
    return sorted(sys.modules)
