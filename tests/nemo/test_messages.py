"""Messages to the agent over streams that real networks make: cut, slow, silent, mixed."""

import asyncio
import contextlib
import gzip
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.nemo.client import NemoClient
from bot.nemo.errors import NoCredits, StreamBroken, UnexpectedAnswer, WarmingUp
from bot.nemo.events import AgentText, Completeness, Event, KeepAlive, StateDelta, ToolCall
from bot.nemo.stream_errors import StreamError
from bot.nemo.turn_text import TurnText
from bot.nemo.wire import Attribution, Credentials
from tests.clocks import PATIENCE_S
from tests.nemo.servers import raw_server, read_request, reset
from tests.nemo.test_events import STREAMS

WHO = Credentials("nmv_usr_secret", Attribution("card", "1"))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@contextlib.asynccontextmanager
async def answering(
    http: httpx.AsyncClient, *pieces: bytes, head: bytes = HEAD, rst: bool = False
) -> AsyncIterator[NemoClient]:
    """A service that answers with these bytes, each when the one before is on its way, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)
        if rst:
            reset(writer)

    async with raw_server(talk) as url:
        yield NemoClient(http, url)


async def hear(nemo: NemoClient) -> list[Event]:
    async with contextlib.aclosing(nemo.send_message(WHO, "s", "hi")) as events:
        return [event async for event in events]


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
async def test_the_stream_of_a_real_server(http: httpx.AsyncClient, size: int, end: str) -> None:
    data = "".join(f"{line}{end}{end}" for line in STREAMS["whole_turn"]).encode()
    pieces = b"".join(chunk(data[at : at + size]) for at in range(0, len(data), size))
    turn = TurnText()
    async with answering(http, pieces, END) as nemo:
        for event in await hear(nemo):
            turn.add(event)
    assert turn.text == "Hello 🎬 你好\nline2\n\nAll done"


async def test_all_shapes_in_one_stream(http: httpx.AsyncClient) -> None:
    data = (
        b": comment\n\ndata:\n\ndata: heartbeat\n\nevent: heartbeat\n\n"
        b'data: {"type":"heartbeat"}\n\n'
        b'data: {"content":{"parts":[{"text":"Hi"}],"role":"model"},"partial":true}\n\n'
        b'data: {"type":"tool_call","name":"trim","args":{}}\n\n'
        b'data: {"text":"there"}\n\n'
        b'data: {"code":2001,"message":"no credits"}'
    )
    async with answering(http, chunk(data), END) as nemo:
        events = await hear(nemo)
    assert events == [
        *[KeepAlive()] * 5,
        AgentText("Hi", Completeness.PARTIAL),
        ToolCall("trim", {}),
        AgentText("there", Completeness.UNMARKED),
        StreamError(2001, "no credits"),
    ]


async def test_events_come_as_they_are_sent(http: httpx.AsyncClient) -> None:
    seen = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + chunk(b": alive\n"))
        await seen.wait()
        writer.write(chunk(b'data: {"text":"done"}\n\n') + END)
        await writer.drain()

    async with raw_server(talk) as url:
        events = NemoClient(http, url).send_message(WHO, "s", "hi")
        assert await asyncio.wait_for(anext(events), PATIENCE_S) == KeepAlive()
        seen.set()
        assert [event async for event in events] == [AgentText("done", Completeness.UNMARKED)]


async def test_nothing_is_kept_of_an_event_while_the_next_is_waited_for(http: httpx.AsyncClient) -> None:
    heard = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + chunk(b'data: {"actions":{"stateDelta":{"draft":{"tracks":[]}}}}\n\n'))
        await heard.wait()
        writer.write(END)

    async with (
        raw_server(talk) as url,
        contextlib.aclosing(NemoClient(http, url).send_message(WHO, "s", "hi")) as events,
    ):
        event = await anext(events)
        waiting = asyncio.create_task(anext(events, None))
        await asyncio.sleep(0)
        holders = sys.getrefcount(event)
        heard.set()
        assert await waiting is None
    assert event == StateDelta({"draft": {"tracks": []}})
    assert holders == 2  # This function and the count's own argument.


@pytest.mark.parametrize("rst", [False, True], ids=["closed", "reset"])
async def test_a_broken_stream_yields_what_had_arrived(http: httpx.AsyncClient, rst: bool) -> None:
    data = b': ping\n\ndata: {"content":{"parts":[{"text":"Half"}]},"partial":true}\n\ndata: {"te'
    async with answering(http, chunk(data), rst=rst) as nemo:
        events = nemo.send_message(WHO, "s", "hi")
        heard = [await anext(events), await anext(events)]
        with pytest.raises(StreamBroken) as caught:
            await anext(events)
    assert heard == [KeepAlive(), AgentText("Half", Completeness.PARTIAL)]
    assert caught.value.sent
    assert caught.value.outcome_unknown


async def test_a_stream_without_any_event(http: httpx.AsyncClient) -> None:
    async with answering(http, END) as nemo:
        assert await hear(nemo) == []


@pytest.mark.parametrize(
    "content_type", [b"text/plain", b"text/event-stream; charset=latin-1", b"application/octet-stream"]
)
async def test_the_type_of_the_answer_is_not_believed(http: httpx.AsyncClient, content_type: bytes) -> None:
    head = HEAD.replace(b"text/event-stream", content_type)
    async with answering(http, chunk('data: {"text":"你好"}\n\n'.encode()), END, head=head) as nemo:
        assert await hear(nemo) == [AgentText("你好", Completeness.UNMARKED)]


@pytest.mark.parametrize("content_type", [b"text/html", b"text/event-stream"])
async def test_a_page_in_place_of_a_stream_is_no_end_of_a_turn(
    http: httpx.AsyncClient, content_type: bytes
) -> None:
    head = HEAD.replace(b"text/event-stream", content_type)
    async with answering(http, chunk(b"<html>\n\nMaintenance\n</html>\n"), END, head=head) as nemo:
        with pytest.raises(StreamBroken) as caught:
            await hear(nemo)
    assert caught.value.outcome_unknown


async def test_a_stream_that_is_compressed_unasked(http: httpx.AsyncClient) -> None:
    head = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    data = gzip.compress(b'data: {"text":"Hi"}\n\n')
    async with answering(http, chunk(data[:9]), chunk(data[9:]), END, head=head) as nemo:
        assert await hear(nemo) == [AgentText("Hi", Completeness.UNMARKED)]
    for damaged in (data[:-9], b"no gzip"):
        async with answering(http, chunk(damaged), END, head=head) as nemo:
            with pytest.raises(StreamBroken):
                await hear(nemo)
    async with answering(http, chunk(data), END, head=head.replace(b"gzip", b"br")) as nemo:
        with pytest.raises(StreamBroken):
            await hear(nemo)


async def test_json_in_place_of_a_stream(http: httpx.AsyncClient) -> None:
    head = HEAD.replace(b"text/event-stream", b"application/json")
    async with answering(http, chunk(b'{"code":2001,"message":"no"}'), END, head=head) as nemo:
        with pytest.raises(NoCredits):
            await hear(nemo)
    async with answering(http, chunk(b'{"code":0,"data":{"text":"Hi"}}'), END, head=head) as nemo:
        assert await hear(nemo) == [AgentText("Hi", Completeness.UNMARKED)]
    hi = AgentText("Hi", Completeness.UNMARKED)
    for body in (b'[{"text":"Hi"},{"text":"Hi"}]', b'{"text":"Hi"}\n{"text":"Hi"}\n'):
        async with answering(http, chunk(body), END, head=head) as nemo:
            assert await hear(nemo) == [hi, hi]
    async with answering(http, END, head=head) as nemo:
        assert await hear(nemo) == [KeepAlive()]
    async with answering(http, chunk(b"<html>"), END, head=head) as nemo:
        with pytest.raises(UnexpectedAnswer) as caught:
            await hear(nemo)
    assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b'{"reason": "sandbox is starting"}', WarmingUp),
        (b'{"data": {"state": "sandbox warming up"}}', WarmingUp),
        (b'{"notice": "insufficient credits"}', NoCredits),
        (b'{"status": "ok", "code": 0, "data": null}', None),
        (b'{"text": "The sandbox is starting."}', None),
    ],
)
async def test_a_refusal_may_look_like_a_success(
    http: httpx.AsyncClient, answer: bytes, error: type[Exception] | None
) -> None:
    head = HEAD.replace(b"text/event-stream", b"application/json")
    async with answering(http, chunk(answer), END, head=head) as nemo:
        with contextlib.nullcontext() if error is None else pytest.raises(error):
            await hear(nemo)


@pytest.mark.parametrize("content_type", [b"application/x-ndjson", b"application/jsonl"])
async def test_json_lines_come_as_they_are_sent(http: httpx.AsyncClient, content_type: bytes) -> None:
    may_end = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD.replace(b"text/event-stream", content_type) + chunk(b'{"text":"Hi"}\n'))
        await may_end.wait()
        writer.write(END)

    async with (
        raw_server(talk) as url,
        contextlib.aclosing(NemoClient(http, url).send_message(WHO, "s", "hi")) as events,
    ):
        assert await asyncio.wait_for(anext(events), 5) == AgentText("Hi", Completeness.UNMARKED)
        may_end.set()
        assert [event async for event in events] == []


async def test_leaving_early_closes_the_connection(http: httpx.AsyncClient) -> None:
    gone = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD + chunk(b": alive\n"))
        await reader.read()
        gone.set()

    async with raw_server(talk) as url:
        async with contextlib.aclosing(NemoClient(http, url).send_message(WHO, "s", "hi")) as events:
            assert await anext(events) == KeepAlive()
        await asyncio.wait_for(gone.wait(), PATIENCE_S)


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_no_bytes_of_a_server_break_it(pieces: list[bytes]) -> None:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def talk() -> list[Event]:
        transport = httpx.MockTransport(
            lambda request: httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=body())
        )
        async with httpx.AsyncClient(transport=transport) as client:
            try:
                return await hear(NemoClient(client, "http://service"))
            except StreamBroken:  # of bytes that are no stream
                return []

    assert isinstance(asyncio.run(talk()), list)
