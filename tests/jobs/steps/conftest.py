"""One step at a time: checkpoints in memory, a responder that records, and NemoVideo's stand-in over HTTP."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bot.chats.chats import Chat, ChatFields, Chats
from bot.chats.key import ChatKey
from bot.chats.token_cipher import TokenCipher
from bot.jobs.checkpoints import C, Checkpoint, Checkpoints, SentMessage, field_of
from bot.jobs.messages import LocalizedMessage, OutgoingMessage, Progress, TextMessage
from bot.jobs.model import Attachment, Job, JobState, QueueName
from bot.jobs.ports import FileGone, OpenFile, Result
from bot.jobs.queue.album import GatheredJob, RequestPart
from bot.jobs.queue.claimed_job import ClaimedJob, CloseOutcome, SaveOutcome
from bot.jobs.queue.credit_limits import CreditLimits, DailyCredits
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.queue.open_questions import AnswerOutcome
from bot.jobs.queue.usual_times import UsualTimes
from bot.jobs.steps.deliver import Deliver
from bot.jobs.steps.export import Export, RenderLimits
from bot.jobs.worker.attempt import Attempt
from bot.jobs.worker.lost_project import LostProject
from bot.nemo.client import NemoClient
from bot.projects.guest_account_count import GuestAccountCounter
from bot.projects.operator_token import OperatorToken
from bot.projects.projects import ProjectOptions, Projects
from bot.runtime.http import new_client
from bot.sandbox.nemovideo.app import create_app
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.drafts import Draft
from bot.skills.cards import SkillCards
from bot.web.serve import serve
from tests.cards import built_in_cards
from tests.clocks import FastClock
from tests.jobs.conftest import new_job

SPEED = 100.0
"""How many seconds of the clock pass in a real one: few enough that no stream is taken for a silent one."""


@dataclass
class MemoryQuestions:
    """What steps need of the open questions."""

    asking: str | None = None
    asked: list[str] = field(default_factory=list)
    answers: list[tuple[str, str, list[str]]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    async def asking_job_id(self, chat: object) -> str | None:
        return self.asking

    async def ask(self, job: Job, attempt: int, number: str) -> None:
        self.asked.append(number)

    async def open_question_id(self, job: Job) -> str | None:
        return self.asked[-1] if self.asked else None

    async def ticked_options(self, job: Job) -> list[int]:
        return []

    async def answer(self, job: Job, number: str, words: Sequence[str], mark: str) -> AnswerOutcome:
        if mark in self.marks:
            return AnswerOutcome.REPEATED
        if self.asking is None:
            return AnswerOutcome.OVER
        self.marks.append(mark)
        self.answers.append((job.id, number, list(words)))
        return AnswerOutcome.ANSWERED


@dataclass
class MemoryQueue:
    """What an attempt and the quick steps need of the chats' queues, without a store."""

    gathered_job: GatheredJob
    saved: dict[str, Any] = field(default_factory=dict)
    upload_sizes: list[int] = field(default_factory=list)
    closed_at: int | None = None
    joins: list[GatheredJob] = field(default_factory=list)
    waiting: dict[str, JobStatus] = field(default_factory=dict)
    saved_waiting: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    is_stopped: bool = False
    cancelled: list[str] = field(default_factory=list)
    questions: MemoryQuestions = field(default_factory=MemoryQuestions)
    enqueued: dict[str, Job] = field(default_factory=dict)

    async def enqueue(self, jobs: list[Job], mark: str) -> bool:
        is_new = mark not in self.enqueued
        self.enqueued.setdefault(mark, *jobs)
        return is_new

    async def checkpoints(self, job: Job) -> Checkpoints:
        return Checkpoints(self.saved)

    async def load_checkpoint(self, job: Job, checkpoint: type[C], key: str = "") -> C | None:
        value = self.saved.get(field_of(checkpoint, key))
        return None if value is None else checkpoint.model_validate(value)

    async def save(self, claimed: ClaimedJob, values: Mapping[str, Any]) -> SaveOutcome:
        # As the store has it: what a class reads back has been JSON.
        self.saved |= json.loads(json.dumps(values))
        return SaveOutcome.OK

    async def save_waiting(self, job: Job, values: Mapping[str, Any]) -> None:
        self.saved_waiting[job.id] = values

    async def checkpoint(self, job: Job, name: str) -> Any:
        return self.saved.get(name)

    async def gathered(self, job: Job) -> GatheredJob:
        return self.gathered_job

    async def close(self, claimed: ClaimedJob, version: int) -> CloseOutcome:
        if self.joins:
            # More joins the job while the first files are on their way.
            self.gathered_job = self.joins.pop(0)
        if self.gathered_job.version != version:
            return CloseOutcome.CHANGED
        self.closed_at = version
        return CloseOutcome.OK

    async def record_upload_size(self, claimed: ClaimedJob, size: int) -> None:
        self.upload_sizes.append(size)

    async def current(self, chat: object, queue: QueueName) -> list[str]:
        return list(self.waiting)

    async def find(self, chat: object, job_id: str) -> JobStatus | None:
        return self.waiting.get(job_id)

    async def is_paused(self) -> bool:
        return self.is_stopped

    async def cancel(self, chat: object, queue: QueueName, job_id: str) -> JobState | None:
        self.cancelled.append(job_id)
        status = self.waiting.get(job_id)
        return None if status is None else status.state


