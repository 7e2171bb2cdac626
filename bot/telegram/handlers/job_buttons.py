"""Buttons that send a request: a card's examples, next steps, and what stands under the answer to a job."""

from collections.abc import Callable
from dataclasses import replace

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.chats.chats import ChatFields
from bot.job_types import COMMAND_JOBS
from bot.jobs.buttons import (
    ButtonAction,
    ChooseGeneration,
    DropRequest,
    GoOn,
    GoOnChoice,
    KeepExtras,
    PlaceFiles,
    RemoveExtra,
    RenderLastOnly,
    Retry,
    RunCaption,
    RunExample,
    RunHeld,
    RunOffer,
    RunScreenButton,
    RunSuggestion,
    TrySample,
    UseVoice,
    unpack,
)
from bot.jobs.checkpoints import FILES, AgentAnswered, UploadAwaited, Uploaded, UploadUsed
from bot.jobs.generation_choice import choice_buttons
from bot.jobs.model import MAX_PROMPT_CHARS, Job, JobKind, QueueName
from bot.jobs.next_steps import ANEW, edits_clip, next_step
from bot.jobs.payloads import EditPayload, ExportPayload
from bot.jobs.queue.retry_jobs import make_resumed_job, make_retry_job, not_uploaded
from bot.jobs.sample_clip import SAMPLE
from bot.jobs.steps.agent_answer import EXTRAS, offered_button, offered_edit
from bot.skills import SkillCards
from bot.telegram.handlers.button_presses import NO_BUTTONS, OLD_JOB, Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily
from bot.telegram.sending.keyboards import keyboard
from bot.words import Words, bounded
from bot.words.generation import asks_for_generation
from bot.words.phrases import PhraseAction, action_for, requested_output

MAX_TOAST_CHARS = 150  # the longest request shown in a toast, which has 200 characters in all

_ACTIONS = (PhraseAction.EXPORT, PhraseAction.CREDITS, PhraseAction.STATUS)
"""Actions that an example may ask for; the agent would charge for them. A card's author may not start a new project."""


