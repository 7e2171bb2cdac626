"""Steps of jobs that only concern Telegram: saying a prepared text, answering a pressed button."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from telegram import Bot, InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.chats.chats import Chat, Chats
from bot.jobs.notices import unpack_notice
from bot.jobs.ports import Notice, Report
from bot.jobs.runner import Run, Step
from bot.skills import Cards
from bot.telegram.accounts import language_notice
from bot.telegram.buttons import keyboard
from bot.telegram.chat_settings import BACK, settings_view
from bot.telegram.outbox import Outbox
from bot.telegram.phrasing import phrase_report
from bot.telegram.skills import draw_card, list_view
from bot.words import Words


async def say(run: Run) -> None:
    """Send the text that the handler prepared."""
    await run.front.say("said", unpack_notice(run.job.data))


def answer_tap(bot: Bot, outbox: Outbox, cards: Cards, chats: Chats) -> Step:
    """The step that answers a pressed button, and redraws its message where that says more than a toast."""

    async def step(run: Run) -> None:
        tap, words, chat_id = run.job.data, Words(run.job.language), run.job.chat.chat_id
        toast = words.plain(tap["toast"], **tap.get("words", {})) if tap["toast"] else None
        with contextlib.suppress(BadRequest):  # Too old: the person stopped waiting for it long ago.
            if tap["query"]:
                await outbox.call(
                    chat_id, lambda _: bot.answer_callback_query(tap["query"], toast), repeatable=True
                )
        with contextlib.suppress(BadRequest):  # The message is gone, or as wanted already.
            await _redraw(bot, outbox, cards, await chats.get(run.job.chat), words, tap)

    return step


async def _redraw(
    bot: Bot, outbox: Outbox, cards: Cards, chat: Chat, words: Words, tap: Mapping[str, Any]
) -> None:
    chat_id, message_id = chat.key.chat_id, int(tap["message"])

    async def edit(to: Notice | Report) -> None:
        report = to if isinstance(to, Report) else Report(to, (), to.buttons)
        text, markup = phrase_report(words, report), keyboard(report.buttons, words)
        await outbox.call(
            chat_id,
            lambda where: bot.edit_message_text(
                text, chat_id=where, message_id=message_id, parse_mode=ParseMode.HTML, reply_markup=markup
            ),
            repeatable=True,
        )

    match str(tap["redraw"]).split(":"):
        case ["language", value]:
            await edit(language_notice(value))
        case ["settings"]:
            # As it is by now, whatever was pressed since.
            await edit(settings_view(chat, cards, words))
        case ["skills"]:
            view = list_view(cards, chat.skill, words)
            await edit(replace(view, buttons=(*view.buttons, BACK)))
        case ["skill", name]:
            await draw_card(bot, outbox, cards, words, name, chat_id, message_id)
        case ["keyboard"]:
            markup = InlineKeyboardMarkup.de_json(tap["keyboard"], bot)
            await outbox.call(
                chat_id,
                lambda where: bot.edit_message_reply_markup(where, message_id, reply_markup=markup),
                repeatable=True,
            )
        case ["cancelled"]:
            await edit(Notice("live.cancelled"))
        case ["no_buttons"]:
            await outbox.call(
                chat_id,
                lambda where: bot.edit_message_reply_markup(
                    where, message_id, reply_markup=InlineKeyboardMarkup([])
                ),
                repeatable=True,
            )
