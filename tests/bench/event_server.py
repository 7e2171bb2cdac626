"""A server of event streams that is not the bottleneck: ``python -m tests.bench.event_server STREAMS``.

It prints its port, answers any request with an event stream, and when as many streams are open as it was told, sends
on each one event a second, evenly spread over the second. The events have the shape and size of those of Google's
Agent Development Kit; each tells when it was sent, by the clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

import uvloop

from bot.runtime.process import raise_open_files

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
SEGMENTS = [
    {
        "id": f"segment-{number}",
        "start": number * 5.0,
        "end": number * 5.0 + 5.0,
        "source": f"clip-{number}.mp4",
    }
    for number in range(10)
]


def turns() -> Iterator[bytes]:
    """Events of one turn after another, for ever: thinking, words piece by piece and whole, a tool, a change."""
    while True:
        yield _said(f"{time.monotonic()} A cat walks: two scenes will do", partial=True, thought=True)
        pieces = []
        for words in ("I place the first clip. ", "你好 🎬 next, ", "and the title at the end."):
            pieces.append(f"{time.monotonic()} {words}")
            yield _said(pieces[-1], partial=True)
        yield _said("".join(pieces))
        call = {"id": "call-1", "name": "generate_video"}
        prompt = {"prompt": "a cat in the rain, from behind", "duration_s": 5.5, "sent_s": time.monotonic()}
        yield _event({"content": _content({"functionCall": {**call, "args": prompt}})})
        answer = {"status": "ok", "sent_s": time.monotonic()}
        yield _event({"content": _content({"functionResponse": {**call, "response": answer}})})
        draft = {"tracks": [{"id": "video", "segments": SEGMENTS}]}
        yield _event({}, {"draft": draft, "sent_s": time.monotonic()})


def _said(text: str, *, partial: bool = False, thought: bool = False) -> bytes:
    content = _content({"text": text, "thought": True} if thought else {"text": text})
    return _event({"content": content, "partial": True} if partial else {"content": content})


def _content(part: dict[str, Any]) -> dict[str, Any]:
    return {"parts": [part], "role": "model"}


def _event(fields: dict[str, Any], state_delta: dict[str, Any] | None = None) -> bytes:
    payload = {
        **fields,
        "invocationId": "e-00000000-0000-4000-8000-000000000000",
        "author": "director",
        "actions": {
            "stateDelta": state_delta or {},
            "artifactDelta": {},
            "requestedAuthConfigs": {},
            "requestedToolConfirmations": {},
        },
        "nodeInfo": {"path": ""},
        "id": "00000000-0000-4000-8000-000000000000",
        "timestamp": time.monotonic(),
    }
    return b"data: %b\n\n" % json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


class _Stream(asyncio.Protocol):
    """One connection: a request, and events for ever."""

    def __init__(self, streams: list[_Stream], all_open: asyncio.Event, expected: int) -> None:
        self._streams = streams
        self._all_open = all_open
        self._expected = expected
        self._received = b""
        self._events = turns()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = next(
            (int(f[15:]) for f in head.lower().split(b"\r\n") if f.startswith(b"content-length:")), 0
        )
        if not end or len(body) < length:
            return
        self._received = b""
        self._transport.write(HEAD)
        self._write(b": open\n\n")
        for _ in range(len(self._streams) % 8):
            next(self._events)  # Not all of them at the same place of their turn.
        self._streams.append(self)
        if len(self._streams) == self._expected:
            self._all_open.set()

    def send(self) -> None:
        self._write(next(self._events))

    def _write(self, event: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))


async def serve(expected: int) -> None:
    """Serve until stopped."""
    streams: list[_Stream] = []
    all_open = asyncio.Event()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Stream(streams, all_open, expected), "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await all_open.wait()
    await _send_evenly(streams)


async def _send_evenly(streams: Sequence[_Stream]) -> None:
    began_s = time.monotonic()
    for number, stream in enumerate(itertools.cycle(streams)):
        ahead_s = began_s + number / len(streams) - time.monotonic()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        stream.send()


if __name__ == "__main__":
    raise_open_files(0)
    uvloop.run(serve(int(sys.argv[1])))
