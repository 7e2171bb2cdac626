"""Daily limits of the credits that the operator's account spends, for each person and for all together."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import structlog
from redis.asyncio import Redis

from bot.jobs.messages import LocalizedMessage, Param, Seconds
from bot.jobs.model import Job
from bot.jobs.ports import SendAlert
from bot.jobs.queue.account_credits import AccountCredits
from bot.jobs.queue.quotas import seconds_until_reset
from bot.runtime.clock import Clock
from bot.store import keys
from bot.store.lua_script import LuaScript

log = structlog.get_logger(__name__)

ALERT_AT_PERCENT = (100, 80, 50)
"""Shares of the whole bot's limit at which the operator is alerted, once a day each."""

CreditScope = Literal["bot", "person"]


@dataclass(frozen=True, slots=True)
class DailyCredits:
    """Credits that may be spent per day (UTC); 0 means no limit."""

    bot: int = 0  # by all together
    person: int = 0  # by each person


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """A reading of the operator's balance."""

    number: int  # from ``CreditLimits.begin_reading``
    total: float  # credits then, with those that running work holds


class CreditLimits:
    """Counts the credits that messages to the agent use, and refuses those that today's limits do not allow.

    Args:
        redis: With ``decode_responses``.
        clock: Source of the day.
        limits: The limits.
        alert: Alerts the operator, once for each name.
    """

    def __init__(self, redis: Redis, clock: Clock, limits: DailyCredits, alert: SendAlert) -> None:
        self.accounts = AccountCredits(redis, clock)
        self._redis = redis
        self._clock = clock
        self._limits = limits
        self._alert = alert
        self._reserve = LuaScript(redis, __package__, "reserve_credits", "quotas", "credits")
        self._record_use = LuaScript(redis, __package__, "record_credits_use", "quotas", "credits")

    async def begin_reading(self) -> int:
        """Return the number of a reading of the balance that begins now."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hincrby(keys.OPERATOR_BALANCE, "readings", 1)
            pipe.expire(keys.OPERATOR_BALANCE, keys.QUOTA_TTL_S)
            number, _ = await pipe.execute()
        return int(number)

    async def reserve(
        self, job: Job, turn: int, estimate: int, reading: BalanceReading | None
    ) -> CreditScope | None:
        """Reserve credits for a message to the agent, and return whose limit does not allow it, if one doesn't.

        Args:
            job: Whose message it is.
            turn: Its number within the job.
            estimate: The credits that it is expected to use.
            reading: The balance before it; ``None`` if that is unknown.
        """
        day = self._day
        person_key = keys.quota_key("person", job.requester_id, day)
        scope, used, alerted = await self._reserve(
            [_job_key(job), keys.OPERATOR_BALANCE, keys.totals_key(day), person_key],
            turn=turn,
            estimate=estimate,
            limits=asdict(self._limits),
            ttl_s=keys.QUOTA_TTL_S,
            **_reading_argument(reading),
        )
        if scope:
            log.warning("credits.limit_reached", scope=scope, used=used)
        if self._limits.bot:
            percent = 100 if scope == "bot" else 100 * used // self._limits.bot
            reached = next((one for one in ALERT_AT_PERCENT if percent >= one), 0)
            if reached > alerted:
                await self._send_alert(day, reached)
        return scope or None

    async def record_use(self, job: Job, used: int | None, reading: BalanceReading | None = None) -> None:
        """Replace the estimate of a message, which has ended, with what it used.

        Args:
            job: Whose message it was.
            used: Credits; ``None`` if unknown, so that the estimate stands.
            reading: The balance after it; ``None`` if that is unknown.
        """
        known = {} if used is None else {"used": used}
        await self._record_use(
            [_job_key(job), keys.OPERATOR_BALANCE, keys.totals_key(self._day)],
            ttl_s=keys.QUOTA_TTL_S,
            **known,
            **_reading_argument(reading),
        )

    async def _send_alert(self, day: str, percent: int) -> None:
        text = "alert.credits_used_up" if percent == ALERT_AT_PERCENT[0] else "alert.credits_used"
        params: dict[str, Param] = {
            "percent": percent,
            "limit": self._limits.bot,
            "anew_in": Seconds(seconds_until_reset(self._clock.now())),
        }
        await self._alert(f"credits:{day}:{percent}", LocalizedMessage(text, params))
        await self._redis.hset(keys.totals_key(day), "credits_alerted", percent)

    @property
    def _day(self) -> str:
        return self._clock.now().date().isoformat()


def _job_key(job: Job) -> str:
    return keys.job_key(str(job.chat), job.id)


def _reading_argument(reading: BalanceReading | None) -> dict[str, Any]:
    return {} if reading is None else {"reading": {"number": reading.number, "total": round(reading.total)}}
