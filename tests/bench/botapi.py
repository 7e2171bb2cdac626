"""A throw-away Bot API in a process of its own: it answers every call at once, and feeds people's messages to pollers.

A few microseconds a call, so that whoever calls it is what gets measured; the stand-in of ``bot/sandbox`` keeps state,
and takes a millisecond. It plays NemoVideo too, as one that is at work on everything: it never answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHAT = re.compile(rb"chat_id\W[^0-9]*(\d+)")
"""In a form of either kind."""
_TIMEOUT = re.compile(rb"(?:^|&)timeout=(\d+)")

LATE_S = 5.0
"""After the last message was fed: what is not answered by then counts as lost."""

_BOT = {"id": 1, "is_bot": True, "first_name": "Bench", "username": "bench_bot"}


def _sent(chat_id: int) -> dict[str, Any]:
    chat = {"id": chat_id, "type": "private", "first_name": "Ada"}
    return {"message_id": 2, "date": 1_700_000_000, "chat": chat, "from": _BOT, "text": "Hello"}


@contextlib.asynccontextmanager
async def serve() -> AsyncIterator[str]:
    """Run it while the block runs; gives its base address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.botapi", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


@dataclass
class _Mailbox:
    """What one bot has not fetched yet, and who was answered when."""

    updates: list[dict[str, Any]] = field(default_factory=list)
    poll: _Connection | None = None
    given_at: dict[int, float] = field(default_factory=dict)
    took_s: dict[int, float] = field(default_factory=dict)
    number: int = 0
    waited_for: int = 0
    is_polled: asyncio.Event = field(default_factory=asyncio.Event)
    all_answered: asyncio.Event = field(default_factory=asyncio.Event)

    def give(self) -> None:
        """Let the poll that waits have what there is."""
        connection, self.poll = self.poll, None
        if connection is not None:
            given, self.updates = self.updates, []
            now = time.perf_counter()
            self.given_at |= {update["message"]["chat"]["id"]: now for update in given}
            connection.answer(given)

    def receive(self, chat_id: int) -> None:
        """The bot wrote to a chat, or reacted to what was written there."""
        if (given_at := self.given_at.get(chat_id)) is not None:
            self.took_s.setdefault(chat_id, time.perf_counter() - given_at)
            if len(self.took_s) == self.waited_for:
                self.all_answered.set()

    async def feed(self, per_s: float, count: int) -> list[float]:
        """Let so many people, all of them new, write a message each; tell how many seconds each answer took."""
        self.given_at, self.took_s, self.waited_for = {}, {}, count
        self.all_answered.clear()
        await self.is_polled.wait()
        began_s = time.perf_counter()
        for sequence in range(count):
            await asyncio.sleep(began_s + sequence / per_s - time.perf_counter())
            self.number += 1
            self.updates.append(_update(self.number))
            self.give()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.all_answered.wait(), LATE_S)
        return list(self.took_s.values())


def _update(number: int) -> dict[str, Any]:
    person = {"id": 1000 + number, "first_name": "Ada", "language_code": "en"}
    message = {
        "message_id": 100_000 + number,
        "date": 1_700_000_000 + number,
        "chat": {**person, "type": "private"},
        "from": {**person, "is_bot": False},
        "text": "make me a film about the sea",
    }
    return {"update_id": number, "message": message}


_mailboxes: defaultdict[str, _Mailbox] = defaultdict(_Mailbox)


class _Connection(asyncio.Protocol):
    """Just as much HTTP/1.1 as the clients speak here."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def connection_lost(self, _error: Exception | None) -> None:
        for mailbox in _mailboxes.values():
            if mailbox.poll is self:
                mailbox.poll = None

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            body, self._received = self._received[end + 4 : whole], self._received[whole:]
            self._handle(head.split(b" ", 2)[1].decode(), body)

    def _handle(self, path: str, body: bytes) -> None:
        match path.split("/"):
            case ["", token, "sendMessage" | "setMessageReaction" as method]:
                chat = _CHAT.search(body)
                chat_id = int(chat[1]) if chat else 0
                _mailboxes[token].receive(chat_id)
                self.answer(_sent(chat_id) if method == "sendMessage" else True)
            case ["", token, "getUpdates"]:
                mailbox = _mailboxes[token]
                mailbox.poll = self
                mailbox.is_polled.set()
                timeout = _TIMEOUT.search(body)
                if mailbox.updates or timeout is None:
                    mailbox.give()
                else:
                    asyncio.get_running_loop().call_later(int(timeout[1]), self._give_up, mailbox)
            case ["", _, "getMe"]:
                self.answer(_BOT)
            case ["", "feed", token, per_s, count]:
                feeding = asyncio.create_task(_mailboxes[token].feed(float(per_s), int(count)))
                feeding.add_done_callback(lambda done: self.answer(done.result()))
            case ["", _, _]:
                self.answer(True)

    def _give_up(self, mailbox: _Mailbox) -> None:
        if mailbox.poll is self:
            mailbox.give()

    def answer(self, result: Any) -> None:
        """Send a successful answer."""
        body = json.dumps({"ok": True, "result": result}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        if not self._transport.is_closing():  # A poll's may be: who asked has gone.
            self._transport.write(head % len(body) + body)


async def _run() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_run())
