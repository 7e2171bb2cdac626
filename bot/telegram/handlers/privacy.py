"""What is told of one's data, and the way to have it erased."""

from __future__ import annotations

from dataclasses import replace

from telegram import Message, Update
from telegram.constants import ChatType

from bot.chats.chats import MAX_RESULTS
from bot.jobs.buttons import ForgetChat
from bot.jobs.messages import Button, LocalizedMessage, Param, Seconds
from bot.jobs.model import Job, JobKind, JobState, QueueName, press_id
from bot.jobs.payloads import ForgetPayload, IfAdmin, StopEarlierPayload
from bot.store import keys
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import may_change
from bot.telegram.reading.senders import address_of, chat_key, owner_id

_DAY_S = 86_400


def privacy_notice(chat_ttl_days: int) -> LocalizedMessage:
    """What is kept and for how long, from the numbers that are in force."""
    params: dict[str, Param] = {
        "chat_days": chat_ttl_days,
        "videos": MAX_RESULTS,
        "job_days": keys.JOB_TTL_S // _DAY_S,
        "said_for": Seconds(keys.SAID_JOB_TTL_S),
        "number_days": max(keys.MESSAGE_NUMBERS_TTL_S, keys.UPDATE_TTL_S) // _DAY_S,
        "album_days": keys.ALBUM_TTL_S // _DAY_S,
        "budget_days": keys.BUDGET_TTL_S // _DAY_S,
    }
    return LocalizedMessage("privacy.text", params)


def forget_notice(message: Message) -> LocalizedMessage:
    """What erasing means, with the button that does it."""
    kind = "private" if message.chat.type == ChatType.PRIVATE else "group"
    return LocalizedMessage(f"forget.sure_{kind}", buttons=(Button("button.forget", ForgetChat()),))


async def forget_jobs(
    submitter: JobSubmitter, update: Update, message: Message, answer_id: str
) -> tuple[list[Job], IfAdmin | None]:
    """What a press of that button asks for; nothing when it was pressed before.

    The job that erases takes its place in the queue with the press: what comes behind it came later.

    Args:
        submitter: Makes the jobs.
        update: The press.
        message: With the button.
        answer_id: Of the job that answers the press.

    Returns:
        The jobs, and what is done only if an admin of the group pressed, see ``telegram/handlers/permissions.py``.
    """
    chat = chat_key(message)
    erase_id = press_id(address_of(message.chat), message.message_id, f"{ForgetChat.name}:{owner_id(update)}")
    before = await submitter.job_queue.find(chat, erase_id)
    if before is not None and before.state is not JobState.CANCELLED:
        return [], None
    erase = submitter.job(update, QueueName.MAIN, JobKind.FORGET, message_id=message.message_id)
    if before is None:
        erase = replace(erase, id=erase_id)
    stop_earlier = StopEarlierPayload(erase_id=erase.id)
    clear = submitter.job(
        update, QueueName.TAP, JobKind.CLEAR_WAY, payload=stop_earlier, message_id=message.message_id
    )
    questions = await submitter.job_queue.current(chat, QueueName.QUICK)
    if may_change(update, None):
        return [replace(erase, payload=ForgetPayload(quick_job_ids=tuple(questions))), clear], None
    deed = IfAdmin(
        jobs=(await submitter.packed(update, clear),), release_job_id=erase.id, refusal="forget.admins_only"
    )
    return [
        replace(erase, payload=ForgetPayload(quick_job_ids=tuple(questions), if_allowed_by=answer_id))
    ], deed
