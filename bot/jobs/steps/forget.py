"""Forgetting a chat: everything that was asked before is stopped, then all that is kept is erased."""

from __future__ import annotations

import structlog

from bot.jobs.forgetting import Eraser
from bot.jobs.job import Lane, State
from bot.jobs.lanes import Lanes
from bot.jobs.ports import Notice
from bot.jobs.redrawing import close_announcement, redraw
from bot.jobs.runner import Ended, Run, Step

log = structlog.get_logger(__name__)

ALLOWED = "allowed"
"""The checkpoint that tells a job which may only go on if an admin asked for it that this is so."""

PAUSE_S = 0.5
"""Between two looks whether a question is answered that may still write."""


def clear_way(lanes: Lanes) -> Step:
    """Stops all wishes before the job that erases the chat, which has its place in the queue already.

    The last one is stopped first, so that none of them begins.
    """

    async def step(run: Run) -> None:
        chat, erase_id = run.job.chat, run.job.data["before"]
        if run.job.message_id is not None:
            await redraw(lanes, run.job, "no_buttons", run.job.message_id, run.job.address)
        ids = await lanes.current(chat, Lane.EDIT)
        # It has begun, or is over: what waits now came later.
        before = ids[: ids.index(erase_id)] if erase_id in ids else []
        for job_id in reversed(before):
            standing = await lanes.find(chat, job_id)
            await lanes.cancel(chat, Lane.EDIT, job_id)
            if standing is not None and standing.place:
                await close_announcement(lanes, run.job, standing.job)

    return step


def forget(lanes: Lanes, eraser: Eraser) -> Step:
    """Erases the chat. It waits in the lane of edits, so that no edit runs meanwhile; questions are stopped.

    Only those that were asked before it: its data name them.
    """

    async def step(run: Run) -> None:
        chat = run.job.chat
        if run.get("erased") is None:
            await _until_allowed(lanes, run)
            for job_id in run.job.data.get("questions", ()):
                await lanes.cancel(chat, Lane.ASK, job_id)
            while not await eraser.erase(run.taken):
                await _pause(run)
            log.info("chat.forgotten")
        await run.front.say("forgotten", Notice("forget.done"))

    return step


async def _until_allowed(lanes: Lanes, run: Run) -> None:
    """Wait for the answer to the press that asked for this, where only that one finds out who pressed.

    Raises:
        Ended: It was nobody who may.
    """
    answer_id = run.job.data.get("if_allowed_by")
    while answer_id is not None and await lanes.checkpoint(run.job, ALLOWED) is None:
        answer = await lanes.find(run.job.chat, answer_id)
        is_over = answer is None or answer.state not in (State.QUEUED, State.RUNNING)
        if is_over and await lanes.checkpoint(run.job, ALLOWED) is None:
            raise Ended(None, State.CANCELLED)
        await _pause(run)


async def _pause(run: Run) -> None:
    await run.save("waited", True)  # Stops here when it was cancelled, or when another worker has the job.
    await run.clock.sleep(PAUSE_S)
