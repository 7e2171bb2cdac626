"""What a progress message tells: how far off its "about 40 s left" is, and whether its bar goes back or stands still.

The real bot in virtual time, against NemoVideo's stand-in: a clip and a request 60 times, of which half are edits, a
sixth generates audio, and a third generates video. Every stage takes what the service's documents say, evenly spread
over the whole range; the bot knows none of it before it has finished some. An error is when the stage would end as the
message told it, against when it ended, as a share of the stage; the median is over every text that told a time.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from bot.sandbox import samples
from bot.sandbox.botapi.client import People, Person, Seen
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import running_bot
from bot.sandbox.services import serve_services
from bot.sandbox.skipping_clock import SkippingClock
from bot.store.connect import open_store
from tests.bench.table import Figure, alone

JOBS = 60
PATIENCE_S = 60.0
TOKEN = "nmv_usr_bench"
MOVES_WITHIN_S = 15.0

_TOOLS = (("edit_draft", (10, 30)), ("generate_music", (60, 120)), ("generate_video", (100, 300)))
_RENDER_S, _READING_S = (30, 90), (2, 8)
_LEFT = re.compile(r"about (?:(\d+) min)? ?(?:(\d+) s)? left")
_PERCENT = re.compile(r"(\d+)% ·")


@dataclass(slots=True)
class Told:
    """What the messages of all jobs told."""

    turn_errors: list[float]  # of each time left of the agent's work, as a share of it
    render_errors: list[float]  # likewise
    percents: list[list[tuple[float, int]]]  # each job's bar: seconds, percent


async def measure() -> list[Figure]:
    """Play all jobs, and read what people saw."""
    told = await _play()
    back = sum(after < before for bar in told.percents for (_, before), (_, after) in pairwise(bar))
    return [
        alone("progress message: error of the agent's time left", told.turn_errors, unit="", goal=0.2),
        alone("progress message: error of the render's time left", told.render_errors, unit="", goal=0.2),
        alone("progress message: how often the bar goes back in 60 jobs", [back], unit="", goal=0),
        alone(
            "progress message: the longest time that a bar stands still",
            [max(map(_longest_stand_s, told.percents))],
            unit="s",
            goal=MOVES_WITHIN_S,
        ),
    ]


async def _play() -> Told:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    clock, dice = SkippingClock(10, starts_at=noon), random.Random(18)  # noqa: S311 - a seed
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        clip = samples.make_video(folder / "clip.mp4", 2, 160, 90)
        store = await stack.enter_async_context(open_store(None, folder / "bot"))
        await stack.enter_async_context(clock.running(store.redis.ping))
        services = await stack.enter_async_context(serve_services(folder / "services", clock))
        people = await stack.enter_async_context(People(services.people_url, app=services.telegram_app))
        nemo = await stack.enter_async_context(NemoControl(services.nemo_control_url, services.nemo_app))
        await nemo.add_account(token=TOKEN, credits=10**6, may_render=True)
        settings = {
            "redis_url": store.url,
            "nemo_token": TOKEN,
            "daily_jobs_per_person": 0,
            "daily_jobs_per_chat": 0,
        }
        await stack.enter_async_context(running_bot(services, folder / "bot", clock, **settings))
        ada, told = await people.person(), Told([], [], [])
        await ada.open()
        for number in range(JOBS):
            tool, range_s = _TOOLS[(0, 2, 0, 2, 0, 1)[number % 6]]
            await nemo.set(pace={"render_s": dice.uniform(*_RENDER_S), "upload_s": dice.uniform(*_READING_S)})
            await nemo.script(
                [
                    {"wait_s": 3},
                    {"tool": {"name": tool, "args": {}, "result": {"status": "processing"}}},
                    {"wait_s": dice.uniform(*range_s) - 3},
                    {"edit": f'add a title "{number}"'},
                    {"text": "There it is."},
                ]
            )
            with clock.held():
                asked = await ada.send_file("video", clip, caption=f"title {number}")
            await _read(told, await _progress_message(ada, asked), nemo)
        return told


async def _progress_message(ada: Person, asked: Seen) -> Seen:
    """Wait for the job's video, and return its progress message."""
    await ada.chat.wait(kind="video", after=asked.id, timeout_s=PATIENCE_S)
    messages = await ada.chat.messages(deleted=True, from_bots=True, after=asked.id)
    return next(one for one in messages if _PERCENT.search(one.versions[-1].get("text", "")))


async def _read(told: Told, message: Seen, nemo: NemoControl) -> None:
    texts = [
        (datetime.fromisoformat(at), version.get("text", ""))
        for at, version in zip(message.stamps, message.versions, strict=True)
    ]
    began = texts[0][0]
    told.percents.append(
        [
            ((at - began).total_seconds(), int(found[1]))
            for at, text in texts
            if (found := _PERCENT.search(text))
        ]
    )
    requests = [one for one in await nemo.requests() if one.at >= began]
    turn = next(one for one in requests if one.endpoint == "message")
    render = next(one for one in requests if one.endpoint == "render")
    last_look = [one for one in requests if one.endpoint == "render-status"][-1]
    assert turn.ended_at is not None
    told.turn_errors += _errors(texts, turn.at, turn.ended_at)
    told.render_errors += _errors(texts, render.at, last_look.at)


def _errors(texts: Sequence[tuple[datetime, str]], start: datetime, end: datetime) -> Iterator[float]:
    for at, text in texts:
        if start <= at < end and (found := _LEFT.search(text)):
            left_s = 60 * int(found[1] or 0) + int(found[2] or 0)
            really_s = (end - at).total_seconds()
            yield abs(left_s - really_s) / (end - start).total_seconds()


def _longest_stand_s(bar: Sequence[tuple[float, int]]) -> float:
    longest_s, since_s = 0.0, bar[0][0]
    for (_, before), (at_s, after) in pairwise(bar):
        if after != before:
            longest_s, since_s = max(longest_s, at_s - since_s), at_s
    return max(longest_s, bar[-1][0] - since_s)
