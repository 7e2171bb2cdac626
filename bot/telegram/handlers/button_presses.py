"""Pressed buttons become jobs here, and an answer to the press itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from telegram import CallbackQuery, Message, Update

from bot.chats.chats import ChatFields
from bot.jobs.model import Job, JobKind, QueueName, press_id
from bot.jobs.queue.retry import not_uploaded, retry_of
from bot.jobs.steps.agent_answer import EXTRAS, offered_edit
from bot.telegram.handlers.chat_settings import SWITCHES
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import asker_of, for_admin, may_change, stop
from bot.telegram.handlers.privacy import forget_jobs
from bot.telegram.handlers.skills import prompt_behind, without_button
from bot.telegram.reading.senders import address_of, chat_key
from bot.telegram.receiving.application import Context
from bot.telegram.sending.keyboards import ButtonAction, ButtonPress, unpack_button
from bot.words import Words, bounded, languages

_OF_A_JOB = frozenset(
    {
        ButtonAction.CANCEL,
        ButtonAction.RETRY,
        ButtonAction.STRIP,
        ButtonAction.KEEP,
        ButtonAction.OFFER,
        ButtonAction.EDITED,
    }
)
"""What concerns one job, whose id ends the button's argument."""

_OF_SETTINGS = frozenset({ButtonAction.SETTINGS, ButtonAction.LANGUAGE, ButtonAction.SKILL, *SWITCHES})
"""What changes a chat, and is for whoever asked for the message, and for admins of the group."""

MAX_TOAST_CHARS = 150
"""Of a request in a toast, which has 200 in all."""


