"""Message numbers of chats: the newest known one, and which belong to known messages."""

from itertools import islice
from typing import Any

from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.store import keys
from bot.store.lua_script import LuaScript

PROBE_LIMIT = 40
"""How many message numbers are tried to find a lost message."""

PROBE_AHEAD = 5
"""How many numbers above the newest known one are tried: the lost message may be the newest of all."""

CONFIRMATION, DECIDED = "?", "!"
"""Contents of messages of the bot: it asks for a decision by buttons; that was made."""

OFFER = "+"
"""Content of a message of the bot that offers to run a request by a button."""

RETRIABLE = "@"
"""Prefix of the content of a message of the bot that offers to try a job again: the job's id follows, or nothing where
only the export is left to try."""

BARE_ANSWER = "."
"""Prefix of the content of a person's message that answers nothing, such as "yes" where a button has to be pressed."""

_ANSWERS_PASSED = 5
"""How many of those are looked past, with what the bot said to them."""


class SentMessageLog:
    """Message numbers of a chat: the newest known one, and which belong to known messages.

    Private chats and basic groups share one sequence of numbers, the bot's own; supergroups and channels count
    for themselves.

    Args:
        redis: The store that holds the numbers.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._record = LuaScript(redis, __package__, "record_message")

    async def record(
        self,
        telegram_chat_id: int,
        message_id: int,
        chat: ChatKey,
        request_id: int | None = None,
        content: str | None = None,
    ) -> None:
        """Record that a message is known, so that it isn't taken for a lost one.

        Args:
            telegram_chat_id: The id that its chat has in Telegram.
            message_id: The message.
            chat: The chat and topic that it is in.
            request_id: The message with the request that it answers; by default it is a request itself.
            content: What `JobReader.seen` returns of it; empty if no edit may make it a request, as it did something
                else. ``None`` for a message of the bot.
        """
        numbers = keys.message_numbers_key(number_sequence(telegram_chat_id))
        latest = keys.latest_messages_key(str(chat))
        seen = keys.seen_key(str(chat), telegram_chat_id, message_id)
        await self._record(
            [numbers, latest, seen],
            message_id=message_id,
            numbers_kept=keys.MESSAGE_NUMBERS_KEPT,
            numbers_ttl_s=keys.MESSAGE_NUMBERS_TTL_S,
            **({"request_id": request_id or message_id} if chat.is_private else {}),
            latest_kept=keys.LATEST_MESSAGES_KEPT,
            **({} if content is None else {"content": content}),
            seen_ttl_s=keys.SEEN_TTL_S,
        )

    async def is_followed(self, chat: ChatKey, message_id: int, but_by: int | None = None) -> bool:
        """Return whether another message came after one in a private chat.

        Args:
            chat: The chat and topic.
            message_id: The message.
            but_by: The message with a request whose answers don't count.
        """
        rows: list[Any] = await self._redis.zrangebyscore(
            keys.latest_messages_key(str(chat)), f"({message_id}", "+inf"
        )
        return any(row != str(but_by) for row in rows)

    async def confirmation_before(self, chat: ChatKey, telegram_chat_id: int, message_id: int) -> str | None:
        """Return ``CONFIRMATION`` or ``DECIDED`` if a message comes right after such a message."""
        content = await self._content_before(chat, telegram_chat_id, message_id)
        return content if content in (CONFIRMATION, DECIDED) else None

    async def retriable_before(self, chat: ChatKey, telegram_chat_id: int, message_id: int) -> str | None:
        """Return `retriable_job_id` of the message right before one."""
        return retriable_job_id(await self._content_before(chat, telegram_chat_id, message_id))

    async def is_offered_before(self, chat: ChatKey, telegram_chat_id: int, message_id: int) -> bool:
        """Return whether the message right before one offers to run a request, or to try one again."""
        content = await self._content_before(chat, telegram_chat_id, message_id)
        return content is not None and content.startswith((OFFER, RETRIABLE))

    async def _content_before(self, chat: ChatKey, telegram_chat_id: int, message_id: int) -> str | None:
        """Return what was recorded of the message before one, past bare answers with what the bot said to them."""
        # Only of private chats it is known which messages answer which, and those share their numbers with others.
        name = keys.latest_messages_key(str(chat))
        if not chat.is_private:
            name = keys.message_numbers_key(number_sequence(telegram_chat_id))
        rows: list[Any] = await self._redis.zrevrangebyscore(
            name, f"({message_id}", "-inf", start=0, num=_ANSWERS_PASSED, withscores=True
        )
        for request_id, number in rows:
            numbers = (int(request_id), int(number))
            asked, latest = await self._redis.mget(
                [keys.seen_key(str(chat), telegram_chat_id, one) for one in numbers]
            )
            if not str(asked).startswith(BARE_ANSWER):
                return None if latest is None else str(latest)
        return None

    async def mark_decided(self, telegram_chat_id: int, message_id: int, chat: ChatKey) -> None:
        """Record that a known message of the bot asks for no decision any more; see `record` for the arguments."""
        seen = keys.seen_key(str(chat), telegram_chat_id, message_id)
        await self._redis.set(seen, DECIDED, ex=keys.SEEN_TTL_S)

    async def newest(self, chat_id: int) -> int:
        """Return the highest known number, or 0."""
        rows: list[Any] = await self._redis.zrange(keys.message_numbers_key(number_sequence(chat_id)), -1, -1)
        return int(rows[0]) if rows else 0

    async def unknown(self, chat_id: int, after: int) -> list[int]:
        """Return the numbers above ``after`` that may be a lost message, the likeliest first."""
        key = keys.message_numbers_key(number_sequence(chat_id))
        rows: list[Any] = await self._redis.zrangebyscore(key, f"({after}", "+inf")
        known = {int(row) for row in rows}
        end = max(known, default=after) + PROBE_AHEAD
        unknown = (number for number in range(after + 1, end + 1) if number not in known)
        return list(islice(unknown, PROBE_LIMIT))


def retriable_job_id(content: str | None) -> str | None:
    """Return which job a message with this recorded content offers to try again.

    Returns:
        Its id; empty for an export; ``None`` if the message offers nothing like that.
    """
    return content.removeprefix(RETRIABLE) if content and content.startswith(RETRIABLE) else None


def number_sequence(chat_id: int) -> str:
    """Return which sequence of message numbers a chat belongs to: ids of supergroups and channels begin with -100."""
    return str(chat_id) if chat_id < -1_000_000_000_000 else "own"
