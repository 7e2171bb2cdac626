"""Steps of jobs that only concern Telegram: saying a prepared text, answering a pressed button."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from telegram import Bot, InlineKeyboardMarkup
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.jobs.ports import Notice
from bot.jobs.runner import Run, Step
from bot.skills import Cards
from bot.telegram.accounts import language_notice
from bot.telegram.buttons import keyboard
from bot.telegram.notices import unpack_notice
from bot.telegram.outbox import Outbox
from bot.telegram.phrasing import phrase
from bot.telegram.presses import settings_notice
from bot.telegram.skills import draw_card
from bot.words import Words


async def say(run: Run) -> None:
    """Send the text that the handler prepared."""
    await run.front.say("said", unpack_notice(run.job.data))


def answer_tap(bot: Bot, outbox: Outbox, cards: Cards) -> Step:
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
            await _redraw(bot, outbox, cards, words, chat_id, tap)

    return step


async def _redraw(
    bot: Bot, outbox: Outbox, cards: Cards, words: Words, chat_id: int, tap: Mapping[str, Any]
) -> None:
    message_id = int(tap["message"])

    async def edit(chat: int, notice: Notice) -> object:
        return await bot.edit_message_text(
            phrase(words, notice.key, notice.params),
            chat_id=chat,
            message_id=message_id,
            parse_mode=ParseMode.HTML,
            reply_markup=keyboard(notice.buttons, words),
        )

    match str(tap["redraw"]).split(":"):
        case ["language", value]:
            await outbox.call(chat_id, lambda chat: edit(chat, language_notice(value)), repeatable=True)
        case ["settings", value]:
            notice = settings_notice(auto_export=value == "1")
            await outbox.call(chat_id, lambda chat: edit(chat, notice), repeatable=True)
        case ["skill", name]:
            await draw_card(bot, outbox, cards, words, name, chat_id, message_id)
        case ["keyboard"]:
            markup = InlineKeyboardMarkup.de_json(tap["keyboard"], bot)
            await outbox.call(
                chat_id,
                lambda chat: bot.edit_message_reply_markup(chat, message_id, reply_markup=markup),
                repeatable=True,
            )
        case ["cancelled"]:
            await outbox.call(chat_id, lambda chat: edit(chat, Notice("live.cancelled")), repeatable=True)
        case ["no_buttons"]:
            await outbox.call(
                chat_id,
                lambda chat: bot.edit_message_reply_markup(
                    chat, message_id, reply_markup=InlineKeyboardMarkup([])
                ),
                repeatable=True,
            )
