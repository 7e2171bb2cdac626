"""Telegram and NemoVideo in one server, for thousands of chats: it answers from memory, and is not the bottleneck.

It knows no more than what a request in words needs up to the agent's answer, and keeps each turn's event stream open
until it is told to end it. The full stand-ins of ``bot/sandbox`` take longer for a call than the bot does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, cast
from urllib.parse import parse_qs

BOT_ID = 110201543
TOKEN = f"{BOT_ID}:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
BATCH = 100
"""Updates in one answer, as of Telegram."""

_JSON_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class Crowd:
    """Many people who write to one bot, and the agent that works for all of them.

    Attributes:
        streams: Turns whose agent is at work and whose job listens, the oldest first.
        answered: Chats that were told the agent's answer.
        ended: Chats whose progress message was taken away after it: the last that a job does.
        delays_s: Of all presses that were answered, in their order.
        sends: Messages that the bot sent.
        signs_s: How long each chat waited for the first reaction or message, from its first request on.
    """

    def __init__(self) -> None:
        self.streams: list[_Line] = []
        self.answered: set[int] = set()
        self.ended: set[int] = set()
        self.delays_s: list[float] = []
        self.sends = 0
        self.signs_s: dict[int, float] = {}
        self._wrote_s: dict[int, float] = {}
        self._updates: list[dict[str, Any]] = []
        self._update_ids = itertools.count(1)
        self._message_ids = itertools.count(1)
        self._session_ids = itertools.count(1)
        self._pressed_s: dict[str, float] = {}
        self._poll: tuple[_Line, int] | None = None
        self._changed = asyncio.Event()

    def write(self, chat_id: int, text: str) -> None:
        """Somebody writes to the bot in private."""
        self._wrote_s.setdefault(chat_id, time.monotonic())
        self._push({"message": _message(next(self._message_ids), chat_id, text, chat_id)})

    def press(self, chat_id: int) -> None:
        """Somebody presses a button of long ago, which the bot answers all the same."""
        query = f"query{len(self._pressed_s)}"
        self._pressed_s[query] = time.monotonic()
        message = _message(1, chat_id, "pressed", BOT_ID)
        self._push(
            {
                "callback_query": {
                    "id": query,
                    "from": _person(chat_id),
                    "chat_instance": "1",
                    "message": message,
                    "data": "of long ago",
                }
            }
        )

    def leave(self, chat_id: int) -> None:
        """Somebody blocks the bot, which cancels all that they have asked for."""
        member, bot = {"status": "member"}, {"id": BOT_ID, "is_bot": True, "first_name": "Bot"}
        self._push(
            {
                "my_chat_member": {
                    "chat": {"id": chat_id, "type": "private", "first_name": f"Ada{chat_id}"},
                    "from": _person(chat_id),
                    "date": int(time.time()),
                    "old_chat_member": {**member, "user": bot},
                    "new_chat_member": {"status": "kicked", "user": bot, "until_date": 0},
                }
            }
        )

    def end_turn(self) -> None:
        """The agent says its last word to whoever has waited for longest."""
        line = self.streams.pop(0)
        line.send_event({"content": {"parts": [{"text": "There is nothing to cut yet."}]}})
        line.end_stream()

    async def until(self, holds: Callable[[], bool], patience_s: float) -> None:
        """Wait for something that the bot does.

        Raises:
            TimeoutError: It did not.
        """
        async with asyncio.timeout(patience_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Serve both under one address while the block runs."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Line(self), "127.0.0.1", 0, backlog=4096)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()

    def take(self, line: _Line, path: str, body: bytes) -> None:
        """Answer a request."""
        method = path.rpartition("/")[2]
        if path == "/run_sse":
            line.begin_stream()
            line.send_event({"content": {"parts": [{"text": "Let me see."}]}, "partial": True})
            self.streams.append(line)
        elif not path.startswith("/bot"):
            line.send_json({"code": 0, "message": "ok", "data": self._of_nemo(path)})
        elif method == "getUpdates":
            self._poll = (line, int(_form(body).get("offset", "0")))
            self._answer_poll()
        else:
            line.send_json({"ok": True, "result": self._of_telegram(method, _form(body))})
        self._changed.set()

    def lose(self, line: _Line) -> None:
        """Forget a connection that the bot has closed, perhaps within an answer."""
        if line in self.streams:
            self.streams.remove(line)
            self._changed.set()

    def _of_nemo(self, path: str) -> dict[str, Any]:
        number = next(self._session_ids)
        match path.split("/")[1:]:
            case ["api", "auth", "anonymous-token"]:
                return {"token": f"token{number}", "user_id": f"user{number}", "credits": 100}
            case ["api", "credits", *_]:
                return {"available": 100, "frozen": 0, "total": 100}
            case ["api", "auth", "claim-token"]:
                return {"claim_token": f"claim{number}", "expires_in": 604_800}
            case ["api", "tasks", *_]:
                return {"session_id": f"session{number}", "task_id": f"task{number}", "user_id": "me"}
            case ["api", "state", _, _, session_id, _]:
                return {"state": {}, "task_id": "task", "session_id": session_id}
        raise ValueError(f"nobody answers {path}")

    def _of_telegram(self, method: str, form: dict[str, str]) -> Any:
        if method in ("sendMessage", "setMessageReaction"):
            chat_id = int(form["chat_id"])
            self.signs_s.setdefault(chat_id, time.monotonic() - self._wrote_s[chat_id])
        match method:
            case "getMe":
                return {"id": BOT_ID, "is_bot": True, "first_name": "Bot", "username": "a_bot"}
            case "sendMessage":
                self.sends += 1
                chat_id = int(form["chat_id"])
                if "nothing to cut" in form["text"]:
                    self.answered.add(chat_id)
                return _message(next(self._message_ids), chat_id, form["text"], BOT_ID)
            case "deleteMessage" if int(form["chat_id"]) in self.answered:
                self.ended.add(int(form["chat_id"]))
            case "answerCallbackQuery":
                self.delays_s.append(time.monotonic() - self._pressed_s[form["callback_query_id"]])
        return True

    def _push(self, update: dict[str, Any]) -> None:
        self._updates.append({"update_id": next(self._update_ids), **update})
        self._answer_poll()

    def _answer_poll(self) -> None:
        if self._poll is None:
            return
        line, offset = self._poll
        while self._updates and self._updates[0]["update_id"] < offset:
            self._updates.pop(0)
        if self._updates:
            self._poll = None
            line.send_json({"ok": True, "result": self._updates[:BATCH]})


class _Line(asyncio.Protocol):
    """A connection: one request after another."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        fields = head.lower().split(b"\r\n")
        length = next((int(one[15:]) for one in fields if one.startswith(b"content-length:")), 0)
        if end and len(rest) >= length:
            self._received = b""
            path = head.split(b" ", 2)[1].decode().partition("?")[0]
            self._crowd.take(self, path, rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.lose(self)

    def send_json(self, body: object) -> None:
        """Answer a request."""
        text = json.dumps(body).encode()
        self._transport.write(_JSON_HEAD.format(len(text)).encode() + text)

    def begin_stream(self) -> None:
        """Answer a request with events, from now on."""
        self._transport.write(_STREAM_HEAD)

    def send_event(self, body: object) -> None:
        """One of them."""
        event = b"data: %b\n\n" % json.dumps(body).encode()
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))

    def end_stream(self) -> None:
        """No more of them."""
        self._transport.write(b"0\r\n\r\n")


def _form(body: bytes) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(body.decode()).items()}


def _person(user_id: int) -> dict[str, Any]:
    return {"id": user_id, "is_bot": False, "first_name": f"Ada{user_id}", "language_code": "en"}


def _message(message_id: int, chat_id: int, text: str, sender: int) -> dict[str, Any]:
    credentials = {"id": BOT_ID, "is_bot": True, "first_name": "Bot"} if sender == BOT_ID else _person(sender)
    return {
        "message_id": message_id,
        "date": int(time.time()),
        "chat": {"id": chat_id, "type": "private", "first_name": f"Ada{chat_id}"},
        "from": credentials,
        "text": text,
    }
