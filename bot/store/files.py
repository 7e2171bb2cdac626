"""Private files and directories, and file locks that end with their process, or with the child that inherits them."""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from bot.store.errors import StoreError, UnsafeFile

OWNER_ONLY_DIR = 0o700
OWNER_ONLY_FILE = 0o600

# For the directories on the way to a file. Linux asks for no more than the right to enter them.
_WALK = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)

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
        status = path.lstat()  # does not follow a symlink, which another user may have put there
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise UnsafeFile(f"{path} is not a directory of this user: move it away, or choose another one")
        if stat.S_IMODE(status.st_mode) != OWNER_ONLY_DIR:
            path.chmod(OWNER_ONLY_DIR)
    except OSError as error:
        raise UnsafeFile(f"{path} can't be used: {error.strerror}") from error
    return path.resolve()


def ensure_data_directory(path: Path) -> Path:
    """Ensure a directory for everything that the bot keeps: this user's alone, or a container's volume.

    Args:
        path: The directory, or the operator's link to it; created with its parents if missing.

    Returns:
        The resolved path.

    Raises:
        UnsafeFile: It can't be created or written, is not a directory, or belongs to another user.
    """
    resolved = path.resolve()
    with suppress(OSError):
        status = resolved.stat()
        is_volume = status.st_uid == 0 != os.getuid() and os.access(resolved, os.W_OK | os.X_OK)
        if is_volume and stat.S_ISDIR(status.st_mode):
            return resolved  # Owned by root: files in it are checked one by one.
    return ensure_private_directory(resolved)


def open_beneath(directory: Path, path: Path) -> IO[bytes]:
    """Open a file for reading, without following any link below a directory.

    Args:
        directory: The directory, which may be a link itself.
        path: The file in it, by the directory's own path.

    Raises:
        UnsafeFile: It lies elsewhere, there is a link on the way, or it is not a regular file.
        OSError: It can't be opened.
    """
    home = next((one for one in (directory, directory.resolve()) if path.is_relative_to(one)), None)
    parts = path.relative_to(home).parts if home else ()
    if home is None or not parts or ".." in parts:
        raise UnsafeFile("the file lies elsewhere")
    fd = _open_without_links(home, parts)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnsafeFile("not a regular file")
    return os.fdopen(fd, "rb")


def _open_without_links(home: Path, parts: Sequence[str]) -> int:
    fd = os.open(home, _WALK)
    for position, part in enumerate(parts, start=1):
        # Else a FIFO would keep the bot waiting for a writer.
        flags = _WALK if position < len(parts) else os.O_RDONLY | os.O_NONBLOCK
        outer = fd
        try:
            fd = os.open(part, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=outer)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise UnsafeFile("there is a link on the way") from error
            raise
        finally:
            os.close(outer)
    return fd


def open_private_file(path: Path) -> int:
    """Open a file that only its owner can access; create it if missing.

    Args:
        path: The file, in an existing directory.

    Returns:
        A file descriptor for reading and writing, not inherited by child processes.

    Raises:
        UnsafeFile: It can't be opened, is a link, has a second name, is no regular file, or belongs to another user.
    """
    try:
        # Not waiting: opening a FIFO would.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(path, flags, OWNER_ONLY_FILE)
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise UnsafeFile(f"{path} can't be opened: {reason}") from error
    status = os.fstat(fd)
    if status.st_uid != os.getuid():
        problem = "belongs to another user"
    elif not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        problem = "is not a file of one name"
    else:
        return fd
    os.close(fd)
    raise UnsafeFile(f"{path} {problem}")


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
