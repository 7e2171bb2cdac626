"""Pressed buttons become jobs here, and an answer to the press itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from telegram import CallbackQuery, Message, Update

from bot.chats.chats import ChatChanges
from bot.jobs.job import Job, Kind, Lane, press_id
from bot.jobs.retrying import another_try, not_brought
from bot.jobs.steps.telling import EXTRAS, offered_edit
from bot.telegram.application import Context
from bot.telegram.buttons import Action, Press, unpack
from bot.telegram.chat_settings import SWITCHES
from bot.telegram.desk import Desk
from bot.telegram.privacy import forget_jobs
from bot.telegram.rights import asker_of, for_admin, may_touch, stop
from bot.telegram.senders import address_of, chat_key
from bot.telegram.skills import wish_behind, without_button
from bot.words import Words, bounded, languages

_OF_A_JOB = frozenset({Action.CANCEL, Action.RETRY, Action.STRIP, Action.KEEP, Action.OFFER, Action.EDITED})
"""What concerns one job, whose id ends the button's argument."""

_OF_SETTINGS = frozenset({Action.SETTINGS, Action.LANGUAGE, Action.SKILL, *SWITCHES})
"""What changes a chat, and is for whoever asked for the message, and for admins of the group."""

MAX_TOAST_CHARS = 150
"""Of a wish in a toast, which has 200 in all."""


