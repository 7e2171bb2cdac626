"""Telegram's flood limits: token buckets for the bot, the chat and the group."""

import math
from dataclasses import dataclass

from bot.runtime.clock import Clock
from bot.sandbox.botapi.errors import too_many_requests


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """How much a bot may send. Telegram documents none of these figures as a promise.

    Attributes:
        bot_per_s: Messages per second to all chats.
        bot_burst: Messages to all chats at once.
        chat_per_s: Messages per second to one chat.
        chat_burst: Messages to one chat at once.
        group_per_min: Messages per minute to one group or channel, with the burst of a chat.
    """

    bot_per_s: float = 30
    bot_burst: int = 40
    chat_per_s: float = 1
    chat_burst: int = 8
    group_per_min: float = 20


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class FloodGate:
    """Counts what bots send and refuses what exceeds the limits.

    Args:
        limits: The limits; ``None`` for none.
        clock: Source of the monotonic seconds that refill the buckets.
    """

    def __init__(self, limits: FloodLimits | None, clock: Clock) -> None:
        self.limits = limits
        self._clock = clock
        self._buckets: dict[tuple[str, int, int], _Bucket] = {}

    def acquire(self, bot_id: int, chat_id: int, is_group: bool, count: int = 1) -> None:
        """Count messages about to be sent.

        Args:
            bot_id: The sending bot.
            chat_id: The receiving chat.
            is_group: Whether the limit per minute applies.
            count: Number of messages; an album counts each of its items.

        Raises:
            ApiError: 429 with ``retry_after``; nothing is counted.
        """
        limits = self.limits
        if limits is None:
            return
        wanted = [
            (self._bucket("bot", bot_id, 0, limits.bot_burst, limits.bot_per_s), limits.bot_per_s),
            (self._bucket("chat", bot_id, chat_id, limits.chat_burst, limits.chat_per_s), limits.chat_per_s),
        ]
        if is_group:
            per_s = limits.group_per_min / 60
            wanted.append((self._bucket("group", bot_id, chat_id, limits.group_per_min, per_s), per_s))
        # A full bucket lets through an album that is larger than the bucket.
        wait_s = max((min(count, 1) - bucket.tokens) / per_s for bucket, per_s in wanted)
        if wait_s > 0:
            raise too_many_requests(max(1, math.ceil(wait_s)))
        for bucket, _ in wanted:
            bucket.tokens -= count

    def _bucket(self, kind: str, bot_id: int, chat_id: int, size: float, per_s: float) -> _Bucket:
        now_s = self._clock.monotonic_s()
        bucket = self._buckets.setdefault((kind, bot_id, chat_id), _Bucket(size, now_s))
        bucket.tokens = min(size, bucket.tokens + (now_s - bucket.at_s) * per_s)
        bucket.at_s = now_s
        return bucket
