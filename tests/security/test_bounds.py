"""What the service sends stays bounded: after decoding, after conversion, and in the time that it costs."""

import gzip
import time
import tracemalloc
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from bot.jobs.checkpoints import Turn
from bot.jobs.messages import Progress
from bot.jobs.steps import agent_turn
from bot.jobs.steps.turn_draft import TurnLimits
from bot.nemo import wire
from bot.nemo.client import NemoClient
from bot.nemo.errors import NemoError, StreamBroken, UnexpectedAnswer
from bot.nemo.events import AgentText, Completeness, Event, ToolCall
from bot.nemo.render_answers import Render, RenderStatus
from bot.nemo.turn_text import TurnText
from bot.runtime.clock import SystemClock
from bot.runtime.http import new_client
from bot.telegram.sending.markdown import MAX_ANSWER_CHARS, MAX_PIECES, to_pieces
from bot.words.screen_talk import CleanedAnswer, remove_screen_talk
from tests.nemo.test_messages import WHO, answering, chunk, hear

MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_UNZIPPED_BYTES = wire.MAX_UNZIPPED_BYTES
MAX_CPU_S = 4.0
"""Much above what any input takes here (0.6 s), much below what the worst took (10 to 37 s)."""


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


def _head(content_type: str, encoding: str) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Encoding: {encoding}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()


def _bomb(layers: int) -> bytes:
    data = gzip.compress(bytes(8 * MAX_ANSWER_BYTES), compresslevel=1)
    for _ in range(layers - 1):
        data = gzip.compress(data)
    return data


async def test_json_is_decompressed_once_and_up_to_its_limit(http: httpx.AsyncClient) -> None:
    body = gzip.compress(b'{"code":0,"data":{"state":{}}}')
    async with answering(http, chunk(body), b"0\r\n\r\n", head=_head("application/json", "gzip")) as nemo:
        assert (await nemo.get_state(WHO, "s")).draft is None


@pytest.mark.parametrize(
    ("encoding", "layers"),
    [("gzip", 1), ("gzip, gzip", 2), ("br", 1), ("zstd", 1), ("x-gzip", 1), ("identity, GZIP", 1)],
)
async def test_a_compressed_answer_never_grows_past_its_limit(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, encoding: str, layers: int
) -> None:
    monkeypatch.setattr(wire, "MAX_ANSWER_BYTES", MAX_ANSWER_BYTES)
    pieces = chunk(_bomb(layers))
    head = _head("application/json", encoding)
    async with answering(http, pieces, b"0\r\n\r\n", head=head) as nemo:
        tracemalloc.start()
        try:
            with pytest.raises(UnexpectedAnswer):
                await nemo.get_render(WHO, "r")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 3 * MAX_ANSWER_BYTES


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate", "br", "zstd", "X-GZIP", "identity, br"])
async def test_streams_and_downloads_have_one_layer_of_gzip_at_most(
    http: httpx.AsyncClient, encoding: str
) -> None:
    data = gzip.compress(b'data: {"text":"Hi"}\n\n')
    head = _head("text/event-stream", encoding)
    async with answering(http, chunk(data), b"0\r\n\r\n", head=head) as nemo:
        with pytest.raises(StreamBroken):
            await hear(nemo)
    async with answering(http, chunk(data), b"0\r\n\r\n", head=_head("video/mp4", encoding)) as nemo:
        with pytest.raises(NemoError):
            await _download(nemo)


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("ending", [b"", gzip.compress(b"")], ids=["", "empty"])
async def test_several_members_of_gzip_are_one_download(
    http: httpx.AsyncClient, size: int, ending: bytes
) -> None:
    video = bytes(range(256)) + bytes(2 * MAX_UNZIPPED_BYTES)
    data = b"".join(gzip.compress(part) for part in (video, b"", b"the end")) + ending
    pieces = b"".join(chunk(data[at : at + size]) for at in range(0, len(data), size))
    async with answering(http, pieces, b"0\r\n\r\n", head=_head("video/mp4", "gzip")) as nemo:
        assert await _download(nemo) == video + b"the end"


