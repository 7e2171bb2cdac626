"""Stopping a request: ``/cancel``, and the button of its progress message."""

from collections.abc import Awaitable, Callable, Sequence

from telegram import Update

from bot.jobs.buttons import Cancel, EditHeard
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.payloads import CancelPayload, EditPayload
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.steps.ask_for_clip import NOTHING_KEPT
from bot.jobs.steps.transcribe import Heard
from bot.telegram.handlers.button_presses import NO_BUTTONS, OLD_JOB, Press, PressReply
from bot.telegram.handlers.channel_posts import ChannelPosts
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler
from bot.telegram.handlers.permissions import is_own
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.located_messages import LocatedMessages
from bot.words import Words


class CancelHandlers(HandlerFamily):
    """Handles ``/cancel`` and the button Cancel."""

    def _handlers(self) -> Handlers:
        return [
            TextCommandHandler("cancel", self.cancel),
            self._on_press(self._press, Cancel),
            self._on_press(self._edit_heard, EditHeard),
        ]

    async def cancel(self, update: Update, context: Context) -> None:
        """Stop the person's running job, or else their first that waits; a group admin without one stops the chat's.

        A post that waits for its caption is dropped before any job.
        """
        if await ChannelPosts(self._services).drop(update):
            return None
        chat, job_queue = chat_key_of(message_of(update)), self._job_queue
        jobs = await job_queue.current_jobs(chat, QueueName.MAIN)
        if not jobs:
            until = (await self._chats.get(chat)).saved_prompt_until
            # A template or example for the next file.
            is_waiting = until is not None and self._clock.now() < until
            await self._chats.update(chat, NOTHING_KEPT)
            key = "job.cancelled" if is_waiting else "job.nothing_to_cancel"
            return await self._submitter.reply(update, LocalizedMessage(key))
        own = [job for job in jobs if is_own(update, job.requester_id)]
        if not own and not await self._permissions.may_change(update, None):
            return await self._submitter.reply(update, LocalizedMessage("toast.not_yours"))
        job_id = _request_of((own or jobs)[0], jobs).id
        # Stored with the job's id, so that a repeated update doesn't cancel the next job too.
        payload = CancelPayload(job_id=job_id)
        if await self._submitter.submit(update, JobKind.CANCEL, payload):
            # Now as well: that job may have to wait behind another quick job.
            await job_queue.cancel(chat, QueueName.MAIN, job_id)
        return None

    async def _press(self, press: Press, action: Cancel) -> PressReply:
        job = await self.job_behind(press, action.job_id)
        job = _request_of(job, await self._job_queue.current_jobs(job.chat, job.queue))
        state = await self._job_queue.cancel(job.chat, job.queue, job.id)
        match state:
            case JobState.QUEUED:
                where = await self._job_queue.find_position_message(job)
                if where is None or where.message_id != press.message.message_id:  # Pressed in a list.
                    rest = press.other_buttons
                    return PressReply(
                        "toast.cancelling", buttons=rest, stopped=() if where is None else (where,)
                    )
                return PressReply("toast.cancelling", show=LocalizedMessage("progress.cancelled"))
            case JobState.RUNNING | JobState.ASKING:
                return PressReply("toast.cancelling")
            case _:
                return OLD_JOB

    async def _edit_heard(self, press: Press, action: EditHeard) -> PressReply:
        job = await self.job_behind(press, action.job_id)
        if (heard := await self._job_queue.load_checkpoint(job, Heard)) is None:
            return PressReply("toast.old_button")
        await self._job_queue.cancel(job.chat, job.queue, job.id)
        await self._submitter.reply(press.update, LocalizedMessage("voice.edit", {"text": heard.text}))
        return PressReply(buttons=NO_BUTTONS)


def _request_of(job: Job, jobs: Sequence[Job]) -> Job:
    """Return the request that came with a job, if it is a ``/new`` with one, and else the job: both stop together."""
    return next((other for other in jobs if other.payload_as(EditPayload).new_job_id == job.id), job)


def close_position_message(
    job_queue: JobQueue, messages: LocatedMessages
) -> Callable[[Job], Awaitable[None]]:
    """Return a function that marks a stopped job's position message as stopped."""

    async def close(job: Job) -> None:
        if (message := await job_queue.find_position_message(job)) is not None:
            await messages.close(message, Words(job.language))

    return close