class Presses:
    """Handles callback queries.

    Args:
        desk: Stores what they ask for.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def press(self, update: Update, context: Context) -> None:
        """Handle one; whatever it was, it gets an answer."""
        query = update.callback_query
        if query is None:
            return
        # Of a message too old to be read PTB makes one that has its number and chat, and no topic or text.
        if not isinstance(query.message, Message) or not query.message.is_accessible:
            return await self._desk.answer_unplaced(update, "toast.old_button")
        press = unpack(query.data)
        if press is not None and press.action in _OF_A_JOB:
            return await self._press_of_a_job(update, query, query.message, press)
        jobs: list[Job] = []
        toast, redraw = "", ""
        more: dict[str, Any] = {}
        changes: ChatChanges = {}
        answer = self._desk.job(update, Lane.TAP, Kind.TAP)
        match press:
            case None:
                toast = "toast.old_button"
            case Press(Action.EXPORT | Action.NEW as action):
                jobs.append(self._desk.job(update, Lane.EDIT, Kind(action.value)))
            case Press(Action.CREDITS | Action.STATUS as action):
                jobs.append(self._desk.job(update, Lane.ASK, Kind(action.value)))
            case Press(Action.LINK):
                jobs.append(self._desk.job(update, Lane.ASK, Kind.LINK, data={"begin": True}))
            case Press(Action.LANGUAGE, name):
                if name in languages():
                    changes, toast = {"language": name}, "toast.saved"
                else:
                    name = await self._desk.language_in(update, chat_key(query.message))
                redraw = f"language:{name}"
            case Press(Action.SKILL, ""):
                redraw = "skills"
            case Press(Action.SKILL, mark):
                card, toast = self._desk.cards.marked(mark), "toast.skill_gone"
                if card is not None:
                    changes, toast, redraw = {"skill": card}, "toast.skill_chosen", f"skill:{card}"
            case Press(Action.EXAMPLE | Action.NEXT):
                wishes, toast = await self._pressed_wish(update, query.message, press)
                jobs += wishes
                markup = without_button(query.message.reply_markup, query.data)
                said = bounded(wishes[0].text, MAX_TOAST_CHARS) if wishes else ""
                redraw, more = "keyboard", {"keyboard": markup.to_dict(), "words": {"wish": said}}
            case Press(Action.FORGET):
                jobs, deed = await forget_jobs(self._desk, update, query.message, answer.id)
                toast = "toast.forgetting" if jobs else "toast.old_button"
                more = {"for_admin": deed} if deed else {}
            case Press(Action.SETTINGS):
                redraw = "settings"
            case Press(action, value) if action in SWITCHES:
                changes, toast, redraw = SWITCHES[action](value == "1"), "toast.saved", "settings"
        if press is not None and press.action in _OF_SETTINGS:
            if not may_touch(update, asker_of(query.message)):
                more = {"for_admin": for_admin(changes=changes)}
            elif changes:
                await self._desk.chats.update(chat_key(query.message), **changes)
        tap = {"query": query.id, "toast": toast, "redraw": redraw, "message": query.message.message_id}
        # First the answer, which somebody waits for: what is asked for may be of the same lane.
        await self._desk.accept(update, [replace(answer, data=tap | more), *jobs])

    async def _press_of_a_job(
        self, update: Update, query: CallbackQuery, message: Message, press: Press
    ) -> None:
        """A button that concerns one job: for whoever asked for that, and for admins of the group."""
        chat = chat_key(message)
        job_id = press.argument.rpartition(".")[2]
        standing = await self._desk.lanes.find(chat, job_id)
        tap = {"query": query.id, "toast": "", "redraw": "no_buttons", "message": message.message_id}
        if standing is None:
            tap["toast"] = "toast.old_button"
            return await self._desk.accept(update, [self._desk.job(update, Lane.TAP, Kind.TAP, data=tap)])
        jobs: list[Job] = []
        answer = self._desk.job(update, Lane.TAP, Kind.TAP)
        match press.action:
            case Action.KEEP:
                tap["toast"] = "toast.kept"
            case Action.RETRY:
                again = await another_try(self._desk.lanes, self._desk.chats, standing.job, answer.asked_at)
                jobs, tap["toast"] = ([again], "") if again else ([], "toast.sent_already")
            case Action.EDITED:
                jobs, tap["toast"] = await self._pressed_edited(update, message, standing.job, press)
            case Action.STRIP | Action.OFFER:
                jobs, tap["toast"] = await self._pressed_offer(update, message, standing.job, press)
        if not jobs and press.action is not Action.KEEP:
            tap["redraw"] = ""
        if not may_touch(update, standing.job.owner_id):
            stops = job_id if press.action is Action.CANCEL else ""
            packed = [await self._desk.packed(update, job) for job in jobs]
            tap["for_admin"] = for_admin(stops=stops, jobs=packed)
            jobs = []
        elif press.action is Action.CANCEL:
            tap["toast"], tap["redraw"] = await stop(self._desk.lanes, standing)
        await self._desk.accept(update, [*jobs, replace(answer, data=tap)])

    async def _pressed_wish(self, update: Update, message: Message, press: Press) -> tuple[list[Job], str]:
        """The wish that a button sends, and the toast; an old one may offer what is no longer there."""
        chat = chat_key(message)
        wish = wish_behind(press, self._desk.cards, Words(await self._desk.language_in(update, chat)))
        if wish is None:
            return [], "toast.wish_gone"
        return await self._wish_once(update, message, press, wish, "toast.sent_wish")

    async def _wish_once(
        self, update: Update, message: Message, press: Press, text: str, toast: str
    ) -> tuple[list[Job], str]:
        """The wish that a button sends, unless it did before; and the toast."""
        job_id = press_id(address_of(message.chat), message.message_id, f"{press.action}:{press.argument}")
        if await self._desk.lanes.find(chat_key(message), job_id) is not None:
            return [], "toast.sent_already"
        job = self._desk.job(update, Lane.EDIT, Kind.WISH, text=text, message_id=message.message_id)
        return [replace(job, id=job_id)], toast

    async def _pressed_offer(
        self, update: Update, message: Message, asked: Job, press: Press
    ) -> tuple[list[Job], str]:
        """The wish behind a button that belongs to one job's answer, and the toast."""
        kind = press.argument.rpartition(".")[0]
        wish: str | None = None
        if press.action is Action.STRIP and kind in EXTRAS.values():
            language = await self._desk.language_in(update, chat_key(message))
            wish = Words(language).plain(f"wish.strip_{kind}")
        elif press.action is Action.OFFER:
            outcome = await self._desk.lanes.checkpoint(asked, "turn")
            wish = offered_edit(outcome) if outcome else None
        if wish is None:
            return [], "toast.old_button"
        return await self._wish_once(update, message, press, wish, "toast.sent")

    async def _pressed_edited(
        self, update: Update, message: Message, offer: Job, press: Press
    ) -> tuple[list[Job], str]:
        """The wish in its new words, which the offer holds."""
        jobs, toast = await self._wish_once(update, message, press, offer.text, "toast.sent")
        links = offer.data.get("links")
        old = await self._desk.lanes.find(offer.chat, offer.data.get("of", ""))
        # A wish that was stopped or failed may not have brought its files.
        files = () if old is None else (await not_brought(self._desk.lanes, self._desk.chats, old.job))[0]
        return [
            replace(
                job,
                files=files,
                message_id=offer.message_id,
                owner_id=offer.owner_id,
                address=offer.address,
                data={"links": links} if links else {},
            )
            for job in jobs
        ], toast
