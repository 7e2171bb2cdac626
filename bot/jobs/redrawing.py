"""Having a message redrawn that is not the job's own live message."""

from __future__ import annotations

from dataclasses import replace

from bot.jobs.job import Job, Kind, Lane, new_job_id
from bot.jobs.lanes import Lanes
from bot.jobs.ports import ANNOUNCEMENT


async def redraw(lanes: Lanes, by: Job, how: str, message_id: int, address: int | None) -> None:
    """Have a message redrawn as presses of its buttons do, once for each message.

    Args:
        lanes: The queues.
        by: The job that asks for it.
        how: ``cancelled`` or ``no_buttons``.
        message_id: Of the message.
        address: The id that its chat had in Telegram when it was sent.
    """
    data = {"redraw": how, "message": message_id}
    fresh = replace(by, id=new_job_id(), lane=Lane.DRAW, kind=Kind.REDRAW, data=data, address=address)
    await lanes.accept([fresh], f"{by.id}:{message_id}")


async def close_announcement(lanes: Lanes, by: Job, job: Job) -> None:
    """Let the message that told a waiting job's place say that it is stopped; a job that ran does so itself."""
    live = await lanes.checkpoint(job, ANNOUNCEMENT) or {}
    if "message_id" in live:
        await redraw(lanes, by, "cancelled", live["message_id"], live.get("chat_id"))