@dataclass
class RecordingResponder:
    """Records what the chat gets; files are read from memory."""

    result_path: Path
    send_limit_bytes: int = 50_000_000
    can_stream_upload: bool = False
    files: dict[str, bytes | Exception] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    may_delete: bool = True
    sent: dict[str, OutgoingMessage] = field(default_factory=dict)
    reported: list[Progress] = field(default_factory=list)
    delivered: list[tuple[str, Result]] = field(default_factory=list)
    deleted: list[tuple[int, int, bool]] = field(default_factory=list)
    released: int = 0
    sent_files: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    kinds_sent: dict[str, str] = field(default_factory=dict)
    takes_albums: bool = True
    album_error: Exception | None = None
    albums: list[tuple[list[Result], TextMessage]] = field(default_factory=list)
    gone_file_ids: set[str] = field(default_factory=set)
    again: dict[str, tuple[str, str]] = field(default_factory=dict)
    posted: list[tuple[int, str, str]] = field(default_factory=list)
    post_result: str | Exception | None = "https://t.me/c/9/1"

    @property
    def stages(self) -> list[str]:
        """The stages that were reported, in order."""
        return [progress.stage for progress in self.reported]

    @property
    def keys(self) -> list[str]:
        """The keys of the texts that were sent, in order."""
        return [message.key for message in self.sent.values() if isinstance(message, LocalizedMessage)]

    def begin_variation(self, number: int, count: int, name: LocalizedMessage) -> None:
        self.result_path = self.result_path.with_name(f"result-{number}.mp4")

    def end_variation(self) -> None:
        self.result_path = self.result_path.with_name("result.mp4")

    def report_progress(self, progress: Progress) -> None:
        self.reported.append(progress)

    async def show_progress(self) -> None:
        pass

    async def flush_progress(self) -> None:
        pass

    async def conclude(self, *, is_done: bool) -> None:
        pass

    async def react(self, emoji: str) -> bool:
        raise NotImplementedError

    async def send_file(
        self, idempotency_key: str, name: str, content_type: str, content: bytes, send_as: str = ""
    ) -> None:
        self.sent_files.setdefault(idempotency_key, (name, content_type, content))
        self.kinds_sent[idempotency_key] = send_as

    async def send(self, idempotency_key: str, message: OutgoingMessage) -> None:
        self.sent.setdefault(idempotency_key, message)

    async def send_again(self, idempotency_key: str, file: Attachment, caption: str) -> None:
        if file.file_id in self.gone_file_ids:
            raise FileGone
        self.again.setdefault(idempotency_key, (file.file_id, caption))

    async def post(self, channel_id: int, file: Attachment, caption: str) -> str | None:
        if isinstance(self.post_result, Exception):
            raise self.post_result
        self.posted.append((channel_id, file.file_id, caption))
        return self.post_result

    def prefetch_file(self, file: Attachment) -> None:
        self.opened.append(f"expected {file.file_id}")

    @contextlib.asynccontextmanager
    async def open_file(self, file: Attachment) -> AsyncIterator[OpenFile]:
        self.opened.append(file.file_id)
        data = self.files[file.file_id]
        if isinstance(data, Exception):
            raise data

        async def chunks() -> AsyncIterator[bytes]:
            yield data

        yield OpenFile(file.name, len(data), file.content_type, chunks())

    async def delete_file_copies(self) -> None:
        self.released += 1

    async def discard_result(self) -> None:
        pass

    async def deliver(self, idempotency_key: str, result: Result) -> SentMessage:
        if result.exported.file_id in self.gone_file_ids:
            raise FileGone
        if result.arriving is not None:
            await result.arriving.wait_for_end()
        self.delivered.append((idempotency_key, result))
        return SentMessage(
            file_id="" if result.exported.link else "file of the result",
            picture_id="its cover",
            message_id=77,
            telegram_chat_id=4711,
        )

    async def deliver_album(
        self, idempotency_key: str, results: Sequence[Result], caption: TextMessage
    ) -> list[SentMessage] | None:
        if self.album_error is not None:
            raise self.album_error
        if not self.takes_albums:
            return None
        self.albums.append((list(results), caption))
        return [
            SentMessage(file_id=f"file {number}", message_id=77 + number, telegram_chat_id=4711)
            for number in range(len(results))
        ]

    async def delete_message(self, address: int, message_id: int, *, only_buttons: bool) -> bool:
        self.deleted.append((address, message_id, only_buttons))
        return self.may_delete

    async def finish_progress(self, closing: LocalizedMessage | None) -> None:
        pass

    async def close(self) -> None:
        pass


