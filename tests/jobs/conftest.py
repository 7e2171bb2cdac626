"""Queues on the real store, jobs to put into them, and responders that record what they are to send."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from cryptography.fernet import Fernet
from docket import Docket, Worker
from redis.asyncio import Redis

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.chats.token_cipher import TokenCipher
from bot.jobs.checkpoints import PROGRESS_MESSAGE, Checkpoint, Checkpoints, MessageSend, SentMessage
from bot.jobs.messages import LocalizedMessage, OutgoingMessage, Progress, TextMessage
from bot.jobs.model import Attachment, Job, JobKind, MessageLocation, QueueName, new_job_id
from bot.jobs.ports import ChatGone, OpenFile, Result, SendAlert
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.tickets import job_of
from bot.jobs.queue.usual_times import UsualTimes
from bot.jobs.worker.attempt import Attempt, JobEnded, Step
from bot.jobs.worker.position_messages import PositionMessages, Shown
from bot.jobs.worker.runner import JobRunner
from bot.nemo.errors import NemoError
from bot.runtime.clock import Clock
from bot.store import keys
from bot.store.connect import Store
from bot.store.docket_json import open_docket
from tests.clocks import HandClock

CHAT = ChatKey(4711, None)


def new_job(number: int = 0, **fields: Any) -> Job:
    given: dict[str, Any] = {
        "id": new_job_id(),
        "chat": CHAT,
        "queue": QueueName.MAIN,
        "kind": JobKind.EDIT,
        "requester_id": 5,
        "message_id": 10 + number,
        "language": "en",
        "asked_at": HandClock().now(),
        "prompt": f"request {number}",
    }
    return Job(**given | fields)


@dataclass
class Responders:
    """The chats' side of all jobs; keeps what was sent for each."""

    sent: list[tuple[str, str, OutgoingMessage]] = field(default_factory=list)
    shown: list[tuple[str, Any]] = field(default_factory=list)
    finished: list[tuple[str, LocalizedMessage | None]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)
    buttonless: list[tuple[str, int]] = field(default_factory=list)
    failing: dict[str, Exception] = field(default_factory=dict)
    edited: list[tuple[int, LocalizedMessage]] = field(default_factory=list)
    announcing: Callable[[], Any] | None = None
    saves_on_send: bool = False

    def open(self, job: Job, checkpoints: Checkpoints) -> "RecordingResponder":
        return RecordingResponder(self, job, checkpoints)

    async def edit(
        self,
        message: MessageLocation,
        shown: Shown | Callable[[], Awaitable[Shown | None]],
    ) -> None:
        if (view := await shown() if callable(shown) else shown) is not None:
            self.edited.append((message.message_id, view[0]))

    def keys_of(self, job: Job) -> list[str]:
        return [m.key for job_id, _, m in self.sent if job_id == job.id and isinstance(m, LocalizedMessage)]


@dataclass
class RecordingResponder:
    """Sends for one job."""

    responders: Responders
    job: Job
    checkpoints: Checkpoints
    now: Progress | None = None
    send_limit_bytes: int = 50
    can_stream_upload: bool = False
    result_path: Path = Path()

    def _fail(self, what: str) -> None:
        if what in self.responders.failing:
            raise self.responders.failing[what]

    def begin_variation(self, number: int, count: int, name: LocalizedMessage) -> None:
        raise NotImplementedError

    def end_variation(self) -> None:
        raise NotImplementedError

    async def deliver_album(
        self, idempotency_key: str, results: Sequence[Result], caption: TextMessage
    ) -> list[SentMessage] | None:
        raise NotImplementedError

    def report_progress(self, progress: Progress) -> None:
        self.now = progress

    async def show_progress(self) -> None:
        self._fail("show")
        if self.checkpoints.load(MessageSend, PROGRESS_MESSAGE) is None:
            if self.responders.announcing is not None:
                await self.responders.announcing()
            self.responders.shown.append((self.job.id, self.now and self.now.params.get("position")))
            sent = SentMessage(message_id=len(self.responders.shown), telegram_chat_id=self.job.chat.chat_id)
            await self.checkpoints.save(MessageSend(sent=sent), PROGRESS_MESSAGE)

    async def flush_progress(self) -> None:
        await self.show_progress()

    async def conclude(self, *, is_done: bool) -> None:
        pass

    async def react(self, emoji: str) -> bool:
        raise NotImplementedError

    async def send_again(self, idempotency_key: str, file: Attachment, caption: str) -> None:
        raise NotImplementedError

    async def post(self, channel_id: int, file: Attachment, caption: str) -> str | None:
        raise NotImplementedError

    async def send_file(
        self, idempotency_key: str, name: str, content_type: str, content: bytes, send_as: str = ""
    ) -> None:
        raise NotImplementedError

    async def send(self, idempotency_key: str, message: OutgoingMessage) -> None:
        self._fail("say")
        if self.responders.saves_on_send:
            await self.checkpoints.save(MessageSend(), idempotency_key)
        self.responders.sent.append((self.job.id, idempotency_key, message))

    def prefetch_file(self, file: Attachment) -> None:
        raise NotImplementedError

    def open_file(self, file: Attachment) -> contextlib.AbstractAsyncContextManager[OpenFile]:
        raise NotImplementedError

    async def delete_file_copies(self) -> None:
        self.responders.released.append(self.job.id)

    async def discard_result(self) -> None:
        self.responders.discarded.append(self.job.id)

    async def deliver(self, idempotency_key: str, result: Result) -> SentMessage:
        raise ChatGone

    async def delete_message(self, telegram_chat_id: int, message_id: int, *, only_buttons: bool) -> bool:
        assert only_buttons
        self.responders.buttonless.append((self.job.id, message_id))
        return True

    async def finish_progress(self, closing: LocalizedMessage | None) -> None:
        self._fail("finish")
        self.responders.finished.append((self.job.id, closing))

    async def close(self) -> None:
        self.responders.closed.append(self.job.id)


