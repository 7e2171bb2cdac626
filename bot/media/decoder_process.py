"""Media is opened in a process of its own: what strangers send may crash a decoder, or keep it busy for ever.

One small server process has the decoders loaded, holds no secret, and forks itself for each piece of work. Such a child
has bounds that the kernel keeps (memory, processor time, time by the clock, bytes written), sees one file, and answers
with plain data. It ends when whoever waits for it goes away, by whatever cause.

    facts = await run(work, "/path/of/a/file", bounds=Bounds(wall_s=30, cpu_s=30))
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from weakref import WeakKeyDictionary

MEMORY_BYTES = 2 * 1024**3
"""Of addresses, not all of which are used; the largest picture that is decoded has frames of 53 MB."""

MAX_ANSWER_BYTES = 8_000_000

AT_ONCE = 2 * (os.cpu_count() or 1)
"""Pieces of work that run side by side; more of them would only be slower, and take more memory together."""

_GRACE_S = 10.0
# Nothing else of the environment, which holds the bot's secrets.
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# The libraries too, which the modules import only where they use them: once for all children, and before their bounds.
_PRELOADED = (
    "av",
    "av.audio.resampler",
    "PIL.ImageFilter",
    "PIL.ImageStat",
    "bot.media.cover",
    "bot.media.audio_conversion",
)
_REQUEST_BYTES = 65_536


class NotDecoded(Exception):
    """The work failed, crashed, or went beyond its bounds."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a piece of work may take.

    Args:
        wall_s: Seconds by the clock.
        cpu_s: Seconds of a processor.
        written_bytes: The largest file it may write.
    """

    wall_s: float
    cpu_s: int
    written_bytes: int = 0


async def run(work: Callable[..., Any], *args: Any, bounds: Bounds, files: Sequence[IO[bytes]] = ()) -> Any:
    """Do a piece of work in a process of its own. Cancelling it ends that process.

    Args:
        work: A function of a module; gets the numbers of the files, then ``args``, and returns what JSON can hold.
        args: What JSON can hold.
        bounds: What it may take.
        files: Open ones. Their places are shared with the other process.

    Raises:
        NotDecoded: There is no result, whatever the cause.
    """
    async with _places():
        return await _run(work, args, bounds, files)


async def _run(
    work: Callable[..., Any], args: Sequence[Any], bounds: Bounds, files: Sequence[IO[bytes]]
) -> Any:
    name = f"{work.__module__}:{work.__qualname__}"
    request = json.dumps({"work": name, "args": args, "bounds": asdict(bounds)}).encode() + b"\n"
    own, theirs = socket.socketpair()
    with own:
        try:
            with theirs:
                _server.hand_over(theirs)
            if files:
                socket.send_fds(own, [request], [file.fileno() for file in files])
            else:
                own.sendall(request)
            own.setblocking(False)
            async with asyncio.timeout(bounds.wall_s + _GRACE_S):
                answer = await _received(own)
        except TimeoutError:
            _server.close()  # The kernel would have ended the child before: not even the server moves.
            answer = b""
        except OSError:
            answer = b""
    if not answer.endswith(b"\n"):
        _tell_of_death(name)
        raise NotDecoded("the decoder crashed, or was beyond its bounds")
    told = json.loads(answer)
    if "failed" in told:
        raise NotDecoded(told["failed"])
    return told["result"]


def _tell_of_death(work: str) -> None:
    # The other process loads this module as well. Without these two it is there in half the time.
    import structlog

    from bot.runtime import metrics

    metrics.DECODERS_DIED.inc()
    structlog.get_logger(__name__).warning("decoding.died", work=work)


def _places() -> asyncio.Semaphore:
    # One a loop: a semaphore on which somebody waited belongs to that loop.
    return _places_of.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))


async def _received(own: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    answer = b""
    while len(answer) <= MAX_ANSWER_BYTES:
        chunk = await loop.sock_recv(own, _REQUEST_BYTES)
        if not chunk:
            return answer
        answer += chunk
    return b""


def start() -> None:
    """Have the decoders loaded before they are needed, which takes over half a second; it waits for nothing."""
    with contextlib.suppress(OSError):  # The first piece of work tries again.
        _server.start()


class _Server:
    """The process that forks; started when it is first needed, and again when it is gone."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start it unless it was started."""
        if self._control is None:
            self._start()

    def hand_over(self, connection: socket.socket) -> None:
        """Let a new child serve a connection."""
        for _ in range(2):
            control = self._control or self._start()
            try:
                socket.send_fds(control, [b"+"], [connection.fileno()])
            except OSError:
                self.close()
            else:
                return

    def close(self) -> None:
        """End it. Children end with their connections."""
        if self._process is None or self._control is None:
            return
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._process = self._control = None

    def _start(self) -> socket.socket:
        own, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                # -B: a module that is compiled within the bounds would be kept cut off, for everybody.
                [sys.executable, "-P", "-B", "-m", __name__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                # Else each thread of a decoder would reserve 64 MB and more of the addresses that are counted.
                env={**environment, "MALLOC_ARENA_MAX": "2"},
            )
        self._control = own
        return own


_places_of: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_server = _Server()
atexit.register(_server.close)


def serve(control: socket.socket) -> None:
    """Fork for each connection that is handed over, until nobody is there to hand over more."""
    for module in _PRELOADED:
        importlib.import_module(module)
    # A worker that is asked to stop finishes its jobs, with pictures. It is the closed connection that ends all here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody asks how they ended.
    while True:
        said, numbers, _, _ = socket.recv_fds(control, 1, 1)
        if not said:
            return
        if os.fork() == 0:
            control.close()
            try:
                _work(socket.socket(fileno=numbers[0]))
            finally:
                os._exit(0)
        for number in numbers:
            os.close(number)


def _work(connection: socket.socket) -> None:
    request, numbers = _request(connection)
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    _bind(Bounds(**request["bounds"]))
    module, _, function = request["work"].partition(":")
    told: dict[str, Any]
    try:
        work = getattr(importlib.import_module(module), function)
        told = {"result": work(*numbers, *request["args"])}
    except Exception as error:
        told = {"failed": f"{type(error).__name__}: {error}"[:500]}
    connection.sendall(json.dumps(told).encode() + b"\n")


def _request(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    request, numbers, _, _ = socket.recv_fds(connection, _REQUEST_BYTES, 4)
    while request and not request.endswith(b"\n"):
        request += connection.recv(_REQUEST_BYTES)
    return json.loads(request), numbers


def _end_with(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)
    os._exit(1)


def _bind(bounds: Bounds) -> None:
    with contextlib.suppress(OSError):  # Of Linux: where memory is short, this goes before the worker does.
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_s, bounds.cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (bounds.written_bytes, bounds.written_bytes))
    with contextlib.suppress(OSError, ValueError):  # macOS has no such bound.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Not handled on purpose: the kernel ends the process, in whatever loop it is.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, bounds.wall_s)


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as received:
        serve(received)
