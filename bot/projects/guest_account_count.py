"""Count of the guest accounts that NemoVideo gave in the last seven days, of all processes together."""

import hashlib
from datetime import timedelta

import structlog
from redis.asyncio import Redis

from bot.runtime.clock import Clock
from bot.store import keys

log = structlog.get_logger(__name__)

GUEST_ACCOUNTS_PER_WEEK = 10  # about as many as the service gives to one network address in seven days
WARN_AT = frozenset({7, 9})  # counts at which the log warns the operator that guest accounts run out
WEEK = timedelta(seconds=keys.GUEST_TOKENS_TTL_S)


class GuestAccountCounter:
    """Counts guest accounts."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def note(self, token: str) -> None:
        """Count the account of a token, once however often the service gives the same one; warn when few are left."""
        now = self._clock.now()
        name = hashlib.sha256(token.encode()).hexdigest()[:16]
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.zremrangebyscore(keys.GUEST_TOKENS, "-inf", (now - WEEK).timestamp())
            transaction.zadd(keys.GUEST_TOKENS, {name: now.timestamp()}, nx=True)
            transaction.zcard(keys.GUEST_TOKENS)
            transaction.expire(keys.GUEST_TOKENS, keys.GUEST_TOKENS_TTL_S)
            _, added, used, _ = await transaction.execute()
        if added and used in WARN_AT:
            log.warning("account.guest_tokens_low", used=used, left=GUEST_ACCOUNTS_PER_WEEK - used)

    async def used_this_week(self) -> int:
        """Return how many accounts were given in the last seven days."""
        since = (self._clock.now() - WEEK).timestamp()
        return int(await self._redis.zcount(keys.GUEST_TOKENS, f"({since}", "+inf"))
