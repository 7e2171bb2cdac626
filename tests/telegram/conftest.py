"""The bot's Telegram side against the stand-in over HTTP, with a clock that the test moves."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.chats.telegram_ids import TelegramIds
from bot.jobs.checkpoints import Checkpoints, Exported
from bot.jobs.model import Job
from bot.jobs.ports import Result
from bot.runtime.http import Transport, new_client
from bot.sandbox.botapi import DEFAULT_TOKEN, FloodLimits, People, create_app
from bot.sandbox.samples import make_video
from bot.telegram.reading import attachments as media
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.bot import TelegramBot, new_bot
from bot.telegram.sending.delivery import DeliveryOptions
from bot.telegram.sending.downloads import FileDownloads
from bot.telegram.sending.guest_messages import GuestMessages
from bot.telegram.sending.rate_limiter import Bucket, RateLimiter, RateLimits
from bot.telegram.sending.responder import TelegramResponder
from bot.telegram.sending.responders import TelegramResponders
from bot.telegram.sending.sent_messages import SentMessageLog
from bot.web.serve import serve
from tests.clocks import HandClock
from tests.jobs.conftest import new_job

PROGRESS_EDIT_S = 3.0

_PLENTY = Bucket(per_s=1000, burst=1000)
UNLIMITED = RateLimits(bot=_PLENTY, chat=_PLENTY, group=_PLENTY)
"""For tests that are about other things than limits on sending."""


def new_rate_limiter(redis: Redis, clock: HandClock, limits: RateLimits | None = None) -> RateLimiter:
    """Make a worker's rate limiter that goes by the test's time."""
    return RateLimiter(redis, clock, limits, time_ms=lambda: clock.now().timestamp() * 1000)


class Notebook(Checkpoints):
    """A job's checkpoints, in memory; the process may "die" at one of them."""

    def __init__(
        self, kept: Mapping[str, Any] | None = None, dies_at: Callable[[str, Any], bool] | None = None
    ) -> None:
        super().__init__(kept or {})
        self.dies_at = dies_at

    @property
    def kept(self) -> Mapping[str, Any]:
        return self._values

    async def _write(self, values: Mapping[str, Any]) -> None:
        if self.dies_at is not None and any(self.dies_at(name, value) for name, value in values.items()):
            raise Died
        self._values |= values


def a_result(path: Path | None = None, **fields: Any) -> Result:
    """A result, with fields of its own and of what is known of its video."""
    exported = {name: fields.pop(name) for name in list(fields) if name in Exported.model_fields}
    return Result(Exported(**exported), path, **fields)


class Died(BaseException):
    """Stands for ``kill -9``: nothing after it is carried out."""


@dataclass
class Telegram:
    """Both sides of the stand-in."""

    url: str
    people: People
    bot: TelegramBot
    http: httpx.AsyncClient
    clock: HandClock
    telegram_ids: TelegramIds
    telegram_calls: TelegramCalls
    sent: SentMessageLog
    guest_mode_messages: GuestMessages
    local: bool
    work_dir: Path
    staging_chat: int | None = None

    def delivery(self, max_send_bytes: int = media.CLOUD_SEND_LIMIT) -> DeliveryOptions:
        return DeliveryOptions(
            local_mode=self.local,
            max_send_bytes=max_send_bytes,
            work_dir=self.work_dir,
        )

    def files(self) -> FileDownloads:
        return FileDownloads(
            self.telegram_calls,
            self.http,
            local=self.local,
            server_dir=self.work_dir.parent / "telegram",
        )

    def responder(
        self, job: Job, checkpoints: Notebook | None = None, languages: Iterator[str | None] | None = None
    ) -> TelegramResponder:
        async def language_of(job: Job) -> str | None:
            return next(languages) if languages is not None else None

        responders = TelegramResponders(
            self.telegram_calls,
            self.sent,
            self.files(),
            self.delivery(),
            PROGRESS_EDIT_S,
            lambda chat, use, text: f"encrypted {text}",
            self.guest_mode_messages,
            language_of,
            self.staging_chat,
        )
        return responders.open(job, checkpoints or Notebook())

    def job(
        self, chat_id: int, message_id: int | None = None, topic: int | None = None, **fields: Any
    ) -> Job:
        given = {"chat": ChatKey(chat_id, topic), "message_id": message_id, "asked_at": self.clock.now()}
        return new_job(**given | fields)


Start = Callable[..., Awaitable[Telegram]]


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without certificates, whose reading takes long


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def start(tmp_path: Path, redis: Redis, clock: HandClock, tls: ssl.SSLContext) -> AsyncIterator[Start]:
    async with contextlib.AsyncExitStack() as stack:

        async def go(
            *,
            local: bool = False,
            flood_limits: FloodLimits | None = None,
            token: str = DEFAULT_TOKEN,
            limits: RateLimits = UNLIMITED,
            shares_clock: bool = False,
        ) -> Telegram:
            app = create_app(
                tmp_path / "telegram",
                local=local,
                flood_limits=flood_limits,
                clock=clock if shares_clock else None,
            )
            url = await stack.enter_async_context(serve(app))
            people = await stack.enter_async_context(People(url, app=app))
            http = await stack.enter_async_context(new_client(tls))
            rate_limiter = new_rate_limiter(redis, clock, limits)
            bot = new_bot(token, url, lambda: Transport(tls), rate_limiter, local=local)
            await stack.enter_async_context(bot)
            work_dir = tmp_path / "results"
            work_dir.mkdir(exist_ok=True)
            telegram_ids = TelegramIds(redis)
            calls = TelegramCalls(bot, clock, telegram_ids, rate_limiter)
            return Telegram(
                url,
                people,
                bot,
                http,
                clock,
                telegram_ids,
                calls,
                SentMessageLog(redis),
                GuestMessages(calls, redis),
                local,
                work_dir,
            )

        yield go


@pytest.fixture
async def telegram(start: Start) -> Telegram:
    return await start()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 160×90, with sound."""
    return make_video(tmp_path_factory.mktemp("media") / "clip.mp4", 2, 160, 90, 10)


@pytest.fixture(scope="session")
def clip_bytes(clip: Path) -> bytes:
    return clip.read_bytes()