@dataclass
class MemoryTopics:
    """The topics of a private chat, by their ids; without a next one none can be opened."""

    names: dict[int, str] = field(default_factory=dict)
    next_id: int | None = None

    async def open(self, chat: ChatKey, name: str) -> ChatKey | None:
        if self.next_id is None:
            return None
        self.names[self.next_id] = name
        return ChatKey(chat.chat_id, self.next_id)

    async def rename(self, topic: ChatKey, name: str) -> bool:
        if topic.topic_id in self.names:
            self.names[topic.topic_id] = name
        return topic.topic_id is None or topic.topic_id in self.names


@dataclass
class Rig:
    """A chat's project at the stand-in, and attempts at its jobs."""

    nemo: NemoControl
    projects: Projects
    cards: SkillCards
    clock: FastClock
    responder: RecordingResponder
    credit_limits: CreditLimits
    usual_times: UsualTimes
    topics: MemoryTopics = field(default_factory=MemoryTopics)

    def attempt(
        self,
        job: Job | None = None,
        *saved: Checkpoint | tuple[Checkpoint, str],
        parts: Iterable[RequestPart] = (),
        values: Mapping[str, Any] | None = None,
    ) -> Attempt:
        """Begin an attempt at a job of which an earlier one has saved checkpoints, some of them under keys."""
        parts = tuple(parts)
        job = job or self.job()
        gathered = GatheredJob(job, parts, version=1 if parts else 0, last_at=0.0)
        given = dict(values or {})
        for entry in saved:
            checkpoint, key = entry if isinstance(entry, tuple) else (entry, "")
            given[field_of(type(checkpoint), key)] = checkpoint.model_dump(mode="json")
        queue = MemoryQueue(gathered, saved=dict(given))
        claimed = ClaimedJob(
            gathered, 2 if given else 1, 1, given, cancelled=False, has_position_message=False
        )
        attempt = Attempt(claimed, cast(JobQueue, queue), self.clock)
        attempt.responder = self.responder
        attempt.lost = LostProject(attempt, self.projects.chats)
        return attempt

    @property
    def export(self) -> Export:
        """The step, which polls often."""
        return Export(self.projects, RenderLimits(poll_s=1), self.cards, self.usual_times)

    @property
    def deliver(self) -> Deliver:
        """The step."""
        return Deliver(self.projects, self.export, self.usual_times)

    def job(self, **fields: Any) -> Job:
        return new_job(**{"asked_at": self.clock.now(), **fields})

    async def open_project(self, draft: Draft | None = None) -> Chat:
        """Make the chat's project, with a draft in it."""
        job = self.job()
        project = await self.projects.open(job)
        await self.projects.chats.update(job.chat, ChatFields(greeted=True))
        if draft is not None:
            await self.nemo.set_draft(project.session_id, draft)
        return await self.projects.chats.get(job.chat)


