"""Forgetting a chat: first everything that was asked before is stopped, then all that is kept is erased."""

from __future__ import annotations

from dataclasses import replace

import structlog

from bot.jobs.forgetting import Eraser
from bot.jobs.job import Job, Kind, Lane, new_job_id
from bot.jobs.lanes import Lanes
from bot.jobs.ports import ANNOUNCEMENT, Membership, Notice
from bot.jobs.runner import Run, Step

log = structlog.get_logger(__name__)

PAUSE_S = 0.5
"""Between two looks whether a question is answered that may still write."""


def clear_way(lanes: Lanes, membership: Membership) -> Step:
    """Takes the job in that its data hold, which erases the chat, and stops all wishes before it.

    The last one is stopped first, so that none of them begins. In a group only its admins may.
    """

    async def step(run: Run) -> None:
        chat, asked = run.job.chat, Job.from_json(run.job.data["asked"])
        if run.get("may") is None:
            # An anonymous admin asks in the group's own name.
            speaks = chat.is_private or run.job.owner_id == chat.chat_id
            await run.save("may", speaks or await membership.is_admin(chat, run.job.owner_id))
        if not run.get("may"):
            return await run.front.say("refused", Notice("forget.admins_only"))
        if run.get("accepted") is None:
            if await lanes.find(chat, asked.id) is None:  # Else its button was pressed twice.
                await lanes.accept([asked], f"{run.job.id}:forget")
            await run.save("accepted", True)
        if run.job.message_id is not None:
            await _redraw(lanes, run, "no_buttons", run.job.message_id)
        ids = await lanes.current(chat, Lane.EDIT)
        # It has begun, or is over: what waits now came later.
        before = ids[: ids.index(asked.id)] if asked.id in ids else []
        for job_id in reversed(before):
            standing = await lanes.find(chat, job_id)
            await lanes.cancel(chat, Lane.EDIT, job_id)
            if standing is not None and standing.place:
                live = (await lanes.checkpoint(standing.job, ANNOUNCEMENT) or {}).get("message_id")
                if live is not None:  # It told the place in the queue; a job that runs ends its own.
                    await _redraw(lanes, run, "cancelled", live)

    return step


async def _redraw(lanes: Lanes, run: Run, how: str, message_id: int) -> None:
    """Have a message redrawn as presses of its buttons do."""
    tap = {"query": "", "toast": "", "redraw": how, "message": message_id}
    drawing = replace(run.job, id=new_job_id(), kind=Kind.TAP, data=tap)
    await lanes.accept([drawing], f"{run.job.id}:{message_id}")


def forget(lanes: Lanes, eraser: Eraser) -> Step:
    """Erases the chat. It waits in the lane of edits, so that no edit runs meanwhile; questions are stopped."""

    async def step(run: Run) -> None:
        chat = run.job.chat
        if run.get("questions") is None:
            await run.save("questions", await lanes.current(chat, Lane.ASK))
        if run.get("erased") is None:
            for job_id in run.get("questions"):
                await lanes.cancel(chat, Lane.ASK, job_id)
            while not await eraser.erase(run.taken):
                await run.save("waited", True)  # Stops here when another worker has the job.
                await run.clock.sleep(PAUSE_S)
            log.info("chat.forgotten")
        await run.front.say("forgotten", Notice("forget.done"))

    return step
