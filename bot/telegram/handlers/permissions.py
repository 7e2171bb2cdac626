"""Who may do what in a group: whoever asked for something, and the group's admins.

Only Telegram knows who is an admin, and handlers do not ask it. What somebody else asks for by a button travels inside
the job that answers the press; that one asks, and does it or tells by a toast why not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import structlog
from telegram import Message, Update
from telegram.constants import ChatType
from telegram.error import TelegramError

from bot.chats.chats import ChatChanges, Chats
from bot.jobs.model import Job, JobKind, JobState, QueueName, new_job_id
from bot.jobs.payloads import IfAdmin, PressPayload, SayPayload
from bot.jobs.ports import GroupAdmins
from bot.jobs.queue.job_queue import JobQueue, JobStatus, QueueFull
from bot.jobs.queue.quotas import QuotaExceeded
from bot.jobs.steps.forget import ALLOWED
from bot.jobs.worker.runner import Attempt
from bot.telegram.handlers.quota_messages import quota_exceeded
from bot.telegram.reading.senders import owner_id, sender_id

log = structlog.get_logger(__name__)


def may_change(update: Update, asker: int | None) -> bool:
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


async def if_admin(
    attempt: Attempt, job_queue: JobQueue, chats: Chats, group_admins: GroupAdmins
) -> tuple[str, str]:
    """Do what a press asked for, if an admin pressed; the toast, and how the message is redrawn."""
    press, deed = attempt.job.payload_as(PressPayload), deed_of(attempt)
    if (done := attempt.get_value("for_admin")) is None:
        done = [press.toast, press.redraw]
        if await _is_admin(attempt, group_admins):
            done = await _do(attempt, job_queue, chats, deed) or done
        else:
            done = [deed.refusal, ""]
            if deed.release_job_id:
                await job_queue.cancel(attempt.job.chat, QueueName.MAIN, deed.release_job_id)
        await attempt.save_value("for_admin", done)
    toast, redraw = done
    if toast == press.toast and (language := deed.changes.get("language")):
        attempt.job = replace(attempt.job, language=language)
    return toast, redraw


def deed_of(attempt: Attempt) -> IfAdmin:
    """Return what a press does if an admin pressed."""
    deed = attempt.job.payload_as(PressPayload).if_admin
    if deed is None:
        raise AssertionError("only for presses that an admin has to make")
    return deed


async def _is_admin(attempt: Attempt, group_admins: GroupAdmins) -> bool:
    try:
        return await group_admins.is_admin(attempt.job.chat, attempt.job.owner_id)
    except TelegramError as error:
        log.warning("rights.admins_unknown", error=type(error).__name__)
        return False


async def _do(attempt: Attempt, job_queue: JobQueue, chats: Chats, deed: IfAdmin) -> list[str] | None:
    """Do it; the toast and how the message is redrawn, where that is not as was foreseen."""
    chat = attempt.job.chat
    if deed.changes:
        await chats.update(chat, **cast(ChatChanges, deed.changes))
    if deed.release_job_id and (waiting := await job_queue.find(chat, deed.release_job_id)) is not None:
        await job_queue.keep_beside(waiting.job, ALLOWED, True)
    if deed.stop_job_id and (standing := await job_queue.find(chat, deed.stop_job_id)) is not None:
        return [*await stop(job_queue, standing)]
    if deed.jobs:
        try:
            await job_queue.enqueue([Job.from_json(job) for job in deed.jobs], attempt.job.id)
        except QueueFull:
            return ["error.queue_full", ""]
        except QuotaExceeded as error:
            why = SayPayload(message=quota_exceeded(error.scarce, job_queue.quotas))
            told = replace(attempt.job, id=new_job_id(), queue=QueueName.QUICK, kind=JobKind.SAY, payload=why)
            await job_queue.enqueue([told], f"{attempt.job.id}:budget")
            return ["", ""]
    return None


async def stop(job_queue: JobQueue, standing: JobStatus) -> tuple[str, str]:
    """Stop a job; the toast that tells so, and how its live message is redrawn."""
    match await job_queue.cancel(standing.job.chat, standing.job.queue, standing.job.id):
        case JobState.QUEUED:
            return "toast.cancelling", "cancelled"
        case JobState.RUNNING:
            return "toast.cancelling", ""
        case _:
            return "toast.old_button", "no_buttons"
