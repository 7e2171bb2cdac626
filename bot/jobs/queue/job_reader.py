"""Reads stored jobs, and changes nothing."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import structlog
from pydantic import TypeAdapter
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import PROGRESS_MESSAGE, C, Checkpoints, MessageSend, field_of
from bot.jobs.model import Job, JobKind, JobState, MessageLocation, QueueName
from bot.jobs.queue.album import ADJACENT_S, ArrivedPart, GatheredJob, read_gathered_job
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.tickets import parse_queue_id
from bot.store import keys

log = structlog.get_logger(__name__)

_ACCOUNT_CHANGES = frozenset({JobKind.LOGIN, JobKind.LOGOUT, JobKind.FORGET})


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What is known of a job from outside."""

    job: Job  # what was asked
    state: JobState  # the job's state
    position: int  # 1 for the first job that waits; 0 if it runs or is over


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A job that was given up after an unexpected error; the latest ones are kept for the operator."""

    id: str  # the job's id, as in the log
    chat: str  # where it was asked, as ``str(ChatKey)``; the script that erases a chat reads it
    kind: str  # what it was for
    at: datetime  # when it was given up, UTC
    error: str  # class name of the last error, or ``Interrupted`` if its processes kept dying


STORED_GIVEN_UP = TypeAdapter(GivenUp)  # reads and writes the stored form


class JobReader:
    """Finds jobs in the store."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def find(self, chat: ChatKey, job_id: str) -> JobStatus | None:
        """Find a job by its id; one that another release wrote counts as gone."""
        fields = await self._fields(chat, job_id)
        if not fields:
            return None
        try:
            job = read_gathered_job(fields).job
        except (ValueError, KeyError):
            log.warning("job.unreadable", chat=str(chat), job=job_id)
            return None
        index: Any = await self._redis.lpos(keys.queue_key(str(chat), job.queue), job_id)
        return JobStatus(job, JobState(fields[JobField.STATE]), 0 if index is None else int(index) + 1)

    async def find_position_message(self, job: Job) -> MessageLocation | None:
        """Return the message that has to be closed when a waiting job is stopped; a running one closes it itself."""
        send = await self.load_checkpoint(job, MessageSend, PROGRESS_MESSAGE)
        if send is None or send.sent is None:
            return None
        return MessageLocation(job.chat.chat_id, send.sent.telegram_chat_id, send.sent.message_id)

    async def find_by_message(
        self, chat: ChatKey, telegram_chat_id: int, message_id: int
    ) -> JobStatus | None:
        """Find the job that a message belongs to.

        Args:
            chat: The chat of the message.
            telegram_chat_id: The id that the chat had in Telegram when the message was sent.
            message_id: The message.
        """
        key = keys.job_of_message_key(str(chat), telegram_chat_id, message_id)
        job_id: Any = await self._redis.get(key)
        return None if job_id is None else await self.find(chat, job_id)

    async def seen(self, chat: ChatKey, telegram_chat_id: int, message_id: int) -> str | None:
        """Return the digest of what a message held when it was last seen; ``None`` if that is unknown."""
        digest: Any = await self._redis.get(keys.seen_key(str(chat), telegram_chat_id, message_id))
        return cast(str | None, digest)

    async def is_being_pasted(self, chat: ChatKey, requester_id: int, sent_at_s: float) -> bool:
        """Return whether a message may continue a person's newest one, which has the maximum length.

        Args:
            chat: The chat.
            requester_id: The person.
            sent_at_s: When the message was sent, by Telegram's clock, in seconds.
        """
        job_id: Any = await self._redis.get(keys.latest_job_key(str(chat), requester_id))
        if job_id is None:
            return False
        key, names = (
            keys.job_key(str(chat), job_id),
            (JobField.IS_FULL, JobField.CLOSED, JobField.LAST_SENT_AT),
        )
        is_full, closed, last_sent_at = await cast(Any, self._redis.hmget(key, names))
        is_adjacent = abs(sent_at_s - float(last_sent_at or 0)) <= ADJACENT_S
        return is_full == "1" and closed is None and is_adjacent

    async def refusal_before(self, chat: ChatKey, requester_id: int, sent_at_s: float) -> JobStatus | None:
        """Return the job that refuses a person's newest message, if another was sent right behind that one.

        Args:
            chat: The chat.
            requester_id: The person.
            sent_at_s: When the other message was sent, by Telegram's clock, in seconds.
        """
        job_id: Any = await self._redis.get(keys.latest_job_key(str(chat), requester_id))
        if job_id is None:
            return None
        key, names = keys.job_key(str(chat), job_id), (JobField.REFUSED, JobField.LAST_SENT_AT)
        refused, last_sent_at = await cast(Any, self._redis.hmget(key, names))
        is_behind = refused and abs(sent_at_s - float(last_sent_at)) <= ADJACENT_S
        return await self.find(chat, str(job_id)) if is_behind else None

    async def gathered(self, job: Job) -> GatheredJob:
        """Load a job with all of its parts so far."""
        return read_gathered_job(await self._fields(job.chat, job.id))

    async def with_edit(self, job: Job, edited: ArrivedPart) -> Job:
        """Return a job as it would be with a part of it edited."""
        return read_gathered_job({**await self._fields(job.chat, job.id), **edited.fields}).job

    async def current(self, chat: ChatKey, queue: QueueName) -> list[str]:
        """Return the ids of a queue's jobs: the running one, one that waits for an answer, and those behind them."""
        # Read at one moment: a job that begins between two reads would be in neither answer.
        async with self._redis.pipeline() as pipe:
            pipe.hget(keys.running_key(str(chat), queue), "job")
            pipe.lrange(keys.queue_key(str(chat), queue), 0, -1)
            pipe.get(keys.open_question_key(str(chat)))
            running, waiting, asking = await pipe.execute()
        first = (running, asking if queue is QueueName.MAIN else None)
        return list(dict.fromkeys([*filter(None, first), *waiting]))

    async def current_jobs(self, chat: ChatKey, queue: QueueName) -> list[Job]:
        """Return the same jobs, without any that is gone meanwhile."""
        statuses = [await self.find(chat, job_id) for job_id in await self.current(chat, queue)]
        return [status.job for status in statuses if status is not None]

    async def running_s(self, chat: ChatKey, now: datetime) -> float:
        """Return for how many seconds the running request of a chat has run; 0.0 if none runs."""
        job_id: Any = await self._redis.hget(keys.running_key(str(chat), QueueName.MAIN), "job")
        if job_id is None:
            return 0.0
        began_at = await self._redis.zscore(keys.STARTED_JOBS, keys.job_key(str(chat), job_id))
        return 0.0 if began_at is None else max(0.0, now.timestamp() - began_at)

    async def topics(self, chat: ChatKey) -> list[ChatKey]:
        """Return the other topics of a chat with anything in the store; what is outside of topics counts as one."""
        topics = {chat.of_account}
        async for name in self._redis.scan_iter(keys.topics_pattern(chat.chat_id), count=1000):
            if not name.startswith(keys.KEPT_WHEN_ERASED):
                topics.add(ChatKey.parse(name[name.index("{") + 1 : name.index("}")]))
        return sorted(topics - {chat}, key=str)

    async def is_other_topic_busy(self, chat: ChatKey) -> bool:
        """Return whether a request runs in another topic of a chat; those that change the account don't count."""
        async for name, _ in self._redis.zscan_iter(keys.QUEUES, f"{chat.chat_id}*", count=1000):
            topic, queue = parse_queue_id(name)
            if topic.of_account != chat.of_account or topic == chat or queue is not QueueName.MAIN:
                continue
            job_id: Any = await self._redis.hget(keys.running_key(str(topic), queue), "job")
            status = None if job_id is None else await self.find(topic, job_id)
            if status is not None and status.job.kind not in _ACCOUNT_CHANGES:
                return True
        return False

    async def given_up(self) -> list[GivenUp]:
        """Return the latest jobs that were given up, newest first."""
        entries: Any = await self._redis.lrange(keys.GIVEN_UP, 0, -1)
        return [STORED_GIVEN_UP.validate_json(entry) for entry in entries]

    async def is_paused(self) -> bool:
        """Return whether new requests and exports have to wait."""
        return bool(await self._redis.exists(keys.PAUSED))

    async def checkpoints(self, job: Job) -> Checkpoints:
        """Return the checkpoints of a job as they are in the store now."""
        return Checkpoints(read_checkpoints(await self._fields(job.chat, job.id)))

    async def load_checkpoint(self, job: Job, checkpoint: type[C], key: str = "") -> C | None:
        """Return a checkpoint as it is in the store now, or ``None``.

        Args:
            job: The job; no attempt of this process needs to have it.
            checkpoint: The class to load.
            key: Distinguishes several of one class, such as an idempotency key.
        """
        field = JobField.CHECKPOINT + field_of(checkpoint, key)
        text: Any = await self._redis.hget(keys.job_key(str(job.chat), job.id), field)
        value = json.loads(text or "null")  # A deleted one is null.
        return None if value is None else checkpoint.model_validate(value)

    async def _fields(self, chat: ChatKey, job_id: str) -> dict[str, str]:
        fields: Any = await self._redis.hgetall(keys.job_key(str(chat), job_id))
        return cast(dict[str, str], fields)


def read_checkpoints(fields: dict[str, str]) -> dict[str, Any]:
    """Return the checkpoints among a job's fields, by their names."""
    return {
        field.removeprefix(JobField.CHECKPOINT): json.loads(text)
        for field, text in fields.items()
        if field.startswith(JobField.CHECKPOINT)
    }
