"""Topics of private chats, one for each project: implements ``Topics`` of ``jobs/ports.py``."""

import structlog
from telegram.constants import ForumTopicLimit
from telegram.error import TelegramError

from bot.chats.key import ChatKey
from bot.jobs.ports import ChatGone, TopicGone
from bot.telegram.sending.api_calls import OutcomeUnknown, TelegramCalls
from bot.telegram.sending.rate_limiter import SendPriority

log = structlog.get_logger(__name__)


class PrivateTopics:
    """Opens and names topics where the bot's private chats have them, which is a switch at @BotFather."""

    def __init__(self, telegram_calls: TelegramCalls) -> None:
        self._bot = telegram_calls.bot
        self._telegram_calls = telegram_calls

    async def open(self, chat: ChatKey, name: str) -> ChatKey | None:
        """See ``Topics``."""
        if not (chat.is_private and self._bot.bot.has_topics_enabled):
            return None
        try:
            topic = await self._telegram_calls.call(
                chat.chat_id, lambda chat_id: self._bot.create_forum_topic(chat_id, name), repeatable=False
            )
        except (TelegramError, ChatGone, OutcomeUnknown) as error:
            log.warning("private_topics.not_opened", error=str(error))
            return None
        return ChatKey(chat.chat_id, topic.message_thread_id)

    async def rename(self, topic: ChatKey, name: str) -> bool:
        """See ``Topics``: a group's topics aren't named by the bot, and a name that it has already is fine."""
        if not topic.is_private or topic.topic_id is None:
            return topic.is_private

        async def edit(chat_id: int) -> bool:
            new_name = name[: ForumTopicLimit.MAX_NAME_LENGTH]
            return await self._bot.edit_forum_topic(
                chat_id, topic.topic_id or 0, new_name, rate_limit_args=SendPriority.FREE
            )

        try:
            return await self._telegram_calls.call(topic.chat_id, edit, repeatable=True, patient=False)
        except TopicGone as error:
            return "not_modified" in str(error).lower()
        except (TelegramError, ChatGone) as error:
            log.info("private_topics.not_renamed", error=str(error))
            return False
