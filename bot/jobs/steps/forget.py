"""Forgetting a chat: everything that was asked before is stopped, then all that is kept is erased."""

from __future__ import annotations

import structlog

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobState, QueueName
from bot.jobs.payloads import ForgetPayload, StopEarlierPayload
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.redraw import close_announcement, redraw
from bot.jobs.worker.runner import Attempt, JobEnded, Step

log = structlog.get_logger(__name__)

ALLOWED = "allowed"
"""The checkpoint that tells a job which may only go on if an admin asked for it that this is so."""

PAUSE_S = 0.5
"""Between two looks whether a question is answered that may still write."""


def stop_earlier_jobs(job_queue: JobQueue) -> Step:
    """Stops all requests before the job that erases the chat, which has its place in the queue already.

    The last one is stopped first, so that none of them begins.
    """

    async def step(attempt: Attempt) -> None:
        chat, erase_id = attempt.job.chat, attempt.job.payload_as(StopEarlierPayload).erase_id
        if attempt.job.message_id is not None:
            await redraw(job_queue, attempt.job, "no_buttons", attempt.job.message_id, attempt.job.address)
        ids = await job_queue.current(chat, QueueName.MAIN)
        # It has begun, or is over: what waits now came later.
        before = ids[: ids.index(erase_id)] if erase_id in ids else []
        for job_id in reversed(before):
            status = await job_queue.find(chat, job_id)
            await job_queue.cancel(chat, QueueName.MAIN, job_id)
            if status is not None and status.place:
                await close_announcement(job_queue, attempt.job, status.job)

    return step


def forget(job_queue: JobQueue, eraser: ChatEraser) -> Step:
    """Erases the chat. It waits in the lane of edits, so that no edit runs meanwhile; questions are stopped.

    Only those that were asked before it: its data name them.
    """

    async def step(attempt: Attempt) -> None:
        chat = attempt.job.chat
        if attempt.get_value("erased") is None:
            await _until_allowed(job_queue, attempt)
            for job_id in attempt.job.payload_as(ForgetPayload).quick_job_ids:
                await job_queue.cancel(chat, QueueName.QUICK, job_id)
            while not await eraser.erase(attempt.claimed):
                await _pause(attempt)
            log.info("chat.forgotten")
        await attempt.responder.send("forgotten", LocalizedMessage("forget.done"))

    return step


async def _until_allowed(job_queue: JobQueue, attempt: Attempt) -> None:
    """Wait for the answer to the press that asked for this, where only that one finds out who pressed.

    Raises:
        Ended: It was nobody who may.
    """
    answer_id = attempt.job.payload_as(ForgetPayload).if_allowed_by
    while answer_id is not None and await job_queue.checkpoint(attempt.job, ALLOWED) is None:
        answer = await job_queue.find(attempt.job.chat, answer_id)
        is_over = answer is None or answer.state not in (JobState.QUEUED, JobState.RUNNING)
        if is_over and await job_queue.checkpoint(attempt.job, ALLOWED) is None:
            raise JobEnded(None, JobState.CANCELLED)
        await _pause(attempt)


async def _pause(attempt: Attempt) -> None:
    await attempt.save_value(
        "waited", True
    )  # Stops here when it was cancelled, or when another worker has the job.
    await attempt.clock.sleep(PAUSE_S)
