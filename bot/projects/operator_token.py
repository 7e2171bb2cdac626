"""The operator's token: whether NemoVideo has refused it, and what follows."""

import hashlib
from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import Redis

from bot.store import keys

log = structlog.get_logger(__name__)


class OperatorToken:
    """The token of the account that pays for every chat, if there is one.

    Args:
        redis: With ``decode_responses``.
        token: The token; ``None`` if there is none.
        falls_back_to_guests: Whether chats go on with guest accounts once it is refused.
        alert: Notifies the operator that it was refused.
    """

    def __init__(
        self,
        redis: Redis,
        token: str | None,
        *,
        falls_back_to_guests: bool = False,
        alert: Callable[[], Awaitable[None]],
    ) -> None:
        self._redis = redis
        self.token = token
        self._alert = alert
        self.falls_back_to_guests = token is not None and falls_back_to_guests

    async def usable(self) -> str | None:
        """Return the token, unless it was refused and guest accounts take its place."""
        if not self.falls_back_to_guests:
            return self.token
        refused = await self._redis.get(keys.OPERATOR_TOKEN_REFUSED)
        return None if refused == self._digest() else self.token

    async def note_refused(self) -> None:
        """Record that NemoVideo refused it, and alert the operator."""
        log.error("account.operator_token_refused", falls_back_to_guests=self.falls_back_to_guests)
        await self._redis.set(
            keys.OPERATOR_TOKEN_REFUSED, self._digest(), ex=keys.OPERATOR_TOKEN_REFUSED_TTL_S
        )
        await self._alert()

    async def count_turn(self) -> int:
        """Count the beginning or the end of a turn that it pays for, of any chat, and return the number of both."""
        count: int = await self._redis.incr(keys.OPERATOR_TURNS)
        return count

    def _digest(self) -> str:
        return hashlib.sha256((self.token or "").encode()).hexdigest()[:16]
