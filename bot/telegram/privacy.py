"""What is told of one's data, and the way to have it erased."""

from __future__ import annotations

from dataclasses import replace

from telegram import Message, Update
from telegram.constants import ChatType

from bot.chats.chats import MAX_RESULTS
from bot.jobs.job import Job, Kind, Lane, press_id
from bot.jobs.ports import Button, Notice, Param, Seconds
from bot.store import keys
from bot.telegram.buttons import Action
from bot.telegram.desk import Desk
from bot.telegram.senders import chat_key

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


async def forget_jobs(desk: Desk, update: Update, message: Message) -> list[Job]:
    """What a press of that button asks for; nothing when it was pressed before."""
    chat = chat_key(message)
    job_id = press_id(chat, message.message_id, Action.FORGET)
    if await desk.lanes.find(chat, job_id) is not None:
        return []
    erase = desk.job(update, Lane.EDIT, Kind.FORGET, message_id=message.message_id)
    erase = replace(erase, id=job_id, language=await desk.language_in(update, chat))
    # Only Telegram knows the admins of a group, so a job asks it before that one is taken in.
    data = {"asked": erase.to_json()}
    return [desk.job(update, Lane.TAP, Kind.CLEAR_WAY, data=data, message_id=message.message_id)]
