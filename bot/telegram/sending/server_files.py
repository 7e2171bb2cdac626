"""Files of an own Bot API server that can't be read: what is wrong with the directory, and telling the operator."""

import errno
import os
from pathlib import Path

import structlog

from bot.jobs.messages import LocalizedMessage, Param
from bot.jobs.queue.operator_alerts import SendAlert
from bot.store.errors import UnsafeFile

log = structlog.get_logger(__name__)


def directory_problem(directory: Path) -> tuple[str, str] | None:
    """Return what is wrong with the server's directory and what to do about it, or ``None``.

    Args:
        directory: The server's directory, as the bot sees it.
    """
    if not directory.is_dir():
        return (
            f"{directory} is not there",
            "Mount the Bot API server's directory here, or set TELEGRAM_FILES_DIR to where it is",
        )
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return (
            f"{directory} can't be read and written",
            "Run bot and Bot API server as one user, or in one group that may write there",
        )
    return None


class UnreadableFiles:
    """Reports a file of the server that can't be opened: in the log, and to the bot's admins now and then.

    Args:
        send_alert: Sends them an alert, once for each name.
        server_dir: The server's directory, as the bot sees it.
    """

    def __init__(self, send_alert: SendAlert, server_dir: Path) -> None:
        self._send_alert = send_alert
        self._server_dir = server_dir

    async def report(self, error: OSError | UnsafeFile) -> None:
        """Report that a file could not be opened."""
        # Without the path, which holds the bot's token: so an OSError's own text won't do.
        reason = str(error)
        if isinstance(error, OSError):
            reason = errno.errorcode.get(error.errno or 0, "unknown")
        found, advice = directory_problem(self._server_dir) or (
            f"{self._server_dir} can be read, and the file in it can't",
            "Run bot and Bot API server as one user, and mount its directory under the same path in both",
        )
        log.error("downloads.unreadable", errno=reason, check=found, advice=advice)
        params: dict[str, Param] = {"reason": f"{reason}: {found}", "advice": advice}
        await self._send_alert("files_unreadable", LocalizedMessage("admin.files_unreadable", params))