@pytest.mark.parametrize(
    "end",
    [b"no gzip", gzip.compress(b"more")[:-1], gzip.compress(b"") * 40_000],
    ids=["other", "cut", "empty"],
)
async def test_what_follows_gzip_is_gzip_and_holds_something(http: httpx.AsyncClient, end: bytes) -> None:
    pieces = chunk(gzip.compress(b"video")) + chunk(end)
    async with answering(http, pieces, b"0\r\n\r\n", head=_head("video/mp4", "gzip")) as nemo:
        with pytest.raises(UnexpectedAnswer):
            await _download(nemo)


async def test_a_compressed_stream_or_download_is_never_whole_in_memory(http: httpx.AsyncClient) -> None:
    pieces = chunk(_bomb(1))
    async with answering(http, pieces, b"0\r\n\r\n", head=_head("text/event-stream", "gzip")) as nemo:
        with pytest.raises(StreamBroken):  # at the limit of one event
            await hear(nemo)
    async with answering(http, pieces, b"0\r\n\r\n", head=_head("video/mp4", "gzip")) as nemo:
        tracemalloc.start()
        try:
            await _download(nemo, keep=False)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < MAX_ANSWER_BYTES


async def _download(nemo: NemoClient, *, keep: bool = True) -> bytes:
    async with nemo.download(WHO, Render("r", RenderStatus.COMPLETED)) as download:
        return b"".join([piece if keep else b"" async for piece in download.chunks])


@pytest.mark.parametrize(
    "mark", ["+ ", "- ", "> ", ">", "1. ", "* ", "[", "**", "`", "$", "|", "~~", "(((", "- [ ] ", "  - "]
)
def test_no_pattern_becomes_many_messages_or_much_work(mark: str) -> None:
    began_s = time.process_time()
    pieces = to_pieces(mark * (100_000 // len(mark)))
    assert time.process_time() - began_s < MAX_CPU_S
    assert len(pieces) <= MAX_PIECES
    assert sum(len(piece.text) for piece in pieces) <= MAX_ANSWER_CHARS + 10


def test_many_dollar_signs_are_no_formulas_and_stay() -> None:
    prices = "**$5** for `$x` " * 150
    (piece,) = to_pieces(prices)
    assert piece.text.startswith("$5 for $x $5")
    assert piece.text.count("$") == 300


def test_a_list_keeps_its_ordinary_depth() -> None:
    source = "- a\n  - b\n    - c\n> > d"
    assert [line.strip() for line in to_pieces(source)[0].text.split("\n") if line.strip()] == [
        "• a",
        "• b",
        "• c",
        "d",
    ]


def _pieces_of_text(completeness: Completeness) -> list[Event]:
    return [AgentText(f"w{number % 7} ", completeness) for number in range(20_000)]


@pytest.mark.parametrize("completeness", list(Completeness))
def test_many_small_pieces_cost_linear_time(completeness: Completeness) -> None:
    events = _pieces_of_text(completeness)
    events[10::50] = [ToolCall("t", {}) for _ in events[10::50]]
    turn = TurnText()
    began_s = time.process_time()
    for event in events:
        turn.add(event)
    assert turn.text
    assert time.process_time() - began_s < MAX_CPU_S


def test_the_preview_is_worked_out_only_when_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Progress] = []
    responder = SimpleNamespace(report_progress=shown.append)
    attempt: Any = SimpleNamespace(clock=SystemClock(), responder=responder, load=lambda *_: None)
    nothing = cast(Any, None)
    turn = agent_turn.AgentTurn(nothing, TurnLimits(), nothing, nothing, attempt, Turn())
    received, previews = agent_turn._Received(), list[str]()

    def count(text: str) -> CleanedAnswer:
        previews.append(text)
        return remove_screen_talk(text)

    monkeypatch.setattr(agent_turn, "remove_screen_talk", count)
    for event in _pieces_of_text(Completeness.PARTIAL)[:100]:
        turn._receive(event, received)
    assert previews == []
    preview = shown[-1].preview
    assert preview is not None
    assert preview().startswith("w0 w1")
    assert len(previews) == 1
