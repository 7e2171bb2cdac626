"""The stand-in on loopback, an unmodified python-telegram-bot, raw HTTP, and people."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image
from telegram import Bot
from telegram.request import HTTPXRequest

from bot.sandbox.botapi import DEFAULT_TOKEN, FloodLimits, People, create_app
from bot.sandbox.botapi.files import CLOUD_DOWNLOAD_BYTES
from bot.sandbox.botapi.state import World
from bot.web.serve import serve

PLAIN: dict[str, Any] = {"verify": False, "trust_env": False}
"""Loopback needs no certificates, and reading them is most of a short test's time."""


class HandClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self._now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
        self._wakers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._now.timestamp()

    async def sleep(self, duration_s: float) -> None:
        event = asyncio.Event()
        self._wakers.append((self._now + timedelta(seconds=duration_s), event))
        self.pass_time(0)
        await event.wait()

    def pass_time(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        for due, event in self._wakers:
            if due <= self._now:
                event.set()


@dataclass
class Sandbox:
    url: str
    world: World
    bot: Bot
    people: People
    http: httpx.AsyncClient

    async def call(self, method: str, token: str = DEFAULT_TOKEN, **values: Any) -> Any:
        """A method by JSON; the whole body of the answer."""
        response = await self.http.post(f"/bot{token}/{method}", json=values, timeout=30)
        body = response.json()
        assert body["ok"] is response.is_success
        if not body["ok"]:
            assert body["error_code"] == response.status_code
        return body

    async def refusal(self, method: str, **values: Any) -> str:
        body = await self.call(method, **values)
        assert not body["ok"], body
        return str(body["description"])


Start = Callable[..., Awaitable[Sandbox]]


@pytest.fixture(autouse=True)
def _durations(monkeypatch: pytest.MonkeyPatch) -> None:
    """PTB warns of its old way to give durations, and warnings are errors here."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def go(*, flood_limits: FloodLimits | None = None, **options: Any) -> Sandbox:
            app = create_app(tmp_path / "data", flood_limits=flood_limits, **options)
            url = await stack.enter_async_context(serve(app))
            people = await stack.enter_async_context(People(url))
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, **PLAIN))
            bot = Bot(
                DEFAULT_TOKEN,
                base_url=f"{url}/bot",
                base_file_url=f"{url}/file/bot",
                request=HTTPXRequest(connection_pool_size=8, httpx_kwargs=PLAIN),
                get_updates_request=HTTPXRequest(httpx_kwargs=PLAIN),
                local_mode=bool(options.get("local")),
            )
            await stack.enter_async_context(bot)
            return Sandbox(url, app.state.world, bot, people, http)

        yield go


@pytest.fixture
async def sandbox(start: Start) -> Sandbox:
    return await start()


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 64×48."""
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            shade = number * 10
            image = Image.new("RGB", (64, 48), (shade, shade, shade))
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]  # PyAV has no types here
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "picture.png"
    Image.new("RGB", (1000, 500), "teal").save(path)
    return path


@pytest.fixture(scope="session")
def clip_data(clip: Path) -> bytes:
    return clip.read_bytes()


@pytest.fixture(scope="session")
def picture_data(picture: Path) -> bytes:
    return picture.read_bytes()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that is one byte too large for the cloud's ``getFile`` and for links."""
    path = tmp_path / "large.mp4"
    with path.open("wb") as handle:
        handle.truncate(CLOUD_DOWNLOAD_BYTES + 1)
    return path
