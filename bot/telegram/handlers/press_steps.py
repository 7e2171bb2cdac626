"""Steps of jobs that only concern Telegram: saying a prepared text, answering a pressed button."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from telegram import Bot, InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.chats.chats import Chat, Chats
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import JobKind, QueueName, new_job_id
from bot.jobs.payloads import PressPayload, SayPayload
from bot.jobs.ports import GroupAdmins
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.jobs.worker.runner import Attempt, Step
from bot.skills import Cards
from bot.telegram.handlers.chat_settings import BACK, settings_view
from bot.telegram.handlers.login import language_notice
from bot.telegram.handlers.permissions import if_admin
from bot.telegram.handlers.skills import draw_card, list_view
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.formatting import format_list
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.rate_limiter import SendPriority
from bot.words import Words


async def send_prepared(attempt: Attempt) -> None:
    """Send the text that the handler prepared."""
    await attempt.responder.send("said", attempt.job.payload_as(SayPayload).message)


def answer_press(
    bot: Bot, telegram_calls: TelegramCalls, job_queue: JobQueue, chats: Chats, group_admins: GroupAdmins
) -> Step:
    """The step that answers a pressed button, and has its message redrawn where that says more than a toast."""

    async def step(attempt: Attempt) -> None:
        press, chat_id = attempt.job.payload_as(PressPayload), attempt.job.chat.chat_id
        if press.if_admin is not None:
            toast, redraw = await if_admin(attempt, job_queue, chats, group_admins)
            press = press.model_copy(update={"toast": toast, "redraw": redraw})
        words = Words(attempt.job.language)
        told = words.plain(press.toast, **press.words) if press.toast else None
        with contextlib.suppress(BadRequest):  # Too old: the person stopped waiting for it long ago.
            await telegram_calls.call(
                chat_id,
                lambda _: bot.answer_callback_query(press.query_id, told),
                repeatable=True,
                at_once=True,
            )
        if press.redraw:
            # Not here: an edit may have to wait, and the next press with it.
            drawing = replace(
                attempt.job, id=new_job_id(), queue=QueueName.DRAW, kind=JobKind.REDRAW, payload=press
            )
            with contextlib.suppress(QueueFull):
                await job_queue.enqueue([drawing], f"{attempt.job.id}:redraw")

    return step


def redraw_pressed(bot: Bot, telegram_calls: TelegramCalls, cards: Cards, chats: Chats) -> Step:
    """The step that redraws the message of a pressed button."""

    async def step(attempt: Attempt) -> None:
        if attempt.job.place != await telegram_calls.address(attempt.job.chat.chat_id):
            return  # Of before the group became a supergroup: there the number means another message.
        with contextlib.suppress(BadRequest):  # The message is gone, or as wanted already.
            words = Words(attempt.job.language)
            await _redraw(
                bot,
                telegram_calls,
                cards,
                await chats.get(attempt.job.chat),
                words,
                attempt.job.payload_as(PressPayload),
            )

    return step


async def _redraw(
    bot: Bot, telegram_calls: TelegramCalls, cards: Cards, chat: Chat, words: Words, press: PressPayload
) -> None:
    chat_id, message_id = chat.key.chat_id, press.message_id

    async def edit(to: LocalizedMessage | ListMessage) -> None:
        report = to if isinstance(to, ListMessage) else ListMessage(to, (), to.buttons)
        text, markup = format_list(words, report), keyboard(report.buttons, words)
        await telegram_calls.call(
            chat_id,
            lambda where: bot.edit_message_text(
                text, chat_id=where, message_id=message_id, parse_mode=ParseMode.HTML, reply_markup=markup
            ),
            repeatable=True,
            urgency=SendPriority.ANSWER,
        )

    match press.redraw.split(":"):
        case ["language", value]:
            await edit(language_notice(value))
        case ["settings"]:
            # As it is by now, whatever was pressed since.
            await edit(settings_view(chat, cards, words))
        case ["skills"]:
            view = list_view(cards, chat.skill, words)
            await edit(replace(view, buttons=(*view.buttons, BACK)))
        case ["skill", name]:
            await draw_card(bot, telegram_calls, cards, words, name, chat_id, message_id)
        case ["keyboard"]:
            markup = InlineKeyboardMarkup.de_json(press.keyboard or {"inline_keyboard": []}, bot)
            await telegram_calls.call(
                chat_id,
                lambda where: bot.edit_message_reply_markup(where, message_id, reply_markup=markup),
                repeatable=True,
                urgency=SendPriority.ANSWER,
            )
        case ["cancelled"]:
            await edit(LocalizedMessage("progress.cancelled"))
        case ["no_buttons"]:
            await telegram_calls.call(
                chat_id,
                lambda where: bot.edit_message_reply_markup(
                    where, message_id, reply_markup=InlineKeyboardMarkup([])
                ),
                repeatable=True,
                urgency=SendPriority.ANSWER,
            )
