"""Count of the guest accounts that NemoVideo gave in the last seven days, of all processes together."""

import hashlib
from datetime import timedelta
from uuid import UUID

import structlog
from redis.asyncio import Redis

from bot.runtime.clock import Clock
from bot.store import keys

log = structlog.get_logger(__name__)

GUEST_ACCOUNTS_PER_WEEK = 10  # about as many as the service gives to one network address in seven days
WARN_AT = frozenset({7, 9})  # counts at which the log warns the operator that guest accounts run out
WEEK = timedelta(seconds=keys.GUEST_TOKENS_TTL_S)


class GuestAccountCounter:
    """Weekly count of new guest accounts, in Redis."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    async def record(self, token: str) -> None:
        """Count a token's account, idempotently; warn when few are left."""
        now = self._clock.now()
        name = _digest(token)
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.zremrangebyscore(keys.GUEST_TOKENS, "-inf", (now - WEEK).timestamp())
            transaction.zadd(keys.GUEST_TOKENS, {name: now.timestamp()}, nx=True)
            transaction.zcard(keys.GUEST_TOKENS)
            transaction.expire(keys.GUEST_TOKENS, keys.GUEST_TOKENS_TTL_S)
            _, added, used, _ = await transaction.execute()
        if added and used in WARN_AT:
            log.warning("account.guest_tokens_low", used=used, left=GUEST_ACCOUNTS_PER_WEEK - used)

    async def claim(self, person: str, client_id: UUID) -> float:
        """Take the one new account that a person may have in seven days.

        Args:
            person: A digest of the person's id, which is kept even if their chats are erased.
            client_id: The client id that gets the account; claiming again for it is idempotent.

        Returns:
            0.0, or in how many seconds the person may have another one.
        """
        key, account = keys.guest_account_key(person), _digest(str(client_id))
        if await self._redis.set(key, account, nx=True, ex=keys.GUEST_TOKENS_TTL_S):
            return 0.0
        if await self._redis.get(key) == account:
            return 0.0
        return max(1.0, await self._redis.ttl(key))

    async def release(self, person: str, client_id: UUID) -> None:
        """Give back a claimed account, because the service didn't give one."""
        key = keys.guest_account_key(person)
        if await self._redis.get(key) == _digest(str(client_id)):
            await self._redis.delete(key)

    async def used_this_week(self) -> int:
        """Return how many accounts were given in the last seven days."""
        since = (self._clock.now() - WEEK).timestamp()
        return int(await self._redis.zcount(keys.GUEST_TOKENS, f"({since}", "+inf"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
