"""Edited messages: a waiting request changes, one that was begun is offered again, and any other may become one.

The handler always prepares the offer; whether the request still waits is decided in ``find_job`` of
``jobs/queue/lua/album.lua``, which then changes the request and drops the offer.
"""

from dataclasses import replace
from datetime import timedelta

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import MessageHandler, filters

from bot.jobs.buttons import RunEdited
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Job, JobKind, JobState
from bot.jobs.payloads import EditPayload, MessagePayload
from bot.jobs.queue.album import MAX_CONTEXT_CHARS, ArrivedPart, PartText, links_of
from bot.jobs.queue.continued_jobs import not_uploaded, with_new_project_if_due
from bot.jobs.queue.job_reader import JobStatus
from bot.store.keys import SEEN_TTL_S
from bot.telegram.handlers.button_presses import Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers
from bot.telegram.handlers.job_submitter import ANSWER_MARK
from bot.telegram.reading.addressing import chat_key_of, telegram_chat_id_of
from bot.telegram.reading.commands import EDIT, NEW
from bot.telegram.reading.request import Request, digest_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.sent_messages import BARE_ANSWER
from bot.words.phrases import action_for, says_nothing, small_talk


class EditedMessageHandlers(HandlerFamily):
    """Handles edited messages and the button that runs one again."""

    def _handlers(self) -> Handlers:
        return [
            MessageHandler(filters.UpdateType.EDITED_MESSAGE, self._edited),
            self._on_press(self._run, RunEdited),
        ]

    async def _edited(self, update: Update, context: Context) -> None:
        message = update.edited_message
        if message is None:
            return None
        status = await self._job_queue.find_by_message(
            chat_key_of(message), telegram_chat_id_of(message.chat), message.message_id
        )
        request = await self._submitter.read(message, context.bot.bot)
        if status is None:
            return await self._run_as_new(update, context, message, request)
        if request.is_refused:
            # It isn't a request any more. What it asked for before goes on, so its sender has to know why.
            for said in request.left_out[:1]:
                await self._submitter.reply(update, said)
            return None
        comes_with_new = status.job.kind is JobKind.NEW or bool(status.job.payload_as(EditPayload).new_job_id)
        own_commands = (EDIT, NEW) if comes_with_new else (EDIT,)
        is_other_command = request.command is not None and request.command.name not in own_commands
        has_media = bool(request.part.files or request.links)
        if is_other_command or (not has_media and action_for(request.prompt) is not None):
            # The agent would charge for a command; and to run it now would be too late.
            return await self._submitter.reply(update, LocalizedMessage("edited.command"))
        words = PartText("" if _asks_nothing(request) else request.prompt, request.links)
        part = self._services.refusals.checked(request.part, await self._submitter.card(update, message))
        arrival = ArrivedPart(replace(part, context=request.context[:MAX_CONTEXT_CHARS]), words, "edited")
        edited = await self._job_queue.with_edit(status.job, arrival)
        # A part that came after the request asks for nothing by itself, but its new words may.
        text = edited.prompt or words.text
        is_replaced = part.file_unique_id not in ("", *(file.unique_id for file in status.job.files))
        is_over = status.state not in (JobState.QUEUED, JobState.RUNNING, JobState.ASKING)
        if not text and not is_replaced and is_over:
            return None  # Nothing is asked for any more.
        offer = self._submitter.job(update, JobKind.MESSAGE, prompt=text, files=edited.files)
        said = _offer(status, offer, is_replaced=is_replaced)
        if is_replaced and part.refusal is not None:
            said = part.refusal
        payload = MessagePayload(message=said, links=links_of(edited), edited_job_id=status.job.id)
        await self._submitter.enqueue(update, [replace(offer, payload=payload)], arrival)
        for left_out in request.left_out[:1]:
            # A job of its own: the offer is dropped if the request still waits.
            await self._submitter.reply_alone(update, left_out, f"{update.update_id}:left_out")
        return None

    async def _run_as_new(self, update: Update, context: Context, message: Message, request: Request) -> None:
        """Handle a message that was no request as if it came now, unless nothing in it has changed.

        A group's message may not have been seen before: privacy mode hides what is not for the bot.
        """
        # Reactions and link previews come as edits without a date.
        if message.edit_date is None or message.edit_date - message.date > timedelta(seconds=SEEN_TTL_S):
            return None
        seen = await self._job_queue.seen(
            chat_key_of(message), telegram_chat_id_of(message.chat), message.message_id
        )
        if seen is not None and seen.lstrip(ANSWER_MARK + BARE_ANSWER) in ("", digest_of(message)):
            return None
        if seen is not None and seen.startswith(ANSWER_MARK):
            await self._submitter.record(message, ANSWER_MARK)
            return await self._submitter.reply(update, LocalizedMessage("edited.answer"))
        if request.command is not None and not request.is_edit:
            if request.is_addressed and (message.chat.type == ChatType.PRIVATE or request.command.bot):
                await self._submitter.reply(update, LocalizedMessage("edited.command"))
            return None
        new = Update(update.update_id, message=message)
        new.set_bot(context.bot)
        return await context.application.process_update(new)

    async def _run(self, press: Press, action: RunEdited) -> PressReply:
        """Store the request in its new words, which the job that offered it holds."""
        offer = await self.job_behind(press, action.job_id)
        if not isinstance(offer.payload, MessagePayload):
            return PressReply("toast.old_button")
        job = await self.saved_job(press, offer)
        if job is not None:
            files, links = offer.files, list(offer.payload.links)
            old = await self._job_queue.find(offer.chat, offer.payload.edited_job_id)
            if old is not None:
                # The request may have been stopped, or have failed, before its files were uploaded.
                edited = replace(old.job, files=files, payload=EditPayload(links=offer.payload.links))
                files, links = await not_uploaded(self._job_queue, self._chats, edited)
            job = replace(job, files=files, payload=EditPayload(links=tuple(links)))
            if old is not None:
                job = await with_new_project_if_due(self._job_queue, old.job, job)
        return await self.send_prompt(press, job)


def _asks_nothing(request: Request) -> bool:
    """Return whether a request became small talk, which the agent would be paid for."""
    return not request.is_edit and (says_nothing(request.prompt) or small_talk(request.prompt) is not None)


def _offer(status: JobStatus, offer: Job, *, is_replaced: bool) -> LocalizedMessage:
    """Say what becomes of a request that was edited after it was begun.

    Args:
        status: The request.
        offer: The job that says so, and holds the request as it is now.
        is_replaced: Whether it has another file now.
    """
    if is_replaced:
        key = "edited.file" if offer.prompt else "edited.file_no_words"
        return LocalizedMessage(key, buttons=(Button("button.use_new_file", RunEdited(offer.id)),))
    key = _offer_key(status, offer.prompt)
    buttons = (Button("button.run_edited", RunEdited(offer.id)),) if offer.prompt else ()
    # Nobody waits for a request that is answered: the offer makes no sound.
    return LocalizedMessage(key, buttons=buttons, quiet=key == "edited.done")


def _offer_key(status: JobStatus, text: str) -> str:
    """Return the key of the reply to an edit of a request that has begun."""
    if text and not status.job.prompt:
        return "edited.added"  # A file that came without words has them now.
    match status.state:
        case JobState.QUEUED | JobState.RUNNING | JobState.ASKING:
            return "edited.begun" if text else "edited.begun_no_words"
        case JobState.FAILED | JobState.CANCELLED:
            return "edited.without_result"
        case JobState.DONE:
            return "edited.done"