class JobButtons(HandlerFamily):
    """Handles these buttons."""

    def register(self) -> None:
        """Add the handlers."""
        self.on_press(self._run_held, RunHeld)
        self.on_press(self._choose_generation, ChooseGeneration)
        self.on_press(self._render_last_only, RenderLastOnly)
        self.on_press(self._run_prompt, RunExample, RunSuggestion, PlaceFiles, TrySample)
        self.on_press(
            self._job_button,
            Retry,
            KeepExtras,
            RemoveExtra,
            RunOffer,
            RunScreenButton,
            RunCaption,
            UseVoice,
            GoOn,
            DropRequest,
        )

    async def _run_prompt(
        self, press: Press, action: RunExample | RunSuggestion | PlaceFiles | TrySample
    ) -> PressReply:
        words = await self.words_for(press)
        others = without_button(press.message.reply_markup, press.data)
        prompt = prompt_behind(action, self._submitter.cards, words)
        if prompt is None:
            return PressReply("toast.prompt_gone", buttons=others)
        needs_clip = isinstance(action, RunExample) and edits_clip(prompt)
        job = await self.prompt_job(press, prompt, needs_clip=needs_clip)
        if job is None:
            return PressReply("toast.sent_already", buttons=others)
        if isinstance(action, RunExample) and (phrase := action_for(prompt)) in _ACTIONS:
            job_type = COMMAND_JOBS[phrase]
            output = requested_output(prompt) if phrase is PhraseAction.EXPORT else ()
            payload = ExportPayload(output=output) if output else None
            job = replace(job, queue=job_type.queue, kind=job_type.kind, text="", payload=payload)
        elif isinstance(action, TrySample):
            job = replace(job, files=(SAMPLE,))
        if not await self._submitter.enqueue(press.update, [job]):
            return PressReply()
        params = {"prompt": bounded(prompt, MAX_TOAST_CHARS)}
        generates = isinstance(action, RunSuggestion) and action.suggestion in ANEW
        generates = generates or asks_for_generation(prompt)
        toast = "toast.sent_generation" if generates else "toast.sent_prompt"
        return PressReply(toast, params, buttons=others)

    async def _choose_generation(self, press: Press, action: ChooseGeneration) -> PressReply:
        """Tick a format or a length, or run the request with what is ticked."""
        submitter, ratio = self._submitter, action.ratio.replace("x", ":")
        status = await self.job_behind(press, action.job_id)
        if not press.is_genuine:
            return OLD_JOB
        words = await self.words_for(press)
        if not action.is_final:
            buttons = choice_buttons(action.job_id, ratio, action.length_s)
            return PressReply(buttons=keyboard(buttons, words))
        job = await make_retry_job(submitter.job_queue, submitter.chats, status.job, submitter.clock.now())
        if job is not None:
            form = {"ratio": ratio, "seconds": action.length_s}
            payload = job.payload_as(EditPayload).model_copy(update={"is_form_chosen": True})
            text = words.plain("prompt.generation", prompt=job.text.rstrip(" .。"), **form)
            job = replace(job, text=text[:MAX_PROMPT_CHARS], payload=payload)
        return await self.send_prompt(press, job, toast="")

    async def _render_last_only(self, press: Press, action: RenderLastOnly) -> PressReply:
        """Let the last request that waits be the next one that is rendered."""
        submitter = self._submitter
        job_ids = await submitter.job_queue.current(press.chat, QueueName.MAIN)
        jobs = [status.job for one in job_ids if (status := await submitter.job_queue.find(press.chat, one))]
        for job in jobs:
            await self.ensure_may_change(press, job.owner_id)
        rendered = [job.id for job in jobs if job.kind in (JobKind.EDIT, JobKind.EXPORT)]
        others = without_button(press.message.reply_markup, press.data)
        if len(rendered) < 2:
            return PressReply("toast.old_button", buttons=others)
        await submitter.chats.update(press.chat, ChatFields(last_only_job_id=rendered[-1]))
        return PressReply("toast.last_only", buttons=others)

    async def _job_button(
        self,
        press: Press,
        action: Retry
        | KeepExtras
        | RemoveExtra
        | RunOffer
        | RunScreenButton
        | RunCaption
        | UseVoice
        | GoOn
        | DropRequest,
    ) -> PressReply:
        status = await self.job_behind(press, action.job_id)
        spoken: dict[str, str] = {}
        match action:
            case KeepExtras():
                rest = without_actions(press.message.reply_markup, KeepExtras, RemoveExtra)
                return PressReply("toast.kept", buttons=rest)
            case DropRequest():
                return PressReply("toast.dropped", buttons=NO_BUTTONS)
            case GoOn(choice=choice):
                return await self._go_on(press, status.job, choice)
            case Retry():
                return await self._retry(press, status.job)
            case RunCaption():
                prompt = status.job.payload_as(EditPayload).others_words[:MAX_PROMPT_CHARS] or None
            case UseVoice(as_request=as_request):
                prompt = await self._voice_prompt(press, status.job, as_request=as_request)
                spoken = {"voice_job_id": action.job_id} if as_request else {}
            case RemoveExtra() | RunOffer() | RunScreenButton():
                prompt = await self._offered_prompt(press, status.job, action)
        if prompt is None:
            return PressReply("toast.old_button")
        job = await self.prompt_job(press, prompt, **spoken)
        markup, buttons = press.message.reply_markup, NO_BUTTONS
        # What else stands under a video has to do with the video, and stays.
        if isinstance(action, RemoveExtra):
            buttons = without_button(markup, press.data)
        elif isinstance(action, RunOffer | RunScreenButton):
            buttons = without_actions(markup, RunOffer, RunScreenButton)
        return await self.send_prompt(press, job, buttons=buttons)

    async def _run_held(self, press: Press, action: RunHeld) -> PressReply:
        job_queue, old = self._submitter.job_queue, (await self.job_behind(press, action.job_id)).job
        job = await self.prompt_job(press, old.text)
        if job is not None:
            files = (await not_uploaded(job_queue, self._submitter.chats, old))[0]
            awaited = await job_queue.load_checkpoint(old, UploadAwaited)
            if await job_queue.load_checkpoint(old, UploadUsed) is not None:
                return PressReply("toast.sent_already", buttons=NO_BUTTONS)
            job = replace(
                job,
                files=files,
                message_id=old.message_id,
                is_press=old.is_press,
                owner_id=old.owner_id,
                telegram_chat_id=old.telegram_chat_id,
                payload=EditPayload(
                    uploads_before=awaited.digest_before if awaited else "",
                    link_job_id=old.id if awaited else "",
                ),
            )
        return await self.send_prompt(press, job)

    async def _retry(self, press: Press, job: Job) -> PressReply:
        submitter = self._submitter
        again = await make_retry_job(submitter.job_queue, submitter.chats, job, submitter.clock.now())
        # The new job's own messages say that it goes on.
        return await self.send_prompt(press, again, toast="")

    async def _go_on(self, press: Press, job: Job, choice: str) -> PressReply:
        if choice not in set(GoOnChoice):
            return PressReply("toast.old_button")
        submitter = self._submitter
        again = await make_resumed_job(
            submitter.job_queue, submitter.chats, job, GoOnChoice(choice), submitter.clock.now()
        )
        return await self.send_prompt(press, again, toast="")

    async def _voice_prompt(self, press: Press, job: Job, *, as_request: bool) -> str | None:
        """Return the words that say what a spoken message is for, with the name that it has in the project."""
        if not job.files:
            return None
        uploaded = await self._submitter.job_queue.load_checkpoint(job, Uploaded, FILES)
        known = [one for one in uploaded.sources.values() if one is not None] if uploaded else []
        name = known[0].name if known else job.files[0].name
        words = await self.words_for(press)
        return words.plain("prompt.voice_request" if as_request else "prompt.voice_audio", name=name)

    async def _offered_prompt(
        self, press: Press, job: Job, action: RemoveExtra | RunOffer | RunScreenButton
    ) -> str | None:
        if not isinstance(action, RemoveExtra):
            answered = await self._submitter.job_queue.load_checkpoint(job, AgentAnswered)
            if answered is None:
                return None
            if isinstance(action, RunOffer):
                return offered_edit(answered)
            return offered_button(answered, action.number)
        if action.extra not in EXTRAS.values():
            return None
        words = await self.words_for(press)
        return words.plain(f"prompt.strip_{action.extra}")


