"""Answers of the service that break HTTP, or never end: each is an error in bounded time and memory, or passed over."""

import time
from typing import Any

import httpx
import pytest

from bot.chats.key import ChatKey
from bot.jobs.steps.timeline import timeline
from bot.nemo import wire
from bot.nemo.changes import compare
from bot.nemo.drafts import read_draft
from bot.nemo.errors import NemoError, UnexpectedAnswer
from bot.nemo.events import AgentText
from bot.pictures.timeline import draw_timeline
from tests.nemo.test_messages import END, WHO, answering, chunk, hear
from tests.pictures.drafts import ENGLISH
from tests.security.test_bounds import MAX_CPU_S, http

__all__ = ["http"]  # fixture

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
STATE = b'{"code":0,"data":{"state":{}}}'


async def test_comments_without_end_take_no_time_and_change_nothing(http: httpx.AsyncClient) -> None:
    comments = chunk(b": keep-alive\n\n" * 25_000)
    text = chunk(b'data: {"text":"Hi"}\n\n')
    began_s = time.process_time()
    async with answering(http, *([comments] * 8), text, END) as nemo:
        events = await hear(nemo)
    assert [event.text for event in events if isinstance(event, AgentText)] == ["Hi"]
    assert time.process_time() - began_s < MAX_CPU_S


async def test_json_is_read_up_to_its_limit(http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_ANSWER_BYTES", 2**20)
    piece = chunk(b" " * 2**18)
    head = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    async with answering(http, *([piece] * 40), chunk(STATE), END, head=head) as nemo:
        with pytest.raises(UnexpectedAnswer):
            await nemo.get_render(WHO, "r")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X-Header: x\r\n" * 100_000 + b"\r\n", id="headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Header: " + b"x" * 2_000_000 + b"\r\n\r\n", id="a long header"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, id="informational responses"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}", id="a negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}", id="a length too long"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n{}", id="a length that is none"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", id="two lengths"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
            id="a chunk too large",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
            id="a negative chunk",
        ),
        pytest.param(b"\x16\x03\x01\x02\x00", id="no HTTP"),
        pytest.param(b"HTTP/1.1 999999999999 \r\n\r\n", id="no status"),
    ],
)
async def test_what_breaks_http_is_an_error_of_the_service(http: httpx.AsyncClient, head: bytes) -> None:
    began_s = time.process_time()
    async with answering(http, head=head) as nemo:
        with pytest.raises(NemoError):
            await nemo.create_claim_token(WHO, "t", "s")
        with pytest.raises(NemoError):
            await hear(nemo)
    assert time.process_time() - began_s < MAX_CPU_S


def _clips(shift: int) -> dict[str, Any]:
    """A draft of many short clips; the shift changes which is where."""
    places = [(number, (number * 7919 + shift) % 1000) for number in range(1000)]
    segments = [
        {"name": f"c{clip}", "url": f"https://m/{clip}", "start": 100 * place, "duration": 100}
        for place, clip in places
    ]
    return {"t": [{"tt": 0, "sg": segments}]}


ABSURD = {"t": [{"tt": 0, "sg": [{"start": 1e300, "duration": 1e300}, {"start": -1e300}] * 500}], "d": 1e308}
TRACKS = {"t": [{"tt": number % 5, "sg": [{"start": 0, "duration": 100}]} for number in range(1000)]}


@pytest.mark.parametrize("draft", [_clips(0), ABSURD, TRACKS], ids=["clips", "absurd", "tracks"])
async def test_no_draft_takes_long_to_read_compare_or_draw(draft: dict[str, Any]) -> None:
    began_s = time.process_time()
    found = read_draft(draft)
    assert found.digest()
    assert len(timeline(found, ChatKey(1))[1]) < 100
    assert await draw_timeline(found, labels=ENGLISH)
    assert list(compare(found, read_draft(_clips(1))))
    assert time.process_time() - began_s < MAX_CPU_S
