"""What is told of one's data, and the way to have it erased."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from telegram import Message, Update
from telegram.constants import ChatType

from bot.chats.chats import MAX_RESULTS
from bot.jobs.job import Job, Kind, Lane, State, press_id
from bot.jobs.ports import Button, Notice, Param, Seconds
from bot.store import keys
from bot.telegram.buttons import Action
from bot.telegram.desk import Desk
from bot.telegram.rights import for_admin, may_touch
from bot.telegram.senders import address_of, chat_key, owner_id

_DAY_S = 86_400


def privacy_notice(chat_ttl_days: int) -> Notice:
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
    return Notice("privacy.text", params)


def forget_notice(message: Message) -> Notice:
    """What erasing means, with the button that does it."""
    kind = "private" if message.chat.type == ChatType.PRIVATE else "group"
    return Notice(f"forget.sure_{kind}", buttons=(Button("button.forget", Action.FORGET),))


async def forget_jobs(
    desk: Desk, update: Update, message: Message, answer_id: str
) -> tuple[list[Job], dict[str, Any] | None]:
    """What a press of that button asks for; nothing when it was pressed before.

    The job that erases takes its place in the queue with the press: what comes behind it came later.

    Args:
        desk: Makes the jobs.
        update: The press.
        message: With the button.
        answer_id: Of the job that answers the press.

    Returns:
        The jobs, and what is done only if an admin of the group pressed, see ``telegram/rights.py``.
    """
    chat = chat_key(message)
    erase_id = press_id(address_of(message.chat), message.message_id, f"{Action.FORGET}:{owner_id(update)}")
    before = await desk.lanes.find(chat, erase_id)
    if before is not None and before.state is not State.CANCELLED:
        return [], None
    erase = desk.job(update, Lane.EDIT, Kind.FORGET, message_id=message.message_id)
    if before is None:
        erase = replace(erase, id=erase_id)
    clear = desk.job(
        update, Lane.TAP, Kind.CLEAR_WAY, data={"before": erase.id}, message_id=message.message_id
    )
    questions = await desk.lanes.current(chat, Lane.ASK)
    if may_touch(update, None):
        return [replace(erase, data={"questions": questions}), clear], None
    deed = for_admin(jobs=[await desk.packed(update, clear)], lets=erase.id, refusal="forget.admins_only")
    return [replace(erase, data={"questions": questions, "if_allowed_by": answer_id})], deed
