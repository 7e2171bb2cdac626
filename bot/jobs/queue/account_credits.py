"""Credits of the accounts other than the operator's: what each spent today, and what it has left.

It is recorded with each message to the agent, so that reading it loads no chat: the sums by kind of account, and the
accounts that spent most.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from redis.asyncio import Redis

from bot.runtime.clock import Clock
from bot.store import keys
from bot.store.lua_script import LuaScript

ChatAccountKind = Literal["own", "guest"]  # one of ``/login``, or a free one
KINDS: Final[tuple[ChatAccountKind, ...]] = get_args(ChatAccountKind)

TOP_ACCOUNTS = 5  # how many of those that spent most are named


@dataclass(frozen=True, slots=True)
class AccountSums:
    """The accounts of a kind that were used on a day."""

    count: int  # how many chats used one
    spent: int  # credits that they spent
    left: int  # credits that they had when each was last read


@dataclass(frozen=True, slots=True)
class AccountUse:
    """What one account spent on a day."""

    kind: ChatAccountKind
    chat_id: int  # the chat that uses it
    spent: int  # credits
    left: int  # credits when it was last read


@dataclass(frozen=True, slots=True)
class AccountsToday:
    """The accounts that were used since midnight UTC."""

    sums: Mapping[ChatAccountKind, AccountSums]  # by kind; of those that were used
    top: tuple[AccountUse, ...]  # those that spent most


class AccountCredits:
    """Counts and reads the credits of accounts."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._count = LuaScript(redis, __package__, "count_account")

    async def record(self, kind: ChatAccountKind, chat_id: int, used: int, left: int) -> None:
        """Count what a message to the agent used.

        Args:
            kind: Kind of account.
            chat_id: The chat whose account it was.
            used: Credits.
            left: Credits after it.
        """
        await self._count(
            self._keys, account=f"{kind}:{chat_id}", kind=kind, used=used, left=left, ttl_s=keys.QUOTA_TTL_S
        )

    async def today(self) -> AccountsToday:
        """Return what was used since midnight UTC."""
        spent_key, left_key, totals_key = self._keys
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(totals_key)
            pipe.zrange(spent_key, 0, TOP_ACCOUNTS - 1, desc=True, withscores=True)
            totals, top = await pipe.execute()
        left: Any = await self._redis.hmget(left_key, [name for name, _ in top]) if top else []
        sums = {
            kind: AccountSums(
                *(int(totals.get(f"{name}:{kind}", 0)) for name in ("accounts", "spent", "left"))
            )
            for kind in KINDS
            if f"accounts:{kind}" in totals
        }
        uses = (
            AccountUse(cast(ChatAccountKind, kind), int(chat_id), int(spent), int(has or 0))
            for ((kind, _, chat_id), spent), has in zip(
                ((name.partition(":"), spent) for name, spent in top), left, strict=True
            )
            if spent
        )
        return AccountsToday(sums, tuple(uses))

    @property
    def _keys(self) -> list[str]:
        day = self._clock.now().date().isoformat()
        return [keys.accounts_spent_key(day), keys.accounts_left_key(day), keys.totals_key(day)]
