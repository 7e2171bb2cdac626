"""Pressed buttons become jobs here, and an answer to the press itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from telegram import Message, Update

from bot.jobs.job import FileRef, Job, Kind, Lane, State, press_id, retry_id
from bot.jobs.steps.telling import EXTRAS, offered_edit
from bot.telegram.application import Context
from bot.telegram.buttons import Action, Press, unpack
from bot.telegram.chat_settings import SWITCHES
from bot.telegram.desk import Desk
from bot.telegram.privacy import forget_jobs
from bot.telegram.senders import chat_key
from bot.telegram.skills import wish_behind, without_button
from bot.words import Words, bounded, languages

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
        if query is None or not isinstance(query.message, Message):
            return  # Of a message too old to be named; nothing hangs on it any more.
        press = unpack(query.data)
        jobs: list[Job] = []
        toast, redraw = "", ""
        more: dict[str, Any] = {}
        match press:
            case None:
                toast = "toast.old_button"
            case Press(Action.CANCEL, job_id):
                toast, redraw = await self._press_cancel(update, query.message, job_id)
            case Press(Action.RETRY, job_id):
                wishes, toast = await self._retried(update, query.message, job_id)
                jobs += wishes
                redraw = "no_buttons" if wishes else ""
            case Press(Action.EXPORT | Action.NEW as action):
                jobs.append(self._desk.job(update, Lane.EDIT, Kind(action.value)))
            case Press(Action.CREDITS | Action.STATUS as action):
                jobs.append(self._desk.job(update, Lane.ASK, Kind(action.value)))
            case Press(Action.LINK):
                jobs.append(self._desk.job(update, Lane.ASK, Kind.LINK, data={"begin": True}))
            case Press(Action.LANGUAGE, name):
                chat = chat_key(query.message)
                if name in languages():
                    await self._desk.chats.update(chat, language=name)
                    toast = "toast.saved"
                redraw = f"language:{await self._desk.language_in(update, chat)}"
            case Press(Action.SKILL, ""):
                redraw = "skills"
            case Press(Action.SKILL, mark):
                toast, redraw = await self._pressed_skill(query.message, mark)
            case Press(Action.KEEP):
                toast, redraw = "toast.kept", "no_buttons"
            case Press(Action.STRIP | Action.OFFER):
                wishes, toast = await self._pressed_offer(update, query.message, press)
                jobs += wishes
                redraw = "no_buttons" if wishes else ""
            case Press(Action.EDITED, job_id):
                wishes, toast = await self._pressed_edited(update, query.message, job_id)
                jobs += wishes
                redraw = "no_buttons" if wishes else ""
            case Press(Action.EXAMPLE | Action.NEXT):
                wishes, toast = await self._pressed_wish(update, query.message, press)
                jobs += wishes
                markup = without_button(query.message.reply_markup, query.data)
                said = bounded(wishes[0].text, MAX_TOAST_CHARS) if wishes else ""
                redraw, more = "keyboard", {"keyboard": markup.to_dict(), "words": {"wish": said}}
            case Press(Action.FORGET):
                jobs += await forget_jobs(self._desk, update, query.message)
                toast = "toast.forgetting" if jobs else "toast.old_button"
            case Press(Action.SETTINGS):
                redraw = "settings"
            case Press(action, value) if action in SWITCHES:
                await self._desk.chats.update(chat_key(query.message), **SWITCHES[action](value == "1"))
                toast, redraw = "toast.saved", "settings"
        tap = {"query": query.id, "toast": toast, "redraw": redraw, "message": query.message.message_id}
        # First the answer, which somebody waits for: what is asked for may be of the same lane.
        await self._desk.accept(update, [self._desk.job(update, Lane.TAP, Kind.TAP, data=tap | more), *jobs])

    async def _pressed_skill(self, message: Message, mark: str) -> tuple[str, str]:
        name = self._desk.cards.marked(mark)
        if name is None:
            return "toast.skill_gone", ""
        await self._desk.chats.update(chat_key(message), skill=name)
        return "toast.skill_chosen", f"skill:{name}"

    async def _pressed_wish(self, update: Update, message: Message, press: Press) -> tuple[list[Job], str]:
        """The wish that a button sends, and the toast; an old one may offer what is no longer there."""
        chat = chat_key(message)
        wish = wish_behind(press, self._desk.cards, Words(await self._desk.language_in(update, chat)))
        if wish is None:
            return [], "toast.wish_gone"
        job_id = press_id(chat, message.message_id, f"{press.action}:{press.argument}")
        if await self._desk.lanes.find(chat, job_id) is not None:
            return [], "toast.sent_already"
        job = self._desk.job(update, Lane.EDIT, Kind.WISH, text=wish, message_id=message.message_id)
        return [replace(job, id=job_id)], "toast.sent_wish"

    async def _press_cancel(self, update: Update, message: Message, job_id: str) -> tuple[str, str]:
        chat = chat_key(message)
        standing = await self._desk.lanes.find(chat, job_id)
        if standing is None:
            return "toast.old_button", "no_buttons"
        if not self._desk.may_touch(update, standing.job):
            return "toast.not_yours", ""
        was = await self._desk.lanes.cancel(chat, standing.job.lane, job_id)
        match was:
            case State.QUEUED:
                return "toast.cancelling", "cancelled"
            case State.RUNNING:
                return "toast.cancelling", ""
            case _:
                return "toast.old_button", "no_buttons"

    async def _pressed_offer(self, update: Update, message: Message, press: Press) -> tuple[list[Job], str]:
        """The wish behind a button that belongs to one job's answer: only who asked may press it in a group."""
        kind, _, job_id = press.argument.rpartition(".")
        chat = chat_key(message)
        standing = await self._desk.lanes.find(chat, job_id)
        if standing is None:
            return [], "toast.old_button"
        if not self._desk.may_touch(update, standing.job):
            return [], "toast.not_yours"
        wish: str | None = None
        if press.action is Action.STRIP and kind in EXTRAS.values():
            wish = Words(await self._desk.language_in(update, chat)).plain(f"wish.strip_{kind}")
        elif press.action is Action.OFFER:
            outcome = await self._desk.lanes.checkpoint(standing.job, "turn")
            wish = offered_edit(outcome) if outcome else None
        if wish is None:
            return [], "toast.old_button"
        new_id = press_id(chat, message.message_id, f"{press.action}:{press.argument}")
        if await self._desk.lanes.find(chat, new_id) is not None:
            return [], "toast.sent_already"
        job = self._desk.job(update, Lane.EDIT, Kind.WISH, text=wish, message_id=message.message_id)
        return [replace(job, id=new_id)], "toast.sent"

    async def _pressed_edited(self, update: Update, message: Message, job_id: str) -> tuple[list[Job], str]:
        """The wish in its new words, which the offer holds."""
        chat = chat_key(message)
        offer = await self._desk.lanes.find(chat, job_id)
        if offer is None:
            return [], "toast.old_button"
        if not self._desk.may_touch(update, offer.job):
            return [], "toast.not_yours"
        new_id = press_id(chat, message.message_id, f"{Action.EDITED}:{job_id}")
        if await self._desk.lanes.find(chat, new_id) is not None:
            return [], "toast.sent_already"
        links = offer.job.data.get("links")
        wish = self._desk.job(
            update,
            Lane.EDIT,
            Kind.WISH,
            text=offer.job.text,
            data={"links": links} if links else None,
            message_id=offer.job.message_id,
        )
        return [replace(wish, id=new_id, owner_id=offer.job.owner_id)], "toast.sent"

    async def _retried(self, update: Update, message: Message, job_id: str) -> tuple[list[Job], str]:
        standing = await self._desk.lanes.find(chat_key(message), job_id)
        if standing is None:
            return [], "toast.old_button"
        if not self._desk.may_touch(update, standing.job):
            return [], "toast.not_yours"
        old = standing.job
        if await self._desk.lanes.find(old.chat, retry_id(old.id)) is not None:
            return [], "toast.sent_already"
        kind, files, data = await self._left_to_do(old)
        fresh = self._desk.job(update, old.lane, kind, message_id=old.message_id)
        again = replace(
            fresh, id=retry_id(old.id), owner_id=old.owner_id, text=old.text, files=files, data=data
        )
        return [again], ""

    async def _left_to_do(self, job: Job) -> tuple[Kind, tuple[FileRef, ...], Mapping[str, Any]]:
        """What a failed job has still to do: what was charged is not asked for again, nor is a clip doubled."""
        turn = await self._desk.lanes.checkpoint(job, "turn")
        if job.kind is Kind.WISH and turn is not None and not turn["failed"]:
            return Kind.EXPORT, (), {}
        session_id = (await self._desk.chats.get(job.chat)).session_id
        uploaded, linked = [await self._desk.lanes.checkpoint(job, name) for name in ("uploaded", "linked")]
        # Words in a file were not uploaded: they are read again.
        there = _brought(uploaded, session_id, [file.file_id for file in job.files if not file.is_text])
        files = tuple(file for file in job.files if file.file_id not in there)
        links = job.data.get("links") or []
        left = [link for link in links if link not in _brought(linked, session_id, links)]
        data = {name: value for name, value in job.data.items() if name != "links"}
        return job.kind, files, data | ({"links": left} if left else {})


def _brought(done: Mapping[str, Any] | None, session_id: str | None, everything: Sequence[str]) -> set[str]:
    """What a failed job brought into the project that the chat has now."""
    if not done or done.get("session") != session_id:
        return set()
    return set(done.get("files", everything))