def prompt_behind(
    action: RunExample | RunSuggestion | PlaceFiles | TrySample, cards: SkillCards, words: Words
) -> str | None:
    """Return the words that a button sends; ``None`` when what it offered is no longer there."""
    if isinstance(action, RunExample):
        return cards.example(action.mark)
    if isinstance(action, PlaceFiles):
        return words.plain("prompt.place_files")
    if isinstance(action, TrySample):
        return words.plain("prompt.sample")
    suggestion = next_step(action.suggestion)
    return None if suggestion is None else words.plain(suggestion.prompt)


def without_button(markup: InlineKeyboardMarkup | None, data: str) -> InlineKeyboardMarkup:
    """Return a keyboard without the button that has this callback data."""
    return _keyboard_of(markup, lambda button: button.callback_data != data)


def without_actions(
    markup: InlineKeyboardMarkup | None, *actions: type[ButtonAction]
) -> InlineKeyboardMarkup:
    """Return a keyboard without the buttons of these actions."""
    return _keyboard_of(markup, lambda button: not isinstance(unpack(_data_of(button)), actions))


def _data_of(button: InlineKeyboardButton) -> str | None:
    return button.callback_data if isinstance(button.callback_data, str) else None


def _keyboard_of(
    markup: InlineKeyboardMarkup | None, is_kept: Callable[[InlineKeyboardButton], bool]
) -> InlineKeyboardMarkup:
    rows = markup.inline_keyboard if markup is not None else ()
    kept = [[button for button in row if is_kept(button)] for row in rows]
    return InlineKeyboardMarkup([row for row in kept if row])
