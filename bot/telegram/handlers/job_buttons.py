"""Commands and buttons that ask for a job: an export, an example, a next step, what stands under an answer."""

from collections.abc import Mapping
from dataclasses import replace

from telegram import InlineKeyboardMarkup, Update

from bot.chats.chats import ChatFields
from bot.job_types import COMMAND_JOBS
from bot.jobs.buttons import (
    ButtonAction,
    ChooseGeneration,
    DropRequest,
    Export,
    ExtractKind,
    GoOn,
    KeepExtras,
    MakeExtract,
    OfferVariations,
    PlaceFiles,
    Post,
    RemoveExtra,
    RenderLastOnly,
    Retry,
    RunCaption,
    RunExample,
    RunOffer,
    RunSaved,
    RunScreenButton,
    RunSuggestion,
    ShowCredits,
    ShowLink,
    ShowMore,
    ShowStatus,
    TrySample,
    UseVoice,
)
from bot.jobs.checkpoints import FILES, AgentAnswered, UploadAwaited, Uploaded, UploadUsed
from bot.jobs.generation_choice import choice_buttons
from bot.jobs.messages import Button
from bot.jobs.model import MAX_PROMPT_CHARS, Attachment, Job, JobKind, JobState, QueueName
from bot.jobs.next_steps import ANEW, edits_clip, next_step
from bot.jobs.payloads import (
    EditPayload,
    ExportPayload,
    ExtractPayload,
    LinkPayload,
    MessagePayload,
    NewPayload,
    RequestPayload,
)
from bot.jobs.queue.continued_jobs import (
    make_resumed_job,
    make_retry_job,
    not_uploaded,
    with_new_project_if_due,
)
from bot.jobs.sample_clip import SAMPLE
from bot.jobs.steps.agent_answer import EXTRAS, offered_button, offered_edit
from bot.skills.cards import SkillCards
from bot.telegram.handlers.button_presses import (
    NO_BUTTONS,
    OLD_BUTTON,
    OLD_JOB,
    Press,
    PressReply,
    buttons_of,
    without_actions,
)
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler, text_command
from bot.telegram.reading.attachments import attachment_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.keyboards import in_rows, inline_button, keyboard
from bot.words import Words, bounded
from bot.words.phrases import PhraseAction, action_for, requested_output
from bot.words.video_requests import asks_for_generation

_BUTTON_COMMANDS: Mapping[type[ButtonAction], str] = {
    Export: "export",
    ShowCredits: "credits",
    ShowStatus: "status",
    ShowLink: "link",
}
"""The buttons that do what a command does."""


MAX_TOAST_CHARS = 150  # the longest request shown in a toast, which has 200 characters in all

_ACTIONS = (PhraseAction.EXPORT, PhraseAction.CREDITS, PhraseAction.STATUS)
"""Actions that an example may ask for; the agent would charge for them. A card's author may not start a new project."""


