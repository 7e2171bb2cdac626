"""Files and directories that are ours alone, and locks on them that end with their process."""

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

LOCK_POLL_S = 0.002  # flock has no timeout of its own


def own_directory(path: Path) -> Path:
    """Make sure of a directory that nobody else can look into.

    Args:
        path: Made when missing, with its parents; rights that are too wide are taken away.

    Returns:
        The path, resolved.

    Raises:
        UnsafeFile: It can't be made or written, is no directory, or belongs to somebody else.
    """
    try:
        path.mkdir(mode=OWNER_ONLY_DIR, parents=True, exist_ok=True)
        status = path.lstat()  # a link that somebody else put there is none of ours, whatever it leads to
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise UnsafeFile(f"{path} is not a directory of this user: move it away, or choose another place")
        if stat.S_IMODE(status.st_mode) != OWNER_ONLY_DIR:
            path.chmod(OWNER_ONLY_DIR)
    except OSError as error:
        raise UnsafeFile(f"{path} can't be used: {error.strerror}") from error
    return path.resolve()


def open_own_file(path: Path) -> int:
    """Open a file that only its owner reads, made when missing.

    Args:
        path: The file; its directory has to be there.

    Returns:
        A file descriptor for reading and writing, not inherited by children.

    Raises:
        UnsafeFile: It can't be opened, or belongs to somebody else.
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
    """Lock an open file if that is possible at once.

    Args:
        fd: The open file. The lock lives until every copy of it is closed, in children too.
        shared: Together with others who share it, or alone.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(path: Path, timeout_s: float) -> Iterator[int]:
    """Hold a file's lock, alone, for the length of the block.

    Args:
        path: The file; made when missing.
        timeout_s: How long to wait for whoever holds it.

    Yields:
        The open file's descriptor.

    Raises:
        UnsafeFile: The file can't be opened, or belongs to somebody else.
        StoreError: It stayed locked.
    """
    fd = open_own_file(path)
    try:
        deadline_s = time.monotonic() + timeout_s
        while not try_lock(fd):
            if time.monotonic() > deadline_s:
                raise StoreError(f"{path} has been locked by another process for {timeout_s:.0f} s")
            time.sleep(LOCK_POLL_S)
        yield fd
    finally:
        os.close(fd)
