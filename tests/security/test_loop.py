"""No input of 100 kB from the service keeps another chat waiting, in CPU time of the loop's longest step."""

import asyncio
import copy
import gc
import json
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from bot.jobs.checkpoints import Turn
from bot.jobs.steps import agent_turn
from bot.jobs.steps.change_list import change_lines
from bot.jobs.steps.stream_timeout import StreamTimeout
from bot.jobs.steps.turn_draft import TurnLimits
from bot.nemo.drafts import Draft, bounded_draft
from bot.nemo.errors import NemoError
from bot.projects.projects import Project
from bot.runtime.clock import SystemClock
from bot.runtime.http import new_client
from bot.telegram.sending.markdown import to_pieces
from bot.words.screen_talk import remove_screen_talk
from tests.clocks import slowness
from tests.nemo.test_messages import END, WHO, answering, chunk

MAX_STEP_S = 0.25  # promised
SIZE = 100_000


class LongestStep:
    """Measures the CPU time of the loop's rounds, each of which takes the steps that are due; any loop has them."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self._began_s = time.thread_time()
        self._next = asyncio.get_running_loop().call_soon(self._measure)

    def _measure(self) -> None:
        now_s = time.thread_time()
        self.cpu_s = max(self.cpu_s, now_s - self._began_s)
        self._began_s = now_s
        self._next = asyncio.get_running_loop().call_soon(self._measure)

    def forget(self) -> None:
        """Measure from here on: what came before was the test's own work."""
        self._began_s = time.thread_time()

    def stop(self) -> None:
        """Measure the round that runs, and no other."""
        self._measure()
        self._next.cancel()


JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client() as client:
        yield client


@pytest.fixture
async def longest() -> AsyncIterator[LongestStep]:
    gc.disable()  # A collection would go through what thousands of other tests left.
    step = LongestStep()
    yield step
    step.stop()
    gc.enable()
    assert step.cpu_s > 0
    assert step.cpu_s < MAX_STEP_S or step.cpu_s < MAX_STEP_S * slowness()


def filled(pattern: str) -> str:
    return (pattern * (SIZE // len(pattern) + 1))[:SIZE]


def sse(*events: object) -> bytes:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


def said(text: str, *, partial: bool = False) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text}], "role": "model"}, "author": "a", "partial": partial}


TEXTS = {
    "nested lists": "- ",
    "deeper and deeper": "".join(f"{' ' * depth}- a\n" for depth in range(440)),
    "quotations": "> ",
    "links": "[a](https://e.example/a) ",
    "plain links": "https://e.example/a ",
    "fences": "```\nx\n",
    "one long fence": "```" + "x" * SIZE,
    "entities": "&amp;&lt;&#x41;",
    "a long table": "|a|b|c|\n|-|-|-|\n|1|2|3|\n",
    "a wide table": "|" + "a|" * 25_000 + "\n|" + "-|" * 25_000 + "\n",
    "headings": "# a\n",
    "empty headings": "a\n=\n",
    "dollar signs": "$",
    "empty formulas": "$$\n",
    "marks that never end": "**a ",
    "brackets": "[",
    "tags": "<a href=x>",
    "buttons in English": "Click the Export button. ",
    "buttons in Chinese": "点击导出按钮。",
    "quotation marks": 'press "Export" ',
}

