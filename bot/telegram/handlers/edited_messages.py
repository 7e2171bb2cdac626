"""Edited requests: the words of a waiting one change, one that was begun is offered again under a button."""

from dataclasses import replace

from telegram import Update
from telegram.ext import MessageHandler, filters

from bot.jobs.buttons import RunEdited
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import JobKind, JobState, QueueName
from bot.jobs.payloads import EditPayload, SayPayload
from bot.jobs.queue.album import ArrivedPart, PartText, RequestPart
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.queue.retry import not_uploaded
from bot.telegram.handlers.button_presses import NOT_YOURS, Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily
from bot.telegram.handlers.job_buttons import OLD_JOB, prompt_job, send_prompt
from bot.telegram.reading.addressing import chat_key, telegram_chat_id_of
from bot.telegram.reading.request import Reader, read_request, sent_at
from bot.telegram.receiving.application import Context
from bot.words.phrases import action_for


class EditedMessageHandlers(HandlerFamily):
    """Handles edited messages and the button that runs one again."""

    def register(self) -> None:
        """Add the handlers."""
        edited = MessageHandler(filters.UpdateType.EDITED_MESSAGE, self._edited)
        self._services.application.add_handler(edited)
        self.on_press(self._run, RunEdited)

    async def _edited(self, update: Update, context: Context) -> None:
        message = update.edited_message
        if message is None:
            return
        status = await self._submitter.job_queue.find_by_message(
            chat_key(message), telegram_chat_id_of(message.chat), message.message_id
        )
        request = read_request(message, Reader(context.bot.id, context.bot.username))
        if status is None or request.is_refused:
            return  # It was no request before, or is none now.
        is_other_command = request.command is not None and not request.is_edit
        if is_other_command or (not request.part.files and action_for(request.prompt) is not None):
            # The agent would charge for a command; and to run it now would be too late.
            return await self._submitter.reply(update, LocalizedMessage("edited.command"))
        words = PartText(request.prompt, request.links)
        if not words.text and status.state not in (JobState.QUEUED, JobState.RUNNING, JobState.ASKING):
            return  # Nothing is asked for any more.
        offer = self._submitter.job(update, QueueName.QUICK, JobKind.SAY, text=words.text)
        key = _offer_key(status, words.text)
        buttons = (Button("button.run_edited", RunEdited(offer.id)),) if words.text else ()
        # Nobody waits for more on a request that has its answer: the offer makes no sound.
        offered = LocalizedMessage(key, buttons=buttons, quiet=key == "edited.done")
        payload = SayPayload(message=offered, links=words.links, edited_job_id=status.job.id)
        part = RequestPart(message.message_id, sent_at(message))
        await self._submitter.enqueue(
            update, [replace(offer, payload=payload)], ArrivedPart(part, words, "edited")
        )

    async def _run(self, press: Press, action: RunEdited) -> PressReply:
        """Store the request in its new words, which the job that offered it holds."""
        job_queue = self._submitter.job_queue
        status = await job_queue.find(press.chat, action.job_id)
        if status is None:
            return OLD_JOB
        offer = status.job
        if not await self._permissions.may_change(press.update, offer.owner_id):
            return NOT_YOURS
        if not isinstance(offer.payload, SayPayload):
            return PressReply("toast.old_button")
        job = await prompt_job(self._submitter, press, offer.text)
        if job is not None:
            # The request may have been stopped, or have failed, before its files were uploaded.
            old = await job_queue.find(offer.chat, offer.payload.edited_job_id)
            files = () if old is None else (await not_uploaded(job_queue, self._submitter.chats, old.job))[0]
            job = replace(
                job,
                files=files,
                message_id=offer.message_id,
                owner_id=offer.owner_id,
                telegram_chat_id=offer.telegram_chat_id,
                payload=EditPayload(links=offer.payload.links),
            )
        return await send_prompt(self._submitter, press, job)


def _offer_key(status: JobStatus, text: str) -> str:
    """Return the key of what is said about a request that was edited after it was begun."""
    if text and not status.job.text:
        return "edited.added"  # A file that came without words has them now.
    match status.state:
        case JobState.QUEUED | JobState.RUNNING | JobState.ASKING:
            return "edited.begun" if text else "edited.begun_no_words"
        case JobState.FAILED | JobState.CANCELLED:
            return "edited.without_result"
        case JobState.DONE:
            return "edited.done"
