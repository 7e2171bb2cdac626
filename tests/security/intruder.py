"""What code in a taken-over decoder would try; found by module and name, like all work of the decoder process."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PTRACE_ATTACH = 16


def _fails(attempt: Callable[[], Any]) -> bool:
    try:
        return bool(attempt() == -1)
    except OSError:
        return True


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _syscall(number: int, *arguments: int) -> int:
    return int(ctypes.CDLL(None).syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)))


def attempts(bot: int, port: int, directory: str) -> list[str]:
    """Return what could be done: with the bot's process, a listening port, a directory that holds a file."""
    target = Path(directory)
    tried: dict[str, Callable[[], Any]] = {
        "read a file": (target / "secret").read_text,
        "read the bot's environment": Path(f"/proc/{bot}/environ").read_bytes,
        "list files": lambda: os.listdir(directory),
        "make a file": (target / "new").touch,
        "make a directory": (target / "new").mkdir,
        "remove a file": (target / "secret").unlink,
        "make a link": lambda: os.symlink("/", target / "new"),
        "change a mode": lambda: (target / "secret").chmod(0o777),
        "connect": lambda: socket.create_connection(("127.0.0.1", port), 5),
        "make a Unix socket": lambda: socket.socket(socket.AF_UNIX),
        "make a pair of sockets": socket.socketpair,
        "run a program": lambda: subprocess.run(["/bin/true"], check=True),
        "fork": _fork,
        "signal the bot": lambda: os.kill(bot, 0),
        "signal by a descriptor": lambda: signal.pidfd_send_signal(os.pidfd_open(bot), signal.SIGURG),
        "make a file in memory": lambda: os.memfd_create("new"),
    }
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        tried |= {
            "trace the bot": lambda: _syscall(101, _PTRACE_ATTACH, bot, 0, 0),
            "read the bot's memory": lambda: _syscall(310, bot, 0, 0, 0, 0, 0),
            "use the 32-bit table": lambda: _syscall(0x40000000 + 39),
            "set up a ring": lambda: _syscall(425, 1, 0),
        }
    return [name for name, attempt in tried.items() if not _fails(attempt)]


def open_descriptors() -> list[int]:
    found = []
    for fd in range(3, 1024):
        try:
            os.fstat(fd)
        except OSError:
            continue
        found.append(fd)
    return found


def use_threads(source: int, target: int) -> str:
    """Do what decoders may: start a thread, read what was handed over, write to what was handed over."""
    read: list[bytes] = []
    thread = threading.Thread(target=lambda: read.append(os.read(source, 100)))
    thread.start()
    thread.join()
    os.ftruncate(target, 0)
    os.write(target, read[0].upper())
    return read[0].decode()


def leave_a_grandchild(pid_file: int, *, and_stay: bool) -> None:
    """Fork; the grandchild ignores every signal it can, and the child its alarm."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    if (pid := os.fork()) == 0:
        while True:
            time.sleep(100)
    os.write(pid_file, f"{os.getpid()} {pid}".encode())
    while and_stay:
        time.sleep(100)


def answer_deeply() -> Any:
    """Return an answer that JSON's reader can't take."""
    os.write(_connection(), b'{"isolation": "", "result": ' + b"[" * 200_000 + b"]" * 200_000 + b"}\n")
    os._exit(0)


def _connection() -> int:
    return open_descriptors()[0]