class ButtonPresses:
    """Handles callback queries.

    Args:
        submitter: Stores what they ask for.
    """

    def __init__(self, submitter: JobSubmitter) -> None:
        self._submitter = submitter

    async def press(self, update: Update, context: Context) -> None:
        """Handle one; whatever it was, it gets an answer."""
        query = update.callback_query
        if query is None:
            return
        # Of a message too old to be read PTB makes one that has its number and chat, and no topic or text.
        if not isinstance(query.message, Message) or not query.message.is_accessible:
            return await self._submitter.answer_unplaced(update, "toast.old_button")
        press = unpack_button(query.data)
        if press is not None and press.action in _OF_A_JOB:
            return await self._press_of_a_job(update, query, query.message, press)
        jobs: list[Job] = []
        toast, redraw = "", ""
        more: dict[str, Any] = {}
        changes: ChatFields | None = None
        answer = self._submitter.job(update, QueueName.TAP, JobKind.TAP)
        match press:
            case None:
                toast = "toast.old_button"
            case ButtonPress(ButtonAction.EXPORT | ButtonAction.NEW as action):
                jobs.append(self._submitter.job(update, QueueName.MAIN, JobKind(action.value)))
            case ButtonPress(ButtonAction.CREDITS | ButtonAction.STATUS as action):
                jobs.append(self._submitter.job(update, QueueName.QUICK, JobKind(action.value)))
            case ButtonPress(ButtonAction.LINK):
                jobs.append(self._submitter.job(update, QueueName.QUICK, JobKind.LINK, data={"begin": True}))
            case ButtonPress(ButtonAction.LANGUAGE, name):
                if name in languages():
                    changes, toast = ChatFields(language=name), "toast.saved"
                else:
                    name = await self._submitter.language_in(update, chat_key(query.message))
                redraw = f"language:{name}"
            case ButtonPress(ButtonAction.SKILL, ""):
                redraw = "skills"
            case ButtonPress(ButtonAction.SKILL, mark):
                card, toast = self._submitter.cards.marked(mark), "toast.skill_gone"
                if card is not None:
                    changes, toast, redraw = ChatFields(skill=card), "toast.skill_chosen", f"skill:{card}"
            case ButtonPress(ButtonAction.EXAMPLE | ButtonAction.NEXT):
                prompts, toast = await self._pressed_prompt(update, query.message, press)
                jobs += prompts
                markup = without_button(query.message.reply_markup, query.data)
                said = bounded(prompts[0].text, MAX_TOAST_CHARS) if prompts else ""
                redraw, more = "keyboard", {"keyboard": markup.to_dict(), "words": {"prompt": said}}
            case ButtonPress(ButtonAction.FORGET):
                jobs, deed = await forget_jobs(self._submitter, update, query.message, answer.id)
                toast = "toast.forgetting" if jobs else "toast.old_button"
                more = {"for_admin": deed} if deed else {}
            case ButtonPress(ButtonAction.SETTINGS):
                redraw = "settings"
            case ButtonPress(action, value) if action in SWITCHES:
                changes, toast, redraw = SWITCHES[action](value == "1"), "toast.saved", "settings"
        if press is not None and press.action in _OF_SETTINGS:
            if not may_change(update, asker_of(query.message)):
                more = {"for_admin": for_admin(changes=changes)}
            elif changes:
                await self._submitter.chats.update(chat_key(query.message), changes)
        tap = {"query": query.id, "toast": toast, "redraw": redraw, "message": query.message.message_id}
        # First the answer, which somebody waits for: what is asked for may be of the same lane.
        await self._submitter.accept(update, [replace(answer, data=tap | more), *jobs])

    async def _press_of_a_job(
        self, update: Update, query: CallbackQuery, message: Message, press: ButtonPress
    ) -> None:
        """A button that concerns one job: for whoever asked for that, and for admins of the group."""
        chat = chat_key(message)
        job_id = press.argument.rpartition(".")[2]
        standing = await self._submitter.job_queue.find(chat, job_id)
        tap = {"query": query.id, "toast": "", "redraw": "no_buttons", "message": message.message_id}
        if standing is None:
            tap["toast"] = "toast.old_button"
            return await self._submitter.accept(
                update, [self._submitter.job(update, QueueName.TAP, JobKind.TAP, data=tap)]
            )
        jobs: list[Job] = []
        answer = self._submitter.job(update, QueueName.TAP, JobKind.TAP)
        match press.action:
            case ButtonAction.KEEP:
                tap["toast"] = "toast.kept"
            case ButtonAction.RETRY:
                again = await retry_of(
                    self._submitter.job_queue, self._submitter.chats, standing.job, answer.asked_at
                )
                jobs, tap["toast"] = ([again], "") if again else ([], "toast.sent_already")
            case ButtonAction.EDITED:
                jobs, tap["toast"] = await self._pressed_edited(update, message, standing.job, press)
            case ButtonAction.STRIP | ButtonAction.OFFER:
                jobs, tap["toast"] = await self._pressed_offer(update, message, standing.job, press)
        if not jobs and press.action is not ButtonAction.KEEP:
            tap["redraw"] = ""
        if not may_change(update, standing.job.owner_id):
            stops = job_id if press.action is ButtonAction.CANCEL else ""
            packed = [await self._submitter.packed(update, job) for job in jobs]
            tap["for_admin"] = for_admin(stops=stops, jobs=packed)
            jobs = []
        elif press.action is ButtonAction.CANCEL:
            tap["toast"], tap["redraw"] = await stop(self._submitter.job_queue, standing)
        await self._submitter.accept(update, [*jobs, replace(answer, data=tap)])

    async def _pressed_prompt(
        self, update: Update, message: Message, press: ButtonPress
    ) -> tuple[list[Job], str]:
        """The request that a button sends, and the toast; an old one may offer what is no longer there."""
        chat = chat_key(message)
        prompt = prompt_behind(
            press, self._submitter.cards, Words(await self._submitter.language_in(update, chat))
        )
        if prompt is None:
            return [], "toast.prompt_gone"
        return await self._prompt_once(update, message, press, prompt, "toast.sent_prompt")

    async def _prompt_once(
        self, update: Update, message: Message, press: ButtonPress, text: str, toast: str
    ) -> tuple[list[Job], str]:
        """The request that a button sends, unless it did before; and the toast."""
        job_id = press_id(address_of(message.chat), message.message_id, f"{press.action}:{press.argument}")
        if await self._submitter.job_queue.find(chat_key(message), job_id) is not None:
            return [], "toast.sent_already"
        job = self._submitter.job(
            update, QueueName.MAIN, JobKind.EDIT, text=text, message_id=message.message_id
        )
        return [replace(job, id=job_id)], toast

    async def _pressed_offer(
        self, update: Update, message: Message, asked: Job, press: ButtonPress
    ) -> tuple[list[Job], str]:
        """The request behind a button that belongs to one job's answer, and the toast."""
        kind = press.argument.rpartition(".")[0]
        prompt: str | None = None
        if press.action is ButtonAction.STRIP and kind in EXTRAS.values():
            language = await self._submitter.language_in(update, chat_key(message))
            prompt = Words(language).plain(f"prompt.strip_{kind}")
        elif press.action is ButtonAction.OFFER:
            outcome = await self._submitter.job_queue.checkpoint(asked, "turn")
            prompt = offered_edit(outcome) if outcome else None
        if prompt is None:
            return [], "toast.old_button"
        return await self._prompt_once(update, message, press, prompt, "toast.sent")

    async def _pressed_edited(
        self, update: Update, message: Message, offer: Job, press: ButtonPress
    ) -> tuple[list[Job], str]:
        """The request in its new words, which the offer holds."""
        jobs, toast = await self._prompt_once(update, message, press, offer.text, "toast.sent")
        links = offer.data.get("links")
        old = await self._submitter.job_queue.find(offer.chat, offer.data.get("of", ""))
        # A request that was stopped or failed may not have brought its files.
        files = (
            ()
            if old is None
            else (await not_uploaded(self._submitter.job_queue, self._submitter.chats, old.job))[0]
        )
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
