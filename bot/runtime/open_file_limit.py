"""The limit of open files and sockets."""

import contextlib

import structlog

log = structlog.get_logger(__name__)

FILES_PER_JOB = 4  # most files and sockets of one job: a download, an upload, an event stream, a file on disk
OTHER_FILES = 500  # of the store, Telegram, the web app and the process itself


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
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS refuses a hard limit that it calls unlimited.
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    needed = jobs * FILES_PER_JOB + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        log.warning(
            "app.few_open_files", limit=soft, needed=needed, hint="raise ulimit -n, or lower WORKER_JOBS"
        )
    return soft
