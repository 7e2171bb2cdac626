"""Pressed buttons become jobs here, and an answer to the press itself."""

from __future__ import annotations

from dataclasses import replace

from telegram import CallbackQuery, Message, Update

from bot.chats.chats import ChatChanges
from bot.jobs.buttons import (
    ButtonAction,
    Cancel,
    ChooseLanguage,
    ChooseSkill,
    Export,
    ForgetChat,
    KeepExtras,
    NewProject,
    RemoveExtra,
    Retry,
    RunEdited,
    RunExample,
    RunOffer,
    RunSuggestion,
    SetAutoExport,
    SetReplaceResults,
    SetSendAsFile,
    ShowCredits,
    ShowLink,
    ShowSettings,
    ShowStatus,
    pack,
    unpack,
)
from bot.jobs.model import Job, JobKind, QueueName, press_id
from bot.jobs.payloads import EditPayload, IfAdmin, LinkPayload, PressPayload, SayPayload
from bot.jobs.queue.retry import not_uploaded, retry_of
from bot.jobs.steps.agent_answer import EXTRAS, offered_edit
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import asker_of, may_change, stop
from bot.telegram.handlers.privacy import forget_jobs
from bot.telegram.handlers.skills import prompt_behind, without_button
from bot.telegram.reading.senders import address_of, chat_key
from bot.telegram.receiving.application import Context
from bot.words import Words, bounded, languages

_OF_A_JOB = (Cancel, Retry, RemoveExtra, KeepExtras, RunOffer, RunEdited)
"""What concerns one job."""

