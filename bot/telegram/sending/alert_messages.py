"""Alerts in the private chats of the bot's admins: their edits, and those sent while the store refuses writes.

Other alerts are sent by `bot.jobs.queue.operator_alerts`.
"""

import structlog
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.jobs.checkpoints import SentMessage
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import MessageLocation
from bot.telegram.sending.bot import TelegramBot
from bot.telegram.sending.formatting import format_message
from bot.telegram.sending.located_messages import LocatedMessages
from bot.telegram.sending.rate_limiter import SendPriority
from bot.words import Words

log = structlog.get_logger(__name__)


class TelegramAlertMessages:
    """Edits the messages of alerts, and sends them while the store takes no writes."""

    def __init__(self, bot: TelegramBot, messages: LocatedMessages) -> None:
        self._bot = bot
        self._messages = messages

    async def show(self, sent: SentMessage, view: ListMessage, language: str) -> None:
        """Edit a message, without a sound. The id of a private chat never changes."""
        where = MessageLocation(sent.telegram_chat_id, sent.telegram_chat_id, sent.message_id)
        await self._messages.show(where, (view, Words(language)))

    async def send(self, admin: int, message: LocalizedMessage, language: str) -> SentMessage | None:
        """Send without the rate limiter, which needs a store that takes writes."""
        text = format_message(Words(language), message.key, message.params)
        try:
            sent = await self._bot.send_message(
                admin, text, parse_mode=ParseMode.HTML, rate_limit_args=SendPriority.FREE
            )
        except TelegramError as error:
            log.warning("alerts.not_sent", error=type(error).__name__)
            return None
        return SentMessage(message_id=sent.message_id, telegram_chat_id=admin)
