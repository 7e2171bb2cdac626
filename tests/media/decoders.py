"""Work for the decoder process in tests; it is found there by module and name, like all work."""

import os
import sys
import time
from typing import Any

from bot.media import decoder_process


def echo(*args: Any) -> Any:
    return list(args)


def process_facts() -> dict[str, Any]:
    return {"pid": os.getpid(), "environment": sorted(os.environ)}


def abort(*_: Any) -> None:
    os.abort()


def spin(*_: Any) -> None:
    while True:
        pass


def spin_named(pid_file: int) -> None:
    os.write(pid_file, str(os.getpid()).encode())
    spin()


def sleep(*_: Any) -> None:
    time.sleep(1000)


def allocate_too_much() -> int:
    return len(bytearray(decoder_process.MEMORY_BYTES))


def write(fd: int, size: int) -> int:
    return os.write(fd, bytes(size))


def answer_too_much() -> str:
    return "x" * (decoder_process.MAX_ANSWER_BYTES + 1)


def loaded_modules() -> list[str]:
    return sorted(sys.modules)
