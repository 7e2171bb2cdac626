"""Private files and directories, and file locks that end with their process."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.store.errors import StoreError, UnsafeFile

OWNER_ONLY_DIR = 0o700
OWNER_ONLY_FILE = 0o600

LOCK_POLL_S = 0.002  # flock has no timeout


def ensure_private_directory(path: Path) -> Path:
    """Ensure a directory that only this user can access.

    Args:
        path: The directory; created with its parents if missing, restricted if others have access.

    Returns:
        The resolved path.

    Raises:
        UnsafeFile: It can't be created or written, is not a directory, or belongs to another user.
    """
    try:
        path.mkdir(mode=OWNER_ONLY_DIR, parents=True, exist_ok=True)
        status = path.lstat()  # does not follow a symlink, which somebody else may have put there
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise UnsafeFile(f"{path} is not a directory of this user: move it away, or choose another one")
        if stat.S_IMODE(status.st_mode) != OWNER_ONLY_DIR:
            path.chmod(OWNER_ONLY_DIR)
    except OSError as error:
        raise UnsafeFile(f"{path} can't be used: {error.strerror}") from error
    return path.resolve()


def open_private_file(path: Path) -> int:
    """Open a file that only its owner can access; create it if missing.

    Args:
        path: The file, in an existing directory.

    Returns:
        A file descriptor for reading and writing, not inherited by child processes.

    Raises:
        UnsafeFile: It can't be opened, or belongs to another user.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY_FILE)
    except OSError as error:
        raise UnsafeFile(f"{path} can't be opened: {error.strerror}") from error
    if os.fstat(fd).st_uid != os.getuid():
        os.close(fd)
        raise UnsafeFile(f"{path} belongs to another user")
    return fd


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; return whether that succeeded.

    Args:
        fd: The open file. The lock lasts until all copies of the descriptor are closed, also in child processes.
        shared: Whether others may share the lock.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path, timeout_s: float) -> Iterator[int]:
    """Hold a file's exclusive lock inside the block.

    Args:
        path: The file; created if missing.
        timeout_s: How long to wait for another holder, in seconds.

    Yields:
        The open file's descriptor.

    Raises:
        UnsafeFile: The file can't be opened, or belongs to another user.
        StoreError: It stayed locked.
    """
    fd = open_private_file(path)
    try:
        deadline_s = time.monotonic() + timeout_s
        while not try_lock(fd):
            if time.monotonic() > deadline_s:
                raise StoreError(f"{path} has been locked by another process for {timeout_s:.0f} s")
            time.sleep(LOCK_POLL_S)
        yield fd
    finally:
        os.close(fd)
