"""What a process is and asks of the system: role, garbage collection, open files, hidden memory."""

import contextlib
import ctypes
import gc
import sys
from enum import StrEnum

YOUNG_THRESHOLD = 50_000
"""New objects that trigger a collection of the youngest generation; Python's default is 700."""

OLDER_THRESHOLDS = (4, 1)  # collections of one generation that trigger one of the next older generation

FILES_PER_JOB = 4  # most files and sockets of one job: a download, an upload, an event stream, a file on disk
OTHER_FILES = 500  # of the store, Telegram, the web app and the process itself

_PR_SET_DUMPABLE = 4  # linux/prctl.h


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    INTAKE = "intake"  # receives updates and stores jobs
    WORKER = "worker"  # runs jobs


def collect_rarely() -> None:
    """Keep garbage collections from blocking the loop. Call it when all is loaded: what exists then is never scanned.

    With 5000 event streams open, of nearly a hundred objects each, a full collection takes 0.6 s and one of the new
    objects up to 0.1 s: one event in a hundred came 0.7 s late, and 1 ms with these thresholds. Uncollected garbage is
    bounded by the objects made between two full collections, half a million. Portions of 2,000 objects, for shorter
    collections, made the slowest of a hundred first signs no earlier.
    """
    gc.freeze()
    gc.set_threshold(YOUNG_THRESHOLD, *OLDER_THRESHOLDS)


def raise_open_files(jobs: int) -> int | None:
    """Raise the soft limit of open files to the hard one, which needs no privileges.

    Args:
        jobs: How many jobs this process runs at once; a warning is logged if the limit is too low for them.

    Returns:
        The limit, or ``None`` on a system without one.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    import structlog  # here: decoders hide their memory too, and start in half the time without it

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS refuses a hard limit that it calls unlimited.
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    needed = jobs * FILES_PER_JOB + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        structlog.get_logger(__name__).warning(
            "app.few_open_files", limit=soft, needed=needed, hint="raise ulimit -n, or lower WORKER_JOBS"
        )
    return soft


def hide_memory() -> bool:
    """Make root the owner of ``/proc/<pid>/environ``, ``mem`` and ``fd`` of this process, and refuse debuggers.

    Programs that it starts don't inherit this; forks do.

    Returns:
        Whether that is in force; Linux only.
    """
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