STREAMS: dict[str, Callable[[], bytes]] = {
    "small pieces": lambda: sse(*(said("w ", partial=True) for _ in range(20_000))),
    "pieces that grow": lambda: sse(*(said("word " * number, partial=True) for number in range(200))),
    "nothing but keep-alives": lambda: b":\n" * (SIZE // 2),
    "deep JSON": lambda: b'data: {"content":' + b"[" * SIZE + b"\n\n",
    "deep objects": lambda: b"data: " + b'{"a":' * (SIZE // 5) + b"\n\n",
    "one long line": lambda: b"data: " + b"x" * SIZE + b"\n\n",
    "empty events": lambda: b"data: {}\n\n" * (SIZE // 10),
    "many parts": lambda: sse({"content": {"parts": [{"text": "a"}] * 8000}}),
    "many numbers": lambda: sse({"content": list(range(20_000))}),
    "an error": lambda: sse({"error": filled("RuntimeError: {'a': [")}),
    "many errors": lambda: sse(*({"error": "503"} for _ in range(5000))),
    "calls of tools": lambda: sse(
        *({"content": {"parts": [{"functionCall": {"name": f"t{n}", "args": {}}}]}} for n in range(1500))
    ),
    "results of tools": lambda: sse(
        {"content": {"parts": [{"functionResponse": {"name": "t", "response": {"a": filled("[{")}}}]}}
    ),
}


async def answer(client: httpx.AsyncClient, stream: bytes) -> str:
    """Read a stream as the step does, and convert its text as the chat gets it."""

    async def save(*_: object) -> None:
        pass

    clock = SystemClock()
    responder = SimpleNamespace(report_progress=lambda progress: None, send=save)
    attempt: Any = SimpleNamespace(
        clock=clock,
        responder=responder,
        save=save,
        load=lambda *_: None,
        turn_id=lambda number: number,
        job=SimpleNamespace(prompt="hi", language="en"),
    )
    project = cast(Project, SimpleNamespace(credentials=WHO, session_id="s"))
    async with answering(client, chunk(stream), END) as nemo:
        projects, nothing = cast(Any, SimpleNamespace(nemo=nemo)), cast(Any, None)
        turn = agent_turn.AgentTurn(projects, TurnLimits(), nothing, nothing, attempt, Turn())
        received = agent_turn._Received()
        await turn._consume(project, received, StreamTimeout(clock, 600, 900))
    return received.text.text


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
async def test_no_stream_keeps_others_waiting(
    http: httpx.AsyncClient, longest: LongestStep, stream: Callable[[], bytes]
) -> None:
    received = stream()
    longest.forget()
    await answer(http, received)


@pytest.mark.parametrize("pattern", TEXTS.values(), ids=TEXTS)
async def test_no_text_keeps_others_waiting(
    http: httpx.AsyncClient, longest: LongestStep, pattern: str
) -> None:
    text = agent_turn.bounded_answer(await answer(http, sse(said(filled(pattern)))))
    assert text
    await asyncio.sleep(0)
    cleaned = remove_screen_talk(text)
    await asyncio.sleep(0)
    to_pieces(cleaned.text)


def clip(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "name": f"clip {number}", "start": number, "duration": 5, **fields}


DRAFTS: dict[str, Any] = {
    "many clips": {"t": [{"tt": 0, "sg": [clip(number) for number in range(1700)]}]},
    "clips without ids": {"t": [{"tt": 0, "sg": [{"start": n, "duration": 1} for n in range(3000)]}]},
    "many tracks": {"t": [{"tt": 7, "sg": [{"text": "a"}]} for _ in range(3000)]},
    "empty clips": {"t": [{"tt": 0, "sg": [{}] * 2000} for _ in range(16)]},
    "names within names": {"t": [{"tt": 0, "sg": [{"m": {"meta": {"name": filled("a")}}}]}]},
}


@pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS)
async def test_no_draft_keeps_others_waiting(
    http: httpx.AsyncClient, longest: LongestStep, draft: Any
) -> None:
    other = copy.deepcopy(draft)
    for track in other["t"]:
        track["sg"] = [{**segment, "id": None, "name": "n", "start": 9} for segment in reversed(track["sg"])]
    bodies = [
        json.dumps({"code": 0, "data": {"state": {"draft": value}}}).encode() for value in (draft, other)
    ]
    longest.forget()
    read: list[Draft] = []
    for body in bodies:
        async with answering(http, chunk(body), END, head=JSON_HEAD) as nemo:
            found = (await nemo.get_state(WHO, "s")).draft
            assert found is not None
            read.append(found)
    await asyncio.sleep(0)
    bounded_draft(read[0])
    await asyncio.sleep(0)
    change_lines(*read)


DEEP = (b"[" * SIZE, b'{"data":' * (SIZE // 8), b'{"code":0,"data":' + b"[" * SIZE)


@pytest.mark.parametrize("body", DEEP, ids=["lists", "objects", "in an envelope"])
async def test_no_json_keeps_others_waiting(
    http: httpx.AsyncClient, longest: LongestStep, body: bytes
) -> None:
    async with answering(http, chunk(body), END, head=JSON_HEAD) as nemo:
        with pytest.raises(NemoError):
            await nemo.get_state(WHO, "s")
