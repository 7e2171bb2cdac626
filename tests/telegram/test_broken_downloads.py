"""Files of the cloud over lines that break, and servers that refuse."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import structlog
from telegram.error import NetworkError

from bot.jobs.model import Attachment
from bot.telegram.sending.downloads import FileDownloads
from tests.clocks import passing
from tests.telegram.conftest import Telegram
from tests.telegram.test_downloads import ada_of, ref

Handler = Callable[[httpx.Request], httpx.Response]


class Pieces(httpx.AsyncByteStream):
    """A body in small pieces, which may break off."""

    def __init__(self, content: bytes, breaks_after: int | None = None) -> None:
        self._content, self._breaks_after = content, breaks_after

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), 1000):
            if self._breaks_after is not None and start >= self._breaks_after:
                raise httpx.ReadError("reset by peer")
            yield self._content[start : start + 1000]


async def read(telegram: Telegram, file: Attachment, handler: Handler) -> tuple[str, bytes]:
    async def opened() -> tuple[str, bytes]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
            files = FileDownloads(telegram.telegram_calls, http, local=False)
            async with files.open(1, file) as opened:
                return opened.content_type, b"".join([chunk async for chunk in opened.chunks])

    return await passing(telegram.clock, opened())


async def a_video(telegram: Telegram) -> Attachment:
    ada = await ada_of(telegram)
    await ada.send_file("video", b"\0\0\0\x18ftypisom" + bytes(40))
    return await ref(telegram)


async def test_of_a_file_that_comes_in_many_pieces_none_is_lost_or_doubled(
    telegram: Telegram, clip_bytes: bytes
) -> None:
    breaks: list[int | None] = [3000, 1000, 5000, None]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Pieces(clip_bytes, breaks.pop(0)))

    _, content = await read(telegram, await a_video(telegram), answer)
    assert content == clip_bytes


@pytest.mark.parametrize("status", [429, 502])
async def test_a_busy_file_server_is_asked_again(telegram: Telegram, clip_bytes: bytes, status: int) -> None:
    statuses = [status, status, status, 200]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(statuses.pop(0), stream=Pieces(clip_bytes))

    _, content = await read(telegram, await a_video(telegram), answer)
    assert content == clip_bytes


async def test_a_line_that_never_holds_tells_nobody_the_token(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.sending.api_calls.PATIENCE_S", 0.0)

    def answer(request: httpx.Request) -> httpx.Response:
        assert telegram.bot.token in str(request.url)
        raise httpx.ConnectError(f"no way to {request.url}")

    file = await a_video(telegram)
    with structlog.testing.capture_logs() as logs, pytest.raises(NetworkError) as caught:
        await read(telegram, file, answer)
    chain: list[Any] = [caught.value, caught.value.__cause__, logs]
    assert telegram.bot.token not in str(chain)


async def test_a_text_file_is_left_to_its_reader(telegram: Telegram) -> None:
    file = await a_video(telegram)
    text = Attachment(file.file_id, "document", "prompt.txt", None, "")
    read_as = await read(telegram, text, lambda _: httpx.Response(200, stream=Pieces(b"Cut it.")))
    assert read_as == ("text/plain", b"Cut it.")
