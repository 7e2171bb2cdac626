"""Who may do what in a group: whoever asked for something, and the group's admins.

Only Telegram knows who is an admin, and handlers do not ask it. What somebody else asks for by a button travels inside
the job that answers the press; that one asks, and does it or tells by a toast why not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import structlog
from telegram import Message, Update
from telegram.constants import ChatType
from telegram.error import TelegramError

from bot.chats.chats import ChatChanges, Chats
from bot.jobs.budgets import OverBudget
from bot.jobs.job import Job, Kind, Lane, State, new_job_id
from bot.jobs.lanes import LaneFull, Lanes, Standing
from bot.jobs.notices import pack_notice
from bot.jobs.ports import Membership
from bot.jobs.runner import Run
from bot.jobs.steps.forget import ALLOWED
from bot.telegram.budgets import over_budget
from bot.telegram.senders import owner_id, sender_id

log = structlog.get_logger(__name__)


def may_touch(update: Update, asker: int | None) -> bool:
    """Whether somebody may do it for all that is known without asking Telegram.

    Args:
        update: What they did.
        asker: Id of whoever asked for what it is about, where that is known.
    """
    chat = update.effective_chat
    if chat is None:
        return False
    # An anonymous admin writes in the group's own name.
    return chat.type == ChatType.PRIVATE or owner_id(update) in (asker, chat.id)


def asker_of(message: Message) -> int | None:
    """Whoever asked for a message of the bot, which answers theirs; None when theirs is gone."""
    asked = message.reply_to_message
    return None if asked is None else sender_id(asked)


def for_admin(
    *,
    stops: str = "",
    jobs: Sequence[str] = (),
    changes: ChatChanges | None = None,
    lets: str = "",
    refusal: str = "toast.not_yours",
) -> dict[str, Any]:
    """What the job that answers a press does if an admin pressed.

    Args:
        stops: Id of a job to stop.
        jobs: Packed ones to take in.
        changes: Of the chat's settings.
        lets: Id of a job that has its place in the queue already, and goes on; otherwise it is stopped.
        refusal: The toast for others.
    """
    return {"stops": stops, "jobs": [*jobs], "changes": changes or {}, "lets": lets, "refusal": refusal}


async def if_admin(run: Run, lanes: Lanes, chats: Chats, membership: Membership) -> tuple[str, str]:
    """Do what a press asked for, if an admin pressed; the toast, and how the message is redrawn."""
    tap, deed = run.job.data, run.job.data["for_admin"]
    if (done := run.get("for_admin")) is None:
        done = [tap["toast"], tap["redraw"]]
        if await _is_admin(run, membership):
            done = await _do(run, lanes, chats, deed) or done
        else:
            done = [deed.get("refusal", "toast.not_yours"), ""]
            if deed.get("lets"):
                await lanes.cancel(run.job.chat, Lane.EDIT, deed["lets"])
        await run.save("for_admin", done)
    toast, redraw = done
    if toast == tap["toast"] and (language := deed.get("changes", {}).get("language")):
        run.job = replace(run.job, language=language)
    return toast, redraw


async def _is_admin(run: Run, membership: Membership) -> bool:
    try:
        return await membership.is_admin(run.job.chat, run.job.owner_id)
    except TelegramError as error:
        log.warning("rights.admins_unknown", error=type(error).__name__)
        return False


async def _do(run: Run, lanes: Lanes, chats: Chats, deed: dict[str, Any]) -> list[str] | None:
    """Do it; the toast and how the message is redrawn, where that is not as was foreseen."""
    chat = run.job.chat
    if deed.get("changes"):
        await chats.update(chat, **cast(ChatChanges, deed["changes"]))
    if deed.get("lets") and (waiting := await lanes.find(chat, deed["lets"])) is not None:
        await lanes.keep_beside(waiting.job, ALLOWED, True)
    if deed["stops"] and (standing := await lanes.find(chat, deed["stops"])) is not None:
        return [*await stop(lanes, standing)]
    if deed["jobs"]:
        try:
            await lanes.accept([Job.from_json(job) for job in deed["jobs"]], run.job.id)
        except LaneFull:
            return ["error.queue_full", ""]
        except OverBudget as error:
            why = pack_notice(over_budget(error.scarce, lanes.budgets))
            told = replace(run.job, id=new_job_id(), lane=Lane.ASK, kind=Kind.SAY, data=why)
            await lanes.accept([told], f"{run.job.id}:budget")
            return ["", ""]
    return None


async def stop(lanes: Lanes, standing: Standing) -> tuple[str, str]:
    """Stop a job; the toast that tells so, and how its live message is redrawn."""
    match await lanes.cancel(standing.job.chat, standing.job.lane, standing.job.id):
        case State.QUEUED:
            return "toast.cancelling", "cancelled"
        case State.RUNNING:
            return "toast.cancelling", ""
        case _:
            return "toast.old_button", "no_buttons"
