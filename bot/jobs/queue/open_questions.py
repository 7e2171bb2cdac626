"""The agent's open questions: a job that asked one waits outside of its queue, and no worker has it.

At most one question is open in a chat. Until it has its answer, the chat's other requests to the agent wait, as it
would take them for the answer. Whatever else the chat asks for goes ahead.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import QuestionAnswer, field_of
from bot.jobs.model import Job, QueueName
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.tickets import Tickets, queue_id
from bot.runtime.clock import Clock
from bot.store import keys
from bot.store.lua_script import LuaScript


class AnswerOutcome(StrEnum):
    """The outcome of an answer, as ``lua/answer.lua`` returns it."""

    ANSWERED = "answered"  # the job goes on
    OVER = "over"  # the question has its answer already, or its job was stopped
    REPEATED = "repeated"  # the same update has answered it before


class OpenQuestions:
    """The open questions of all chats.

    Args:
        redis: With ``decode_responses``.
        tickets: Where the job that goes on gets its ticket.
        clock: For when questions were asked.
    """

    def __init__(self, redis: Redis, tickets: Tickets, clock: Clock) -> None:
        self._redis = redis
        self._tickets = tickets
        self._clock = clock
        self._ask = LuaScript(redis, __package__, "ask")
        self._suspend = LuaScript(redis, __package__, "suspend")
        self._answer = LuaScript(redis, __package__, "answer")
        self._toggle_option = LuaScript(redis, __package__, "toggle_option")

    async def ask(self, job: Job, attempt: int, question_id: str) -> None:
        """Open a question of a running job before it is sent; do nothing if it has been answered."""
        chat = str(job.chat)
        await self._ask(
            [keys.job_key(chat, job.id), keys.open_question_key(chat)],
            attempt=attempt,
            id=job.id,
            question_id=question_id,
            answer_field=_answer_field(question_id),
        )

    async def suspend(self, job: Job, attempt: int) -> bool:
        """Suspend a job until its question is answered: no worker has it, and its queue goes on.

        Returns:
            ``False`` if it has its answer already, or was cancelled: the ticket takes it up again.
        """
        chat = str(job.chat)
        waiting = await self._suspend(
            [
                keys.job_key(chat, job.id),
                keys.queue_key(chat, job.queue),
                keys.running_key(chat, job.queue),
                keys.STARTED_JOBS,
                keys.SAVED_JOBS,
                keys.OPEN_QUESTIONS,
            ],
            attempt=attempt,
            id=job.id,
            member=question_member(job.chat, job.id),
            now_s=self._now_s(),
        )
        if waiting > 0:
            await self._tickets.add(queue_id(job.chat, job.queue), "")
        return bool(waiting != -1)

    async def asking_job_id(self, chat: ChatKey) -> str | None:
        """Return the id of the job that asks something in a chat."""
        job_id: Any = await self._redis.get(keys.open_question_key(str(chat)))
        return None if job_id is None else str(job_id)

    async def open_question_id(self, job: Job) -> str | None:
        """Return the id of a job's open question."""
        question_id: Any = await self._redis.hget(keys.job_key(str(job.chat), job.id), JobField.QUESTION)
        return None if question_id is None else str(question_id)

    async def find_topic(self, chat: ChatKey, job_id: str) -> ChatKey | None:
        """Find the topic of a job with an open question. If the topic was deleted, the question was sent outside it."""
        # A question can be answered while its job still runs: first where a job is before it is suspended.
        async for name, _ in self._redis.zscan_iter(keys.STARTED_JOBS, f"*:{job_id}", count=1000):
            topic = ChatKey.parse(name.removeprefix(keys.JOB).rpartition(":")[0].strip("{}"))
            if topic.chat_id == chat.chat_id:
                return topic
        async for member, _ in self._redis.zscan_iter(keys.OPEN_QUESTIONS, f"*/{job_id}", count=1000):
            topic, _ = parse_member(member)
            if topic.chat_id == chat.chat_id:
                return topic
        return None

    async def ticked_options(self, job: Job) -> list[int]:
        """Return the numbers of the ticked options."""
        text: Any = await self._redis.hget(keys.job_key(str(job.chat), job.id), JobField.TICKED)
        return [int(option) for option in (text or "").split()]

    async def toggle_option(
        self, job: Job, question_id: str, option: int, update_id: int
    ) -> list[int] | None:
        """Tick or untick an option; return what is ticked then, ``None`` if the question is not open."""
        answer = await self._toggle_option(
            [keys.update_mark(str(job.chat), update_id), keys.job_key(str(job.chat), job.id)],
            question_id=question_id,
            option=str(option),
            update_ttl_s=keys.UPDATE_TTL_S,
        )
        return None if answer is None else [int(ticked) for ticked in answer.split()]

    async def answer(
        self, job: Job, question_id: str, words: Sequence[str], update_id: int | str
    ) -> AnswerOutcome:
        """Answer a question, and let its job go on.

        Args:
            job: The job that asks.
            question_id: The question's id.
            words: The chosen labels, or the person's own words.
            update_id: Telegram's id of the update with the answer.
        """
        value = QuestionAnswer(words=tuple(words)).model_dump(mode="json")
        return await self._close(
            job.chat,
            job.id,
            question_id,
            update_id,
            field=_answer_field(question_id),
            value=json.dumps(value),
        )

    async def expire(self) -> None:
        """Resume jobs whose question was not answered in time; their step then ends them."""
        oldest = self._now_s() - keys.ANSWER_TTL_S
        members: list[Any] = await self._redis.zrange(
            keys.OPEN_QUESTIONS, "-inf", f"({oldest}", byscore=True, offset=0, num=100
        )
        for member in members:
            await self._end_unanswered(member)

    async def end_unreadable(self, find: Callable[[ChatKey, str], Awaitable[object | None]]) -> None:
        """Resume jobs that can't be read: nobody could answer, and the jobs behind them would wait for a day.

        Args:
            find: Returns a job, or ``None`` if it can't be read.
        """
        members = [member async for member, _ in self._redis.zscan_iter(keys.OPEN_QUESTIONS, count=1000)]
        for member in members:
            with contextlib.suppress(ValueError):  # No bot wrote it: it expires.
                if await find(*parse_member(member)) is None:
                    await self._end_unanswered(member)

    async def _end_unanswered(self, member: str) -> None:
        try:
            chat, job_id = parse_member(member)
        except ValueError:  # No bot wrote it.
            await self._redis.zrem(keys.OPEN_QUESTIONS, member)
            return
        question_id: Any = await self._redis.hget(keys.job_key(str(chat), job_id), JobField.QUESTION)
        if question_id is None or await self._close(
            chat, job_id, question_id, f"expired:{job_id}:{question_id}"
        ) != (AnswerOutcome.ANSWERED):
            await self._redis.zrem(keys.OPEN_QUESTIONS, member)

    async def _close(
        self, chat: ChatKey, job_id: str, question_id: str, update_id: int | str, **answer: str
    ) -> AnswerOutcome:
        outcome = AnswerOutcome(
            await self._answer(
                [
                    keys.update_mark(str(chat), update_id),
                    keys.job_key(str(chat), job_id),
                    keys.queue_key(str(chat), QueueName.MAIN),
                    keys.open_question_key(str(chat)),
                    keys.OPEN_QUESTIONS,
                    keys.WAITING_JOBS,
                    keys.QUEUES,
                ],
                id=job_id,
                queue=queue_id(chat, QueueName.MAIN),
                question_id=question_id,
                member=question_member(chat, job_id),
                now_s=self._now_s(),
                update_ttl_s=keys.UPDATE_TTL_S,
                **answer,
            )
        )
        if outcome is not AnswerOutcome.OVER:
            await self._tickets.add(queue_id(chat, QueueName.MAIN), job_id)
        return outcome

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())


def _answer_field(question_id: str) -> str:
    return JobField.CHECKPOINT + field_of(QuestionAnswer, question_id)


def question_member(chat: ChatKey, job_id: str) -> str:
    """Return the member of ``keys.OPEN_QUESTIONS`` that stands for a job."""
    return f"{chat}/{job_id}"


def parse_member(member: str) -> tuple[ChatKey, str]:
    """Return the chat and the id of a job that waits for an answer."""
    chat, _, job_id = member.rpartition("/")
    return ChatKey.parse(chat), job_id