class JobButtons(HandlerFamily):
    """Handles commands that each start one kind of job, and the buttons under a job's messages."""

    def _handlers(self) -> Handlers:
        return [
            TextCommandHandler(COMMAND_JOBS, self._command),
            self._on_press(self._as_command, Export, ShowCredits, ShowStatus, ShowLink),
            self._on_press(self._show_more, ShowMore),
            self._on_press(self._make_extract, MakeExtract),
            self._on_press(self._run_prompt, RunExample, RunSuggestion, PlaceFiles, TrySample),
            self._on_press(self._choose_generation, ChooseGeneration),
            self._on_press(self._render_last_only, RenderLastOnly),
            self._on_press(self._keep_extras, KeepExtras),
            self._on_press(self._drop, DropRequest),
            self._on_press(self._run_own_words, RemoveExtra, RunOffer, RunScreenButton, RunCaption, UseVoice),
            self._on_press(self._run_saved, RunSaved),
            self._on_press(self._retry, Retry),
            self._on_press(self._resume_decided, GoOn),
        ]

    async def _command(self, update: Update, context: Context) -> None:
        if (command := text_command(update)) is not None:
            kind = COMMAND_JOBS[command.name].kind
            output = requested_output(command.words) if kind is JobKind.EXPORT else ()
            await self._submitter.submit(update, kind, ExportPayload(output=output) if output else None)

    async def _as_command(
        self, press: Press, action: Export | ShowCredits | ShowStatus | ShowLink
    ) -> PressReply:
        job_type = COMMAND_JOBS[_BUTTON_COMMANDS[type(action)]]
        job = self._submitter.job(press.update, job_type.kind)
        if isinstance(action, ShowLink):
            # Unlike the command, the button makes a project if there is none.
            held = await self._job_queue.find(press.chat, action.job_id) if action.job_id else None
            job = replace(job, payload=LinkPayload(opens_project=True))
            if held is not None:
                jobs = await self._link_for_upload(press, job, held.job)
                await self._submitter.enqueue(press.update, jobs)
                return PressReply()
        await self._submitter.enqueue(press.update, [job])
        return PressReply()

    async def _link_for_upload(self, press: Press, link: Job, held: Job) -> list[Job]:
        """Return the jobs of a link for the upload of a request's file, in the project that the request belongs to."""
        new_id = held.payload_as(RequestPayload).new_job_id if press.chat.is_private else ""
        payload = LinkPayload(
            opens_project=True,
            uploads_before=held.payload_as(EditPayload).uploads_before,
            new_job_id=new_id,
        )
        link = replace(link, prompt=held.prompt, payload=payload)
        status = await self._job_queue.find(press.chat, new_id) if new_id else None
        if not new_id or (status is not None and status.state is JobState.DONE):
            return [link]
        link = replace(link, queue=QueueName.MAIN)  # Where the project is begun before it.
        if status is not None:
            return [link]
        new = self._submitter.job(press.update, JobKind.NEW, payload=NewPayload(is_followed=True))
        return [replace(new, id=new_id), link]

    async def _show_more(self, press: Press, action: ShowMore) -> PressReply:
        """Replace this button with the others; links stay last."""
        if not press.button_is_still_there:
            return OLD_BUTTON
        words = await self.words_for(press)
        extra = [Button("button.next_subtitles", RunSuggestion("subtitles"))]
        extra.append(Button("button.variations", OfferVariations()))
        extra += [Button(f"button.make_{kind}", MakeExtract(kind, action.job_id)) for kind in ExtractKind]
        if press.chat.is_private and await self._chats.channels.all(press.chat.chat_id):
            extra.append(Button("button.post", Post()))
        rest = [button for button in buttons_of(press.message) if button.callback_data != press.data]
        buttons = [button for button in rest if not button.url]
        buttons += [inline_button(button, words) for button in extra]
        buttons += [button for button in rest if button.url]
        return PressReply(buttons=InlineKeyboardMarkup(in_rows(buttons)))

    async def _make_extract(self, press: Press, action: MakeExtract) -> PressReply:
        message = press.message
        file = attachment_of(message)
        if file is None or not press.button_is_still_there:
            return OLD_BUTTON
        others = press.other_buttons
        payload = ExtractPayload(kind=action.kind, result_job_id=action.job_id)
        job = await self.job_of(press, JobKind.EXTRACT, files=(file,), payload=payload)
        if job is None:
            return PressReply("toast.sent_already", buttons=others)
        return await self.send_prompt(press, job, "toast.extract", others)

    async def _run_prompt(
        self, press: Press, action: RunExample | RunSuggestion | PlaceFiles | TrySample
    ) -> PressReply:
        words = await self.words_for(press)
        others = press.other_buttons
        prompt = prompt_behind(action, self._cards, words)
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
            job = replace(job, queue=job_type.queue, kind=job_type.kind, prompt="", payload=payload)
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
        ratio, held = action.ratio.replace("x", ":"), await self.job_behind(press, action.job_id)
        if not press.button_is_still_there:
            return OLD_JOB
        words = await self.words_for(press)
        if not action.is_final:
            buttons = choice_buttons(action.job_id, ratio, action.length_s)
            return PressReply(buttons=keyboard(buttons, words))
        job = await make_retry_job(self._job_queue, self._chats, held, self._clock.now())
        if job is not None:
            form = {"ratio": ratio, "seconds": action.length_s}
            payload = job.payload_as(EditPayload).changed(is_form_chosen=True)
            text = words.plain("prompt.generation", prompt=job.prompt.rstrip(" .。"), **form)
            job = replace(job, prompt=text[:MAX_PROMPT_CHARS], payload=payload)
        return await self.send_prompt(press, job, toast="")

    async def _render_last_only(self, press: Press, action: RenderLastOnly) -> PressReply:
        """Skip the renders of all waiting requests but the last."""
        jobs = await self._job_queue.current_jobs(press.chat, QueueName.MAIN)
        for job in jobs:
            await self.ensure_may_change(press, job.requester_id)
        rendered = [job.id for job in jobs if job.kind in (JobKind.EDIT, JobKind.EXPORT)]
        others = press.other_buttons
        if len(rendered) < 2:
            return PressReply("toast.old_button", buttons=others)
        await self._chats.update(press.chat, ChatFields(last_only_job_id=rendered[-1]))
        return PressReply("toast.last_only", buttons=others)

    async def _keep_extras(self, press: Press, action: KeepExtras) -> PressReply:
        await self.job_behind(press, action.job_id)
        rest = without_actions(press.message, KeepExtras, RemoveExtra)
        return PressReply("toast.kept", buttons=rest)

    async def _drop(self, press: Press, action: DropRequest) -> PressReply:
        await self.job_behind(press, action.job_id)
        return PressReply("toast.dropped", buttons=NO_BUTTONS)

    async def _run_own_words(
        self, press: Press, action: RemoveExtra | RunOffer | RunScreenButton | RunCaption | UseVoice
    ) -> PressReply:
        """Send what the answer to a job offers, or what the job itself says."""
        job = await self.job_behind(press, action.job_id)
        buttons, spoken = NO_BUTTONS, {}
        about: tuple[Attachment, ...] = ()
        match action:
            case RunCaption():
                prompt = job.payload_as(EditPayload).text_not_asked_for[:MAX_PROMPT_CHARS] or None
            case UseVoice(as_request=as_request):
                prompt = await self._voice_prompt(press, job, as_request=as_request)
                if as_request:
                    spoken = {"voice_job_id": action.job_id}
                    parts = (await self._job_queue.gathered(job)).parts
                    about = tuple(file for part in parts for file in part.spoken_about)
            # The other buttons under a video are about the video, and stay.
            case RemoveExtra(extra=extra):
                words = await self.words_for(press)
                prompt = words.plain(f"prompt.strip_{extra}") if extra in EXTRAS.values() else None
                buttons = press.other_buttons
            case RunOffer() | RunScreenButton():
                prompt = await self._offered_prompt(job, action)
                buttons = without_actions(press.message, RunOffer, RunScreenButton)
        if prompt is None:
            return PressReply("toast.old_button")
        new = await self.prompt_job(press, prompt, **spoken)
        return await self.send_prompt(press, new and replace(new, files=about), buttons=buttons)

    async def _run_saved(self, press: Press, action: RunSaved) -> PressReply:
        job_queue, old = self._job_queue, await self.job_behind(press, action.job_id)
        job = await self.saved_job(press, old)
        if job is not None:
            files = (await not_uploaded(job_queue, self._chats, old))[0]
            awaited = await job_queue.load_checkpoint(old, UploadAwaited)
            if await job_queue.load_checkpoint(old, UploadUsed) is not None:
                return PressReply("toast.sent_already", buttons=NO_BUTTONS)
            before = awaited.digest_before if awaited else ""
            payload = EditPayload(
                links=old.payload.links if isinstance(old.payload, MessagePayload) else (),
                uploads_before=before,
                link_job_id=old.id if awaited else "",
                new_job_id=old.payload_as(RequestPayload).new_job_id,
            )
            job = await with_new_project_if_due(job_queue, old, replace(job, files=files, payload=payload))
        return await self.send_prompt(press, job)

    async def _retry(self, press: Press, action: Retry) -> PressReply:
        job = await self.job_behind(press, action.job_id)
        again = await make_retry_job(self._job_queue, self._chats, job, self._clock.now())
        # The new job's own messages say that it goes on.
        return await self.send_prompt(press, again, toast="")

    async def _resume_decided(self, press: Press, action: GoOn) -> PressReply:
        job = await self.job_behind(press, action.job_id)
        again = await make_resumed_job(self._job_queue, self._chats, job, action.choice, self._clock.now())
        return await self.send_prompt(press, again, toast="")

    async def _voice_prompt(self, press: Press, job: Job, *, as_request: bool) -> str | None:
        """Return the words that say what a spoken message is for, with the name that it has in the project."""
        if not job.files:
            return None
        uploaded = await self._job_queue.load_checkpoint(job, Uploaded, FILES)
        known = [one for one in uploaded.sources.values() if one is not None] if uploaded else []
        name = known[0].name if known else job.files[0].name
        words = await self.words_for(press)
        return words.plain("prompt.voice_request" if as_request else "prompt.voice_audio", name=name)

    async def _offered_prompt(self, job: Job, action: RunOffer | RunScreenButton) -> str | None:
        answered = await self._job_queue.load_checkpoint(job, AgentAnswered)
        if answered is None:
            return None
        if isinstance(action, RunOffer):
            return offered_edit(answered)
        return offered_button(answered, action.number)


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
