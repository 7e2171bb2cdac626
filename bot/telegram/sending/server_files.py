"""Files of an own Bot API server that can't be read: what is wrong with the directory, and telling the operator."""

import errno
import os
from collections.abc import Collection
from pathlib import Path

import structlog
from redis.asyncio import Redis
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.store import keys
from bot.store.errors import UnsafeFile
from bot.telegram.sending.bot import TelegramBot
from bot.words import Words
from bot.words.texts import DEFAULT_LANGUAGE

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
        bot: The bot that tells them.
        redis: The store, so that one of all processes does.
        admins: Their ids in Telegram.
        server_dir: The server's directory, as the bot sees it.
    """

    def __init__(self, bot: TelegramBot, redis: Redis, admins: Collection[int], server_dir: Path) -> None:
        self._bot = bot
        self._redis = redis
        self._admins = admins
        self._server_dir = server_dir

    async def report(self, error: OSError | UnsafeFile) -> None:
        """Report that a file could not be opened. Never fails because of Telegram."""
        # Without the path, which holds the bot's token: so an OSError's own text won't do.
        reason = str(error)
        if isinstance(error, OSError):
            reason = errno.errorcode.get(error.errno or 0, "unknown")
        found, advice = directory_problem(self._server_dir) or (
            f"{self._server_dir} can be read, and the file in it can't",
            "Run bot and Bot API server as one user, and mount its directory under the same path in both",
        )
        log.error("downloads.unreadable", errno=reason, check=found, advice=advice)
        if not await self._redis.set(keys.UNREADABLE_TOLD, 1, nx=True, ex=keys.UNREADABLE_TOLD_TTL_S):
            return
        text = Words(DEFAULT_LANGUAGE).text(
            "admin.files_unreadable", reason=f"{reason}: {found}", advice=advice
        )
        for admin in self._admins:
            try:
                await self._bot.send_message(admin, text, parse_mode=ParseMode.HTML)
            except TelegramError as refused:
                log.warning("downloads.admin_not_told", error=refused.message)
