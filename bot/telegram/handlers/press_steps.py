"""Steps of jobs that only concern Telegram: answering a pressed button, and redrawing its message."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from telegram import Bot, InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.chats.chats import Chat, Chats
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import JobKind, QueueName, new_job_id
from bot.jobs.payloads import PressPayload
from bot.jobs.ports import GroupAdmins
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.jobs.steps.show_settings import BACK, settings_view
from bot.jobs.steps.show_skills import list_view
from bot.jobs.worker.attempt import Attempt
from bot.skills import Cards
from bot.telegram.handlers.login import language_notice
from bot.telegram.handlers.permissions import if_admin
from bot.telegram.handlers.skills import draw_card
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.formatting import format_list
from bot.telegram.sending.keyboards import keyboard
from bot.words import Words


class AnswerPress:
    """Answer a pressed button, and have its message redrawn where that says more than a toast."""

    name = "answer_press"

    def __init__(
        self,
        bot: Bot,
        telegram_calls: TelegramCalls,
        job_queue: JobQueue,
        chats: Chats,
        group_admins: GroupAdmins,
    ) -> None:
        self._bot = bot
        self._telegram_calls = telegram_calls
        self._job_queue = job_queue
        self._chats = chats
        self._group_admins = group_admins

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        press, chat_id = attempt.job.payload_as(PressPayload), attempt.job.chat.chat_id
        if press.if_admin is not None:
            toast, redraw = await if_admin(attempt, self._job_queue, self._chats, self._group_admins)
            press = press.model_copy(update={"toast": toast, "redraw": redraw})
        words = Words(attempt.job.language)
        told = words.plain(press.toast, **press.words) if press.toast else None
        with contextlib.suppress(BadRequest):  # Too old: the person stopped waiting for it long ago.
            await self._telegram_calls.call(
                chat_id,
                lambda _: self._bot.answer_callback_query(press.query_id, told),
                repeatable=True,
            )
        if press.redraw:
            # Not here: an edit may have to wait, and the next press with it.
            drawing = replace(
                attempt.job, id=new_job_id(), queue=QueueName.DRAW, kind=JobKind.REDRAW, payload=press
            )
            with contextlib.suppress(QueueFull):
                await self._job_queue.enqueue([drawing], f"{attempt.job.id}:redraw")


class RedrawPressed:
    """Redraw the message of a pressed button."""

    name = "redraw_pressed"

    def __init__(self, bot: Bot, telegram_calls: TelegramCalls, cards: Cards, chats: Chats) -> None:
        self._bot = bot
        self._telegram_calls = telegram_calls
        self._cards = cards
        self._chats = chats

    async def __call__(self, attempt: Attempt) -> None:
        """See ``Step``."""
        if attempt.job.place != await self._telegram_calls.telegram_chat_id(attempt.job.chat.chat_id):
            return  # Of before the group became a supergroup: there the number means another message.
        chat, words = await self._chats.get(attempt.job.chat), Words(attempt.job.language)
        with contextlib.suppress(BadRequest):  # The message is gone, or as wanted already.
            press = attempt.job.payload_as(PressPayload)
            await _redraw(self._bot, self._telegram_calls, self._cards, chat, words, press)


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
            )