class Noted(Checkpoint):
    """A checkpoint of steps that tests make up."""

    name = "noted"
    value: int = 0


@dataclass(frozen=True)
class FunctionStep:
    """A step that does what a test's function does."""

    run: Callable[[Attempt], Awaitable[None]]
    name: str = "made_up"

    async def __call__(self, attempt: Attempt) -> None:
        await self.run(attempt)


@dataclass
class Workplace:
    """One process: queues, and what runs their jobs."""

    docket: Docket
    job_queue: JobQueue
    runner: JobRunner


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def docket(store: Store) -> AsyncIterator[Docket]:
    async with open_docket(keys.DOCKET, store.url, timedelta(minutes=1)) as opened:
        yield opened


@pytest.fixture
def job_queue(redis: Redis, docket: Docket, clock: HandClock) -> JobQueue:
    return JobQueue(redis, docket, clock, queue_limit=5)


@pytest.fixture
def responders() -> Responders:
    return Responders()


def new_chats(redis: Redis) -> Chats:
    return Chats(redis, TokenCipher([Fernet.generate_key().decode()]))


@pytest.fixture
def chats(redis: Redis) -> Chats:
    return new_chats(redis)


async def end_by(job: Job, error: NemoError) -> JobEnded:
    return JobEnded(LocalizedMessage("error.nemo_down"))


def new_runner(
    job_queue: JobQueue,
    redis: Redis,
    responders: Responders,
    clock: Clock,
    steps: Mapping[JobKind, Sequence[Step]],
    max_attempts: int = 5,
    send_alert: SendAlert | None = None,
) -> JobRunner:
    chats = new_chats(redis)
    positions = PositionMessages(job_queue, UsualTimes(redis), responders, chats, clock, responders.edit)
    return JobRunner(
        job_queue,
        redis,
        chats,
        responders,
        clock,
        steps,
        max_attempts,
        positions,
        end_by,
        send_alert or AsyncMock(),
    )


async def tickets(docket: Docket) -> list[tuple[str, str, str]]:
    """Queue, job and key of each ticket that waits for a worker."""
    there = await docket.snapshot()
    return [(str(one.args[0]), job_of(one.key), one.key) for one in (*there.future, *there.running)]


@contextlib.asynccontextmanager
async def workplace(
    store: Store,
    clock: Clock,
    responders: Responders,
    step: Callable[[Attempt], Awaitable[None]] | Sequence[Step] = (),
    *,
    max_attempts: int = 5,
) -> AsyncIterator[Workplace]:
    """A docket client of its own, as a process has."""
    steps = {kind: [FunctionStep(step)] if callable(step) else step for kind in JobKind}
    async with open_docket(keys.DOCKET, store.url, timedelta(minutes=1)) as docket:
        job_queue = JobQueue(store.redis, docket, clock, queue_limit=50)
        yield Workplace(
            docket,
            job_queue,
            new_runner(job_queue, store.redis, responders, clock, steps, max_attempts),
        )


@contextlib.asynccontextmanager
async def working(
    place: Workplace, name: str, concurrency: int = 10, redelivery_s: int = 5
) -> AsyncIterator[Worker]:
    """A real worker that takes tickets; ends as the bot's does."""
    worker = Worker(
        place.docket,
        name=name,
        concurrency=concurrency,
        redelivery_timeout=timedelta(seconds=redelivery_s),
        minimum_check_interval=timedelta(milliseconds=10),
        scheduling_resolution=timedelta(milliseconds=10),
        schedule_automatic_tasks=False,
    )
    async with worker:
        task = asyncio.create_task(worker.run_forever())
        try:
            yield worker
        finally:
            task.cancel()
            place.runner.drain()
            await asyncio.gather(task, return_exceptions=True)
