"""Having a message redrawn that is not the job's own live message."""

from __future__ import annotations

from dataclasses import replace

from bot.jobs.model import Job, JobKind, QueueName, new_job_id
from bot.jobs.payloads import PressPayload
from bot.jobs.ports import PROGRESS_MESSAGE
from bot.jobs.queue.job_queue import JobQueue


async def redraw(job_queue: JobQueue, by: Job, how: str, message_id: int, address: int | None) -> None:
    """Have a message redrawn as presses of its buttons do, once for each message.

    Args:
        job_queue: The queues.
        by: The job that asks for it.
        how: ``cancelled`` or ``no_buttons``.
        message_id: Of the message.
        address: The id that its chat had in Telegram when it was sent.
    """
    payload = PressPayload(redraw=how, message_id=message_id)
    fresh = replace(
        by, id=new_job_id(), queue=QueueName.DRAW, kind=JobKind.REDRAW, payload=payload, address=address
    )
    await job_queue.enqueue([fresh], f"{by.id}:{message_id}")


async def close_announcement(job_queue: JobQueue, by: Job, job: Job) -> None:
    """Let the message that told a waiting job's place say that it is stopped; a job that ran does so itself."""
    progress_message = await job_queue.checkpoint(job, PROGRESS_MESSAGE) or {}
    if "message_id" in progress_message:
        await redraw(
            job_queue, by, "cancelled", progress_message["message_id"], progress_message.get("chat_id")
        )
