"""Run media decoders in a process of their own: files of strangers may crash a decoder or keep it busy forever.

One small fork server has the decoders loaded, holds no secret, and forks once for each piece of work. The child has
bounds that the kernel enforces (memory, CPU time, wall time, bytes written), gets one file, and answers in JSON. It
ends when the process that waits for it goes away, for whatever reason.

    facts = await run(work, "/path/of/a/file", bounds=Bounds(wall_s=30, cpu_s=30))

Not ``multiprocessing``'s forkserver, nor pebble on top of it: its server inherits the environment and with it the bot's
token, each child imports the bot's main script again (35 ms for a piece of work instead of 7, on Python 3.11), its
resource tracker is one more process of 12 MB, and answers are pickles, with which a decoder taken over by a file could
take over the bot. The bounds, and the end with a killed bot, would have to be written here all the same.
"""

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
"""Address space of a child, not all of which is used; the largest picture that is decoded has frames of 53 MB."""

MAX_ANSWER_BYTES = 8_000_000

MAX_CONCURRENT = 2 * (os.cpu_count() or 1)
"""Pieces of work that run side by side; more would only be slower and take more memory."""

_GRACE_S = 10.0
# The rest of the environment holds the bot's secrets.
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# With the libraries that these modules import only where they use them: once for all children, and without bounds.
_PRELOADED = (
    "av",
    "av.audio.resampler",
    "PIL.ImageFilter",
    "PIL.ImageStat",
    "bot.media.cover",
    "bot.media.audio_conversion",
    "bot.media.shrink",
)
_CHUNK_BYTES = 65_536
_MAX_FILES = 4


class NotDecoded(Exception):
    """The work failed, crashed, or exceeded its bounds."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a piece of work may use."""

    wall_s: float  # wall time, in seconds
    cpu_s: int  # CPU time, in seconds
    written_bytes: int = 0  # size of the largest file it may write, in bytes


async def run(work: Callable[..., Any], *args: Any, bounds: Bounds, files: Sequence[IO[bytes]] = ()) -> Any:
    """Run a piece of work in a child process. Cancelling ends that process.

    Args:
        work: A module's function; gets the files' descriptors, then ``args``, and returns what JSON can hold.
        args: Arguments that JSON can hold.
        bounds: What the work may use.
        files: Open files, at most four. Their positions are shared with the child.

    Raises:
        NotDecoded: There is no result, for whatever reason.
    """
    # One semaphore for each loop: asyncio's belongs to the loop in which somebody first waited for it.
    loop = asyncio.get_running_loop()
    async with _semaphores.setdefault(loop, asyncio.Semaphore(MAX_CONCURRENT)):
        return await _run(work, args, bounds, files)


def start() -> None:
    """Start to load the decoders, which takes over half a second, before they are needed. Does not wait for them."""
    with contextlib.suppress(OSError):  # The first piece of work tries again.
        _server.start()


async def _run(
    work: Callable[..., Any], args: Sequence[Any], bounds: Bounds, files: Sequence[IO[bytes]]
) -> Any:
    name = f"{work.__module__}:{work.__qualname__}"
    request = json.dumps({"work": name, "args": args, "bounds": asdict(bounds)}).encode() + b"\n"
    ours, childs = socket.socketpair()
    answer = b""
    with ours:
        try:
            with childs:
                _server.fork(childs)
            if files:
                socket.send_fds(ours, [request], [file.fileno() for file in files])
            else:
                ours.sendall(request)
            ours.setblocking(False)
            async with asyncio.timeout(bounds.wall_s + _GRACE_S):
                answer = await _receive(ours)
        except TimeoutError:
            _server.close()  # The kernel ends a child before that: the server itself hangs.
        except OSError:
            pass
    if not answer.endswith(b"\n"):
        _report_death(name)
        raise NotDecoded("the decoder crashed or exceeded its bounds")
    outcome = json.loads(answer)
    if "error" in outcome:
        raise NotDecoded(outcome["error"])
    return outcome["result"]


async def _receive(connection: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    answer = b""
    while len(answer) <= MAX_ANSWER_BYTES:
        chunk = await loop.sock_recv(connection, _CHUNK_BYTES)
        if not chunk:
            return answer
        answer += chunk
    return b""


def _report_death(work: str) -> None:
    # The server imports this module as well, and starts in half the time without these two.
    import structlog

    from bot.runtime import metrics

    metrics.DECODERS_DIED.inc()
    structlog.get_logger(__name__).warning("decoding.died", work=work)


class _ForkServer:
    """The process that forks; started when it is first needed, and again when it is gone."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> socket.socket:
        """Start the server unless it runs; returns the socket that controls it."""
        if self._control is not None:
            return self._control
        ours, servers = socket.socketpair()
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        with servers:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                # -B: a module compiled within a child's bounds could be written half, for everybody.
                [sys.executable, "-P", "-B", "-m", __name__],
                stdin=servers.fileno(),
                stdout=subprocess.DEVNULL,
                # Else each thread of a decoder would reserve 64 MB and more of the bounded address space.
                env={**environment, "MALLOC_ARENA_MAX": "2"},
            )
        atexit.register(self.close)
        self._control = ours
        return ours

    def fork(self, connection: socket.socket) -> None:
        """Let a new child serve a connection."""
        for _ in range(2):
            try:
                socket.send_fds(self.start(), [b"+"], [connection.fileno()])
            except OSError:
                self.close()
            else:
                return

    def close(self) -> None:
        """Kill the server. Children end with their connections."""
        if self._process is None or self._control is None:
            return
        atexit.unregister(self.close)
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._process = self._control = None


_semaphores: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_server = _ForkServer()

# In the server and its children ---------------------------------------------------------------------------


def _serve(control: socket.socket) -> None:
    """Fork for each connection that arrives, until the bot is gone."""
    for module in _PRELOADED:
        importlib.import_module(module)
    # A worker that is asked to stop finishes its jobs, with covers. Only the closed connection ends all this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for children: leave no zombies.
    while True:
        message, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        if os.fork() == 0:
            control.close()
            try:
                _work(socket.socket(fileno=fds[0]))
            finally:
                os._exit(0)
        for fd in fds:
            os.close(fd)


def _work(connection: socket.socket) -> None:
    message, fds, _, _ = socket.recv_fds(connection, _CHUNK_BYTES, _MAX_FILES)
    while message and not message.endswith(b"\n"):
        message += connection.recv(_CHUNK_BYTES)
    request = json.loads(message)
    threading.Thread(target=_exit_when_closed, args=(connection,), daemon=True).start()
    _apply(Bounds(**request["bounds"]))
    module, _, function = request["work"].partition(":")
    outcome: dict[str, Any]
    try:
        work = getattr(importlib.import_module(module), function)
        outcome = {"result": work(*fds, *request["args"])}
    except Exception as error:
        outcome = {"error": f"{type(error).__name__}: {error}"[:500]}
    connection.sendall(json.dumps(outcome).encode() + b"\n")


def _exit_when_closed(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)
    os._exit(1)


def _apply(bounds: Bounds) -> None:
    with contextlib.suppress(OSError):
        # Linux only: when memory runs out, this process is killed before the bot.
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_s, bounds.cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (bounds.written_bytes, bounds.written_bytes))
    with contextlib.suppress(OSError, ValueError):  # macOS has no such limit.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Not handled on purpose: the kernel ends the process, whatever loop it is in.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, bounds.wall_s)


if __name__ == "__main__":
    with socket.socket(fileno=os.dup(0)) as received:
        _serve(received)
