"""The directory of finished videos: a job's file in it, and deleting what is no longer needed."""

import re
import stat
from contextlib import suppress
from pathlib import Path

from bot.store.files import ensure_data_directory, ensure_private_directory

LEFTOVER_AGE_S = 86_400
"""Results older than this were left by a process that died; nothing needs them any more."""

# The finished file, its smaller version, and one that is being written (see jobs/steps/result_download.py).
_NAME = re.compile(r"nemovideo-[0-9a-f]{16}(-\d)?(-small)?(\.[0-9a-f]{32}\.part)?\.mp4")


def result_path(directory: Path, job_id: str, part: int = 0) -> Path:
    """Return where a job's result waits. A local Bot API server shows the file's name to the chat.

    Args:
        directory: The directory of all results.
        job_id: The job.
        part: The part of the job that it is the result of; 0 if the job has but one.
    """
    return directory / (f"nemovideo-{job_id}-{part}.mp4" if part else f"nemovideo-{job_id}.mp4")


def discard_results(directory: Path, job_id: str) -> None:
    """Delete all that is left of a job's results; idempotent."""
    for path in directory.glob(f"nemovideo-{job_id}*.mp4"):
        path.unlink(missing_ok=True)


def prepare_results(data_dir: Path, shared_dir: Path | None, now_s: float) -> None:
    """Make the directory of the results, and delete those that nothing needs any more.

    Args:
        data_dir: The bot's own directory, whose ``results`` are used unless there is a shared one.
        shared_dir: A directory that a local Bot API server reads too. It may hold files of others.
        now_s: The current time, in seconds since 1970.

    Raises:
        UnsafeFile: The bot's own directory can't be used, or belongs to another user.
    """
    if shared_dir is None:
        directory = ensure_private_directory(ensure_data_directory(data_dir) / "results")
    else:
        directory = shared_dir
        directory.mkdir(parents=True, exist_ok=True)
    for path in directory.iterdir():
        if _NAME.fullmatch(path.name):
            with suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_mtime < now_s - LEFTOVER_AGE_S:
                    path.unlink()
