"""Play a crowd against the stand-ins, and measure what the bot needs for it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from redis.asyncio import Redis
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeRemainingColumn

from bot.runtime.clock import SystemClock
from bot.sandbox import samples
from bot.sandbox.botapi.client import People, Person
from bot.sandbox.botapi.journal import Call
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import bot_process
from bot.sandbox.services import Services, serve_services
from bot.settings import Settings
from bot.store import keys
from bot.store.connect import open_store

PAUSE_S = (5.0, 25.0)  # between an answer and the same person's next request
PATIENCE_S = 180.0  # after which somebody asks for something else
LOOK_S = 0.05
SAMPLE_S = 1.0
CREDITS = 1_000_000

REQUESTS = ("words", "clip", "/credits", "/status")
SHARES = (6, 2, 1, 1)

FIRST_SIGNS = {"sendmessage", "setmessagereaction", "sendphoto", "sendvideo", "senddocument"}
VIDEOS = {"sendvideo", "senddocument"}


@dataclass(slots=True, eq=False)
class Request:
    """What somebody asked for, and how long it took.

    Attributes:
        answers: The methods of the Bot API that answer it.
        sent: When it was sent.
        first_sign_s: Seconds until the chat saw anything of it.
        answer_s: Seconds until it was answered.
    """

    answers: set[str]
    sent: datetime
    first_sign_s: float | None = None
    answer_s: float | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def see(self, call: Call) -> None:
        """Note a call of the bot in the same chat."""
        method = call.method.lower()
        if call.ended is None or call.started < self.sent or method not in FIRST_SIGNS:
            return
        after_s = (call.ended - self.sent).total_seconds()
        if self.first_sign_s is None:
            self.first_sign_s = after_s
        if method in self.answers:
            self.answer_s = after_s
            self.answered.set()


@dataclass(slots=True)
class Load:
    """What a crowd was, and what it took.

    Attributes:
        requests: All of them, in the order in which they were sent.
        waiting: Edits that waited in the store, each second.
        cpu_s: Seconds of processor time of the bot and its decoders, with its start and its end.
        peak_mb: The most memory of one of them.
        redis_commands: Commands that the store executed.
        duration_s: How long the crowd wrote.
    """

    requests: list[Request] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    redis_commands: int = 0
    duration_s: float = 0.0

    def rows(self) -> Iterator[tuple[str, str]]:
        """Return the lines of the table."""
        signs = [one.first_sign_s for one in self.requests if one.first_sign_s is not None]
        answers = [one.answer_s for one in self.requests if one.answer_s is not None]
        per_answer = 1 / max(1, len(answers))
        yield "Requests", f"{len(self.requests)}, {60 * len(self.requests) / self.duration_s:.0f} a minute"
        yield "First sign", _percentiles(signs)
        yield "Answers", f"{len(answers)}: {_percentiles(answers)}"
        yield "Unanswered", str(len(self.requests) - len(answers))
        yield "Queue", f"{max(self.waiting, default=0)} edits waiting at most"
        yield (
            "CPU",
            f"{100 * self.cpu_s / self.duration_s:.0f} % of a core, {1000 * self.cpu_s * per_answer:.0f} ms an answer",
        )
        yield "Memory", f"{self.peak_mb:.0f} MB at most"
        yield "Redis commands", f"{self.redis_commands}, {self.redis_commands * per_answer:.0f} an answer"


def _percentiles(seconds: Sequence[float]) -> str:
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    half, late = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"half within {half:.3g} s, 99 of 100 within {late:.3g} s"


async def run(chats: int, minutes: float, settings: Settings, stop: asyncio.Event) -> None:
    """Play a crowd and print the table.

    Args:
        chats: Number of people, each of whom writes in private.
        minutes: How long.
        settings: The operator's. Their numbers apply (limits, intervals, jobs at once), nothing that leads elsewhere.
        stop: Ends it early.
    """
    load = Load()
    with (
        tempfile.TemporaryDirectory(prefix="nemovideo-", ignore_cleanup_errors=True) as folder,
        _progress_bar(minutes * 60) as show,
    ):
        await _play(load, chats, minutes * 60, Path(folder), settings, stop, show)
    for name, value in load.rows():
        typer.echo(f"{name:<15} {value}")


async def _play(
    load: Load,
    chats: int,
    duration_s: float,
    work_dir: Path,
    settings: Settings,
    stop: asyncio.Event,
    show: Callable[[float, str], None],
) -> None:
    clip = samples.make_video(work_dir / "clip.mp4", 2)
    async with (
        open_store(None, work_dir / "store") as store,
        serve_services(work_dir / "services") as services,
        NemoControl(services.nemo_control_url, services.nemo_app) as nemo,
        People(services.people_url, app=services.telegram_app) as people,
    ):
        await nemo.set(anonymous_per_address=None, anonymous_credits=CREDITS)
        chosen = numbers(settings) | {"REDIS_URL": store.url}
        if settings.nemo_token is not None:
            chosen["NEMO_TOKEN"] = (await nemo.add_account(credits=CREDITS)).token
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        async with bot_process(services, work_dir / "bot", **chosen):
            await people.wait_calls("getMe", timeout_s=PATIENCE_S)
            crowd = _Crowd(load, services, clip, min(PAUSE_S[1], duration_s / 2))
            sent = await _commands(store.redis)
            began_s = asyncio.get_running_loop().time()
            async with crowd.writing([await people.person(f"Ada{number}") for number in range(chats)]):
                while load.duration_s < duration_s:
                    load.waiting.append(int(await store.redis.zcard(keys.WAITING_JOBS)))
                    show(load.duration_s, crowd.state())
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), SAMPLE_S)
                        break
                    load.duration_s = asyncio.get_running_loop().time() - began_s
            load.redis_commands = await _commands(store.redis) - sent
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    load.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    load.peak_mb = after.ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def numbers(settings: Settings) -> dict[str, str]:
    """Return those settings that are numbers, as environment variables."""
    return {
        name.upper(): str(value)
        for name, value in settings
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


class _Crowd:
    """People who each ask for something, wait for the answer, and go on after a pause.

    Args:
        load: Where their requests are noted.
        services: The stand-ins.
        clip: A video that they send.
        first_within_s: By when each has asked for the first time; in a short load too, there is something to measure.
    """

    def __init__(self, load: Load, services: Services, clip: Path, first_within_s: float) -> None:
        self._load = load
        self._services = services
        self._clip = clip
        self._first_within_s = first_within_s
        self._clock = SystemClock()
        self._open: dict[str, Request] = {}

    def state(self) -> str:
        """Return what to show beside the progress bar."""
        counts = Counter(one.answered.is_set() for one in self._load.requests)
        return f"{counts[True]} answered, {len(self._open)} open"

    @contextlib.asynccontextmanager
    async def writing(self, people: Sequence[Person]) -> AsyncIterator[None]:
        """Let them write while the block runs."""
        tasks = [asyncio.create_task(self._watch()), *(asyncio.create_task(self._one(one)) for one in people)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _watch(self) -> None:
        """Pass each call of the bot, once it has ended, to the request that is open in its chat."""
        calls, unended = self._services.telegram.journal.calls, list[Call]()
        seen = len(calls)
        while True:
            unended += calls[seen:]
            seen = len(calls)
            for call in unended:
                request = self._open.get(str(call.params.get("chat_id")))
                if request is not None and call.state == "ok":
                    request.see(call)
            unended = [call for call in unended if call.state == "running"]
            await self._clock.sleep(LOOK_S)

    async def _one(self, person: Person) -> None:
        await person.open()
        await self._clock.sleep(random.uniform(0, self._first_within_s))  # noqa: S311 - nothing secret
        while True:
            (kind,) = random.choices(REQUESTS, SHARES)  # noqa: S311
            is_edit = not kind.startswith("/")
            request = Request(VIDEOS if is_edit else FIRST_SIGNS - {"setmessagereaction"}, self._clock.now())
            self._open[str(person.id)] = request
            self._load.requests.append(request)
            await self._ask(person, kind)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(request.answered.wait(), PATIENCE_S)
            del self._open[str(person.id)]
            await self._clock.sleep(random.uniform(*PAUSE_S))  # noqa: S311

    async def _ask(self, person: Person, kind: str) -> Any:
        match kind:
            case "words":
                await person.say("make a 1 second video of a cat")
            case "clip":
                await person.send_file("video", self._clip, caption="trim it to 1 second")
            case _:
                await person.say(kind)


async def _commands(redis: Redis) -> int:
    stats: Any = await redis.info("stats")
    return int(stats["total_commands_processed"])


@contextlib.contextmanager
def _progress_bar(total_s: float) -> Iterator[Callable[[float, str], None]]:
    """Show a progress bar in a terminal, which is erased at the end."""
    columns = (
        *Progress.get_default_columns()[1:3],
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("", total=total_s, state="Starting")
        yield lambda done_s, state: bar.update(task, completed=done_s, state=state)
