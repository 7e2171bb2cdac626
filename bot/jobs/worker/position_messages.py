"""Shows waiting jobs' positions in the queue, and updates them whenever a job begins."""

import asyncio
from collections.abc import Awaitable, Callable
from statistics import median
from weakref import WeakValueDictionary

import structlog
from redis.exceptions import RedisError

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.jobs.buttons import Cancel, RenderLastOnly
from bot.jobs.messages import Button, LocalizedMessage, Param, Progress, Seconds
from bot.jobs.model import Job, JobKind, JobState, MessageLocation, QueueName
from bot.jobs.payloads import EditPayload
from bot.jobs.ports import RECEIVED_REACTION, ChatGone, ResponderFactory
from bot.jobs.queue.claimed_job import ClaimedJob
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.queue.tickets import parse_queue_id
from bot.jobs.queue.usual_times import TimedStage, UsualTimes, left_s, rounded_s
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from bot.runtime.clock import Clock
from bot.words import Words

log = structlog.get_logger(__name__)

_BUSY_POSITION = 2
"""From this position on a group is busy: a reaction says that a request waits, without a message."""

HOLD_S = 0.1
"""How long a worker waits until a position message is sent. After that it is sent in the background, so that a chat
with fifty requests, slowed down by Telegram's limits, holds up no other chat."""

_CANCELLED = LocalizedMessage("progress.cancelled")


Shown = tuple[LocalizedMessage, Words]

EditMessage = Callable[[MessageLocation, Shown | Callable[[], Awaitable[Shown | None]]], Awaitable[None]]
"""Edits a message once its chat's limits allow it; one that is gone is left alone. A function that makes the text
is called right before the edit; ``None`` leaves the message as it is."""