def queue_of(attempt: Attempt) -> MemoryQueue:
    """The queue in memory that an attempt works with."""
    return cast(MemoryQueue, attempt.job_queue)


def again(attempt: Attempt) -> Attempt:
    """Begin the next attempt at the same job, with what this one saved."""
    queue = queue_of(attempt)
    claimed = replace(attempt.claimed, gathered=queue.gathered_job, attempt=2, checkpoints=dict(queue.saved))
    following = Attempt(claimed, cast(JobQueue, queue), attempt.clock)
    following.responder = attempt.responder
    following.lost = LostProject(following, attempt.lost.chats)
    return following


def a_draft(*tracks: int, seconds: float = 3) -> Draft:
    """A draft with a clip on each track of these types: 0 video, 1 audio, 7 text."""
    segment = {"start": 0, "duration": seconds * 1000, "name": "clip", "text": "Hello"}
    return {
        "t": [{"tt": kind, "sg": [dict(segment)]} for kind in tracks],
        "d": seconds * 1000,
        "m": {"width": 64, "height": 36, "fps": 24},
    }


async def no_alert(name: str, message: LocalizedMessage) -> None:
    raise AssertionError(name)


@pytest.fixture
async def rig(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr("bot.jobs.queue.usual_times.EXCHANGE_EVERY_S", 0)
    clock = FastClock(SPEED)
    chats = Chats(redis, TokenCipher([Fernet.generate_key().decode()]))
    cards = built_in_cards(platform="test")
    async with AsyncExitStack() as stack:
        app = create_app(tmp_path, clock=clock)
        url = await stack.enter_async_context(serve(app))
        nemo = await stack.enter_async_context(NemoControl(url, app))
        http = await stack.enter_async_context(new_client())
        options = ProjectOptions("https://nemovideo.example", 1_000_000)
        projects = Projects(
            NemoClient(http, url),
            chats,
            cards,
            GuestAccountCounter(redis, clock),
            clock,
            OperatorToken(redis, None, alert=AsyncMock()),
            options,
        )
        credit_limits = CreditLimits(redis, clock, DailyCredits(), no_alert)
        responder = RecordingResponder(tmp_path / "result.mp4")
        yield Rig(nemo, projects, cards, clock, responder, credit_limits, UsualTimes(redis))


def a_file(number: int = 1, **fields: Any) -> Attachment:
    """A video of message ``number``."""
    given: dict[str, Any] = {
        "file_id": f"file-{number}",
        "kind": "video",
        "name": f"clip{number}.mp4",
        "size": 100,
        "content_type": "video/mp4",
        "message_id": number,
    }
    return Attachment(**given | fields)


def a_part(*files: Attachment, message_id: int = 1, refusal: LocalizedMessage | None = None) -> RequestPart:
    return RequestPart(message_id, 0, files, refusal=refusal)