_OF_SETTINGS = (ShowSettings, ChooseLanguage, ChooseSkill, SetAutoExport, SetSendAsFile, SetReplaceResults)
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
        action = unpack(query.data)
        if isinstance(action, _OF_A_JOB):
            return await self._press_of_a_job(update, query, query.message, action)
        jobs: list[Job] = []
        toast, redraw = "", ""
        changes: ChatChanges = {}
        answer = self._submitter.job(update, QueueName.TAP, JobKind.TAP)
        press = PressPayload(query_id=query.id, message_id=query.message.message_id)
        match action:
            case None:
                toast = "toast.old_button"
            case Export() | NewProject():
                jobs.append(self._submitter.job(update, QueueName.MAIN, JobKind(action.name)))
            case ShowCredits() | ShowStatus():
                jobs.append(self._submitter.job(update, QueueName.QUICK, JobKind(action.name)))
            case ShowLink():
                payload = LinkPayload(opens_project=True)
                jobs.append(self._submitter.job(update, QueueName.QUICK, JobKind.LINK, payload=payload))
            case ChooseLanguage(name):
                if name in languages():
                    changes, toast = {"language": name}, "toast.saved"
                else:
                    name = await self._submitter.language_in(update, chat_key(query.message))
                redraw = f"language:{name}"
            case ChooseSkill(""):
                redraw = "skills"
            case ChooseSkill(mark):
                card, toast = self._submitter.cards.marked(mark), "toast.skill_gone"
                if card is not None:
                    changes, toast, redraw = {"skill": card}, "toast.skill_chosen", f"skill:{card}"
            case RunExample() | RunSuggestion():
                prompts, toast = await self._pressed_prompt(update, query.message, action)
                jobs += prompts
                markup = without_button(query.message.reply_markup, query.data)
                said = bounded(prompts[0].text, MAX_TOAST_CHARS) if prompts else ""
                redraw = "keyboard"
                press = press.model_copy(update={"keyboard": markup.to_dict(), "words": {"prompt": said}})
            case ForgetChat():
                jobs, deed = await forget_jobs(self._submitter, update, query.message, answer.id)
                toast = "toast.forgetting" if jobs else "toast.old_button"
                press = press.model_copy(update={"if_admin": deed})
            case ShowSettings():
                redraw = "settings"
            case SetAutoExport(on):
                changes, toast, redraw = {"auto_export": on}, "toast.saved", "settings"
            case SetSendAsFile(on):
                changes, toast, redraw = {"send_as_file": on}, "toast.saved", "settings"
            case SetReplaceResults(on):
                changes, toast, redraw = {"replace_results": on}, "toast.saved", "settings"
        if isinstance(action, _OF_SETTINGS):
            if not may_change(update, asker_of(query.message)):
                press = press.model_copy(update={"if_admin": IfAdmin(changes=dict(changes))})
            elif changes:
                await self._submitter.chats.update(chat_key(query.message), **changes)
        press = press.model_copy(update={"toast": toast, "redraw": redraw})
        # First the answer, which somebody waits for: what is asked for may be of the same lane.
        await self._submitter.enqueue(update, [replace(answer, payload=press), *jobs])

    async def _press_of_a_job(
        self,
        update: Update,
        query: CallbackQuery,
        message: Message,
        action: Cancel | Retry | RemoveExtra | KeepExtras | RunOffer | RunEdited,
    ) -> None:
        """A button that concerns one job: for whoever asked for that, and for admins of the group."""
        status = await self._submitter.job_queue.find(chat_key(message), action.job_id)
        answer = self._submitter.job(update, QueueName.TAP, JobKind.TAP)
        toast, redraw = "", "no_buttons"
        press = PressPayload(query_id=query.id, message_id=message.message_id)
        if status is None:
            press = press.model_copy(update={"toast": "toast.old_button", "redraw": redraw})
            return await self._submitter.enqueue(update, [replace(answer, payload=press)])
        jobs: list[Job] = []
        match action:
            case KeepExtras():
                toast = "toast.kept"
            case Retry():
                again = await retry_of(
                    self._submitter.job_queue, self._submitter.chats, status.job, answer.asked_at
                )
                jobs, toast = ([again], "") if again else ([], "toast.sent_already")
            case RunEdited():
                jobs, toast = await self._pressed_edited(update, message, status.job, action)
            case RemoveExtra() | RunOffer():
                jobs, toast = await self._pressed_offer(update, message, status.job, action)
            case Cancel():
                pass
        if not jobs and not isinstance(action, KeepExtras):
            redraw = ""
        if not may_change(update, status.job.owner_id):
            packed = [await self._submitter.packed(update, job) for job in jobs]
            stops = action.job_id if isinstance(action, Cancel) else ""
            press = press.model_copy(update={"if_admin": IfAdmin(stop_job_id=stops, jobs=tuple(packed))})
            jobs = []
        elif isinstance(action, Cancel):
            toast, redraw = await stop(self._submitter.job_queue, status)
        press = press.model_copy(update={"toast": toast, "redraw": redraw})
        await self._submitter.enqueue(update, [*jobs, replace(answer, payload=press)])

    async def _pressed_prompt(
        self, update: Update, message: Message, action: RunExample | RunSuggestion
    ) -> tuple[list[Job], str]:
        """The request that a button sends, and the toast; an old one may offer what is no longer there."""
        chat = chat_key(message)
        prompt = prompt_behind(
            action, self._submitter.cards, Words(await self._submitter.language_in(update, chat))
        )
        if prompt is None:
            return [], "toast.prompt_gone"
        return await self._prompt_once(update, message, action, prompt, "toast.sent_prompt")

    async def _prompt_once(
        self, update: Update, message: Message, action: ButtonAction, text: str, toast: str
    ) -> tuple[list[Job], str]:
        """The request that a button sends, unless it did before; and the toast."""
        job_id = press_id(address_of(message.chat), message.message_id, pack(action))
        if await self._submitter.job_queue.find(chat_key(message), job_id) is not None:
            return [], "toast.sent_already"
        job = self._submitter.job(
            update, QueueName.MAIN, JobKind.EDIT, text=text, message_id=message.message_id
        )
        return [replace(job, id=job_id)], toast

    async def _pressed_offer(
        self, update: Update, message: Message, asked: Job, action: RemoveExtra | RunOffer
    ) -> tuple[list[Job], str]:
        """The request behind a button that belongs to one job's answer, and the toast."""
        prompt: str | None = None
        if isinstance(action, RemoveExtra) and action.extra in EXTRAS.values():
            language = await self._submitter.language_in(update, chat_key(message))
            prompt = Words(language).plain(f"prompt.strip_{action.extra}")
        elif isinstance(action, RunOffer):
            outcome = await self._submitter.job_queue.checkpoint(asked, "turn")
            prompt = offered_edit(outcome) if outcome else None
        if prompt is None:
            return [], "toast.old_button"
        return await self._prompt_once(update, message, action, prompt, "toast.sent")

    async def _pressed_edited(
        self, update: Update, message: Message, offer: Job, action: RunEdited
    ) -> tuple[list[Job], str]:
        """The request in its new words, which the offer holds."""
        payload = offer.payload
        if not isinstance(payload, SayPayload):
            return [], "toast.old_button"
        jobs, toast = await self._prompt_once(update, message, action, offer.text, "toast.sent")
        old = await self._submitter.job_queue.find(offer.chat, payload.edited_job_id)
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
                payload=EditPayload(links=payload.links),
            )
            for job in jobs
        ], toast
