"""Erasing all that is kept of a chat. The handler has stopped what was asked before."""

from __future__ import annotations

import structlog

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import QueueName
from bot.jobs.payloads import ForgetPayload
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.worker.runner import Attempt, Step

log = structlog.get_logger(__name__)

PAUSE_S = 0.5
"""Seconds between two looks whether a question that may still write has been answered."""


def forget(job_queue: JobQueue, eraser: ChatEraser) -> Step:
    """Make the step that erases the chat.

    The job waits in the main queue, so that no edit runs meanwhile. Questions that its payload names, which were asked
    before it, are stopped.
    """

    async def step(attempt: Attempt) -> None:
        chat = attempt.job.chat
        if attempt.get_value("erased") is None:
            for job_id in attempt.job.payload_as(ForgetPayload).quick_job_ids:
                await job_queue.cancel(chat, QueueName.QUICK, job_id)
            while not await eraser.erase(attempt.claimed):
                await _pause(attempt)
            log.info("chat.forgotten")
        await attempt.responder.send("forgotten", LocalizedMessage("forget.done"))

    return step


async def _pause(attempt: Attempt) -> None:
    # Saving stops the attempt if the job was cancelled, or if another worker has it.
    await attempt.save_value("waited", True)
    await attempt.clock.sleep(PAUSE_S)