class PositionMessages:
    """Sends and edits the messages with the positions of jobs that wait; each becomes its job's progress message."""

    def __init__(
        self,
        job_queue: JobQueue,
        usual_times: UsualTimes,
        responders: ResponderFactory,
        chats: Chats,
        clock: Clock,
        edit: EditMessage,
    ) -> None:
        self._job_queue = job_queue
        self._responders = responders
        self._chats = chats
        self._clock = clock
        self._edit = edit
        self._usual_times = usual_times
        self._sends: set[asyncio.Task[None]] = set()
        self._sending: WeakValueDictionary[ChatKey, asyncio.Lock] = WeakValueDictionary()
        self._updates: dict[ChatKey, asyncio.Task[None]] = {}

    async def send(self, queue: str, job_id: str) -> None:
        """Send a job's position, unless it is not needed or was sent; `stop` ends it.

        Args:
            queue: The job's queue.
            job_id: The job; empty for none.
        """
        task = asyncio.create_task(self._send(queue, job_id), name=f"position:{job_id}")
        self._sends.add(task)
        task.add_done_callback(self._end)
        try:
            await asyncio.wait({task}, timeout=HOLD_S)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done() and not task.cancelled():
            task.result()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("positions.not_sent", error=type(error).__name__)

    def update_behind(self, claimed: ClaimedJob) -> None:
        """Show the new positions of the jobs behind one that begins, in the background."""
        chat = claimed.job.chat
        if not claimed.waiting or claimed.job.queue is not QueueName.MAIN:
            return
        if (earlier := self._updates.pop(chat, None)) is not None:
            earlier.cancel()
        task = self._updates[chat] = asyncio.create_task(self._update(chat), name=f"positions:{chat}")
        task.add_done_callback(lambda done: self._updates.get(chat) is done and self._updates.pop(chat))

    def stop(self) -> None:
        """Stop sending and editing; for the end of the process."""
        for task in (*self._sends, *self._updates.values()):
            task.cancel()

    async def _send(self, queue: str, job_id: str) -> None:
        if not job_id:
            return
        chat, _ = parse_queue_id(queue)
        # One after another: fifty that all wait for their chat's limits would keep asking for their turn.
        async with self._sending.setdefault(chat, asyncio.Lock()):
            await self._send_to(chat, queue, job_id)

    async def _send_to(self, chat: ChatKey, queue: str, job_id: str) -> None:
        status = await self._find_waiting(chat, job_id)
        if status is None or status.job.queue is not QueueName.MAIN or status.job.kind is JobKind.FORGET:
            return  # Those are answered soon.
        if status.job.payload_as(EditPayload).answers_question:
            return
        responder = self._responders.open(status.job, WaitingCheckpoints(self._job_queue, status.job))
        try:
            is_busy = status.position >= _BUSY_POSITION and not chat.is_private and not status.job.is_press
            if is_busy and await responder.react(RECEIVED_REACTION):
                return
            if not await self._job_queue.claim_position_message(status):
                return
            responder.report_progress(await self._progress(status))
            await responder.show_progress()
            # Whoever moved or cancelled it meanwhile found no message to edit.
            latest = await self._job_queue.find(chat, job_id)
            if latest is not None and latest.state is JobState.CANCELLED:
                await responder.finish_progress(_CANCELLED)
            elif latest is not None and 0 < latest.position < status.position:
                await self._update_one(latest)
        except ChatGone:
            log.info("job.chat_gone", chat=queue)
        finally:
            await responder.close()

    async def _update(self, chat: ChatKey) -> None:
        try:
            for job_id in await self._job_queue.current(chat, QueueName.MAIN):
                if (status := await self._find_waiting(chat, job_id)) is not None:
                    await self._update_one(status)
        except RedisError as error:
            log.info("positions.not_updated", chat=str(chat), error=type(error).__name__)
        except Exception:
            log.exception("positions.not_updated", chat=str(chat))

    async def _update_one(self, status: JobStatus) -> None:
        job = status.job
        message = await self._job_queue.find_position_message(job)
        if message is None:
            return  # None was needed, or a reaction took its place.

        async def position() -> Shown | None:
            latest = await self._find_waiting(job.chat, job.id)
            if latest is None:
                return None
            progress = await self._progress(latest)
            buttons = (Button("button.cancel", Cancel(job.id)), *progress.buttons)
            return LocalizedMessage(progress.stage, progress.params, buttons=buttons), Words(job.language)

        await self._edit(message, position)
        latest = await self._job_queue.find(job.chat, job.id)
        if latest is not None and latest.state is JobState.CANCELLED:
            # The edit may have come after the cancelling one.
            await self._edit(message, (_CANCELLED, Words(job.language)))

    async def _find_waiting(self, chat: ChatKey, job_id: str) -> JobStatus | None:
        status = await self._job_queue.find(chat, job_id)
        return (
            None if status is None or status.state is not JobState.QUEUED or not status.position else status
        )

    async def _progress(self, status: JobStatus) -> Progress:
        """Return what the progress message of a waiting job shows."""
        chat, params = status.job.chat, dict[str, Param](position=status.position)
        # A job that asks has left the queue; the jobs behind it should show why they wait.
        if await self._job_queue.questions.asking_job_id(chat) is not None:
            return Progress("progress.queued_behind_question", params)
        params["wait"] = Seconds(await self._expected_wait_s(chat, status.position))
        last_only = Button("button.last_only", RenderLastOnly())
        is_offered = status.job.kind is JobKind.EDIT and not await self._is_last_only(status.job)
        return Progress("progress.queued_for", params, buttons=(last_only,) if is_offered else ())

    async def _is_last_only(self, job: Job) -> bool:
        """Return whether the chat asked for the render of this job, or of one behind it, alone."""
        last_only = (await self._chats.get(job.chat)).last_only_job_id
        waiting = await self._job_queue.current(job.chat, QueueName.MAIN) if last_only else []
        return job.id in waiting and last_only in waiting[waiting.index(job.id) :]

    async def _expected_wait_s(self, chat: ChatKey, position: int) -> float:
        """Return about how many seconds a job of this position still waits: as long as those before it usually take."""
        times_s = (await self._usual_times.load())[TimedStage.REQUEST]
        running_s = await self._job_queue.running_s(chat, self._clock.now())
        usual_s = median(times_s)
        return rounded_s((position - 1) * usual_s + (left_s(times_s, running_s) or usual_s / 4))
