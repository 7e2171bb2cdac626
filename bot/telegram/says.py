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
from bot.jobs.job import Kind, Lane, new_job_id
from bot.jobs.lanes import LaneFull, Lanes
from bot.jobs.notices import unpack_notice
from bot.jobs.ports import Membership, Notice, Report
from bot.jobs.runner import Run, Step
from bot.skills import Cards
from bot.telegram.accounts import language_notice
from bot.telegram.buttons import keyboard
from bot.telegram.chat_settings import BACK, settings_view
from bot.telegram.flood import Urgency
from bot.telegram.outbox import Outbox
from bot.telegram.phrasing import phrase_report
from bot.telegram.rights import if_admin
from bot.telegram.skills import draw_card, list_view
from bot.words import Words


async def say(run: Run) -> None:
    """Send the text that the handler prepared."""
    await run.front.say("said", unpack_notice(run.job.data))


def answer_tap(bot: Bot, outbox: Outbox, lanes: Lanes, chats: Chats, membership: Membership) -> Step:
    """The step that answers a pressed button, and has its message redrawn where that says more than a toast."""

    async def step(run: Run) -> None:
        tap, chat_id = run.job.data, run.job.chat.chat_id
        if "for_admin" in tap:
            toast, redraw = await if_admin(run, lanes, chats, membership)
            tap = {**tap, "toast": toast, "redraw": redraw}
        words = Words(run.job.language)
        told = words.plain(tap["toast"], **tap.get("words", {})) if tap["toast"] else None
        with contextlib.suppress(BadRequest):  # Too old: the person stopped waiting for it long ago.
            await outbox.call(
                chat_id,
                lambda _: bot.answer_callback_query(tap["query"], told),
                repeatable=True,
                at_once=True,
            )
        if tap["redraw"]:
            # Not here: an edit may have to wait, and the next press with it.
            drawing = replace(run.job, id=new_job_id(), lane=Lane.DRAW, kind=Kind.REDRAW, data=tap)
            with contextlib.suppress(LaneFull):
                await lanes.accept([drawing], f"{run.job.id}:redraw")

    return step


def redraw_tapped(bot: Bot, outbox: Outbox, cards: Cards, chats: Chats) -> Step:
    """The step that redraws the message of a pressed button."""

    async def step(run: Run) -> None:
        if run.job.place != await outbox.address(run.job.chat.chat_id):
            return  # Of before the group became a supergroup: there the number means another message.
        with contextlib.suppress(BadRequest):  # The message is gone, or as wanted already.
            words = Words(run.job.language)
            await _redraw(bot, outbox, cards, await chats.get(run.job.chat), words, run.job.data)

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
            urgency=Urgency.ANSWER,
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
                urgency=Urgency.ANSWER,
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
                urgency=Urgency.ANSWER,
            )
