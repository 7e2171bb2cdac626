"""Run media decoders in a process of their own: files of strangers may crash a decoder or keep it busy forever.

One small fork server has the decoders loaded, holds no secret, and forks once for each piece of work. The child has
bounds that the kernel enforces (memory, CPU time, wall time, bytes written), gets files handed over open, and answers
in JSON. It can reach nothing else (see `decoder_isolation`): its modules are loaded first, and no path means anything
to it. It ends with all that it may have started when the process that waits for it goes away, for whatever reason.

    facts = await run(work, bounds=Bounds(wall_s=30, cpu_s=30), files=[file])

Not ``multiprocessing``'s forkserver, nor pebble on top of it: its server inherits the environment and with it the bot's
token, each child imports the bot's main script again (35 ms for a piece of work instead of 7, on Python 3.11), its
resource tracker is one more process of 12 MB, and answers are pickles, with which a decoder taken over by a file could
take over the bot. The bounds, and the end with a killed bot, would have to be written here all the same.
"""

import asyncio
import atexit
import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from weakref import WeakKeyDictionary

from bot.media import decoder_isolation
from bot.runtime.process import hide_memory

MEMORY_BYTES = 2 * 1024**3
"""Address space of a child, not all of which is used; the largest picture that is decoded has frames of 53 MB."""

MAX_ANSWER_BYTES = 8_000_000

MAX_CONCURRENT = 2 * (os.cpu_count() or 1)
"""Pieces of work that run side by side; more would only be slower and take more memory."""

