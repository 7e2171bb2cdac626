"""How many files and sockets this process may have open."""

from __future__ import annotations

import contextlib

import structlog

log = structlog.get_logger(__name__)

PER_JOB = 4
"""At most open for one job: a file's download, its upload, an event stream, a file on disk."""

BESIDE_JOBS = 500
"""For the store, Telegram, the web app and the process itself."""


def raise_open_files(jobs: int) -> int | None:
    """Raise the soft limit of open files to the hard one, which needs no rights.

    Args:
        jobs: That this process runs at once; a line is logged when the limit does not suffice for them.

    Returns:
        The limit; ``None`` where there is none to set.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS refuses what it calls unlimited.
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    needed = jobs * PER_JOB + BESIDE_JOBS
    if soft != resource.RLIM_INFINITY and soft < needed:
        log.warning(
            "app.few_open_files", limit=soft, needed=needed, hint="raise ulimit -n, or lower WORKER_JOBS"
        )
    return soft