_GRACE_S = 30.0  # for the server to load on a busy machine; only one that hangs takes longer
# The rest of the environment holds the bot's secrets.
_KEPT_VARIABLES = ("PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# With the libraries that these modules import only where they use them: once for all children, and without bounds. A
# child can't load anything any more.
_PRELOADED = (
    "av", "av.audio.resampler", "av.subtitles.codeccontext", "av.subtitles.stream", "av.subtitles.subtitle",
    "PIL.ImageFilter", "PIL.ImageOps", "PIL.ImageStat",
    # What Pillow itself loads before it opens or saves anything.
    "PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.PpmImagePlugin",
    "PIL.AvifImagePlugin", "PIL.Jpeg2KImagePlugin", "PIL.TiffImagePlugin", "PIL.WebPImagePlugin", "pillow_heif",
    "bot.media.cover", "bot.media.audio_conversion", "bot.media.clip_look", "bot.media.shrink", "bot.media.conversion",
    "bot.media.side_by_side", "bot.media.video_conversion", "bot.media.extracts",
)  # fmt: skip
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
        work: A module's function; gets the files' descriptors, then ``args``, and returns what JSON can hold. What it
            imports when it runs has to be among ``_PRELOADED``.
        args: Arguments that JSON can hold.
        bounds: What the work may use.
        files: Open files to read or write, at most four. Their positions are shared with the child.

    Raises:
        NotDecoded: There is no result, for whatever reason.
    """
    # One semaphore for each loop: asyncio's belongs to the loop in which it was first awaited.
    loop = asyncio.get_running_loop()
    async with _semaphores.setdefault(loop, asyncio.Semaphore(MAX_CONCURRENT)):
        return await _run(work, args, bounds, files)


def start() -> None:
    """Start to load the decoders, which takes over half a second, before they are needed. Does not wait for them."""
    with contextlib.suppress(OSError):  # The first piece of work tries again.
        _server.start()


async def active_isolation() -> str:
    """Return what isolates decoders, as the kernel here offers it; ``decoder_isolation.NOTHING`` if nothing does.

    Raises:
        NotDecoded: No decoder can be started.
    """
    return str(await run(decoder_isolation.active_mechanisms, bounds=Bounds(wall_s=30, cpu_s=10)))


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
            _server.close()  # The kernel ends a child before that: the server itself hangs, and takes all with it.
        except OSError:
            pass
    if not answer.endswith(b"\n"):
        _report_death(name)
        raise NotDecoded("the decoder crashed or exceeded its bounds")
    try:
        outcome = json.loads(answer)
        _log_isolation(str(outcome["isolation"]))
        if "error" in outcome:
            raise NotDecoded(str(outcome["error"]))
        return outcome["result"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotDecoded("the decoder's answer can't be read") from error


async def _receive(connection: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    answer = b""
    while len(answer) <= MAX_ANSWER_BYTES:
        chunk = await loop.sock_recv(connection, _CHUNK_BYTES)
        if not chunk:
            return answer
        answer += chunk
    return b""


_logged_isolation = ""


def _log_isolation(mechanisms: str) -> None:
    """Log how decoders are isolated when that is first known; as a warning if they are not."""
    global _logged_isolation
    if mechanisms == _logged_isolation:
        return
    _logged_isolation = mechanisms
    import structlog

    log = structlog.get_logger(__name__)
    (log.warning if mechanisms == decoder_isolation.NOTHING else log.info)(
        "decoding.isolation", mechanisms=mechanisms[:100]
    )


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
        """Start a child that serves a connection."""
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
    importlib.import_module("PIL.Image").preinit()  # Else the first picture would look for its type's module.
    gc.freeze()  # Else a collection in a child would write to each page that it shares with the server, and copy it.
    with contextlib.suppress(OSError):
        # Linux only: when memory runs out, children are killed before the bot.
        Path("/proc/self/oom_score_adj").write_text("1000")
    hide_memory()
    # A worker that is asked to stop finishes its jobs, with covers. Only the closed connection ends all this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ended, wakeup = socket.socketpair()
    wakeup.setblocking(False)
    signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Each child's connection stays open here too, to learn when the bot hangs up.
    children: dict[int, socket.socket] = {}
    while True:
        ready = _wait((control, ended), children)
        if ended.fileno() in ready:
            ended.recv(_CHUNK_BYTES)
            _reap(children)
        for pid, connection in children.items():
            if connection.fileno() in ready:
                _kill_group(pid)
        if control.fileno() in ready:
            message, fds, _, _ = socket.recv_fds(control, 1, 1)
            if not message:
                break
            connection = socket.socket(fileno=fds[0])
            pid, server = 0, os.getpid()
            if (pid := os.fork()) == 0:
                try:
                    _serve_one(connection, server)
                finally:
                    os._exit(0)
            with contextlib.suppress(OSError):
                os.setpgid(pid, pid)  # As the child does: whoever is first.
            children[pid] = connection
    for pid in children:
        _kill_group(pid)


def _wait(sockets: Sequence[socket.socket], children: dict[int, socket.socket]) -> set[int]:
    """Wait for data on a socket, the end of a child, or the end of a child's connection; return the descriptors."""
    poll = select.poll()
    for one in sockets:
        poll.register(one, select.POLLIN)
    for connection in children.values():
        poll.register(connection, 0)  # An end is reported in any case.
    return {fd for fd, _ in poll.poll()}


def _reap(children: dict[int, socket.socket]) -> None:
    """Reap children that have ended, and kill their process groups."""
    for pid in list(children):
        if os.waitpid(pid, os.WNOHANG)[0]:
            _kill_group(pid)
            children.pop(pid).close()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _serve_one(connection: socket.socket, server: int) -> None:
    """Do one piece of work, in a child with nothing but its connection and its files."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    decoder_isolation.end_with_parent(server)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(0, 2)  # What a decoder writes there could be anything, escape sequences included.
    os.closerange(3, connection.fileno())
    os.closerange(connection.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    message, fds, _, _ = socket.recv_fds(connection, _CHUNK_BYTES, _MAX_FILES)
    while message and not message.endswith(b"\n"):
        message += connection.recv(_CHUNK_BYTES)
    request = json.loads(message)
    module, _, function = request["work"].partition(":")
    outcome: dict[str, Any]
    try:
        work = getattr(importlib.import_module(module), function)
        _apply(Bounds(**request["bounds"]))
        decoder_isolation.isolate()
        outcome = {"result": work(*fds, *request["args"])}
    except Exception as error:
        outcome = {"error": f"{type(error).__name__}: {error}"[:500]}
    answer = json.dumps({**outcome, "isolation": decoder_isolation.active_mechanisms()}).encode() + b"\n"
    while answer:
        answer = answer[os.write(connection.fileno(), answer) :]  # seccomp allows no socket calls any more.


def _apply(bounds: Bounds) -> None:
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
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)  # No child may hold the server's own connection.
        os.close(nothing)
        _serve(received)
