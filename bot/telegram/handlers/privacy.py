"""What is kept of a chat, and having it erased: ``/privacy``, ``/forget`` and its button."""

from dataclasses import replace

from telegram import Message, Update

from bot.chats.chats import MAX_RESULTS
from bot.chats.key import ChatKey
from bot.chats.project_list import MAX_PROJECTS
from bot.chats.versions import MAX_VERSIONS
from bot.jobs.buttons import ForgetChat, KeepChat
from bot.jobs.messages import Button, LocalizedMessage, Param
from bot.jobs.model import Job, JobKind, JobState, MessageLocation, QueueName
from bot.jobs.payloads import ForgetPayload
from bot.jobs.queue.job_queue import JobQueue
from bot.store import keys
from bot.telegram.handlers.button_presses import NO_BUTTONS, OLD_BUTTON, Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.receiving.application import Context

_DAY_S = 86_400


class PrivacyHandlers(HandlerFamily):
    """Handles ``/privacy``, ``/forget`` and the button that erases."""

    def _handlers(self) -> Handlers:
        return [
            TextCommandHandler("privacy", self._privacy),
            TextCommandHandler("forget", self._forget),
            self._on_press(self._erase, ForgetChat),
            self._on_press(self._keep, KeepChat),
        ]

    async def _privacy(self, update: Update, context: Context) -> None:
        await self._submitter.reply(update, privacy_notice(self._chats.ttl_days))

    async def _forget(self, update: Update, context: Context) -> None:
        await self._submitter.reply(update, forget_notice(message_of(update)))

    async def _erase(self, press: Press, action: ForgetChat) -> PressReply:
        """Enqueue the erase job; requests after it in the queue stay."""
        if not await self._permissions.may_change(press.update, None):
            return PressReply("forget.admins_only")
        job_queue, erase_id = self._job_queue, press.job_id
        before = await job_queue.find(press.chat, erase_id)
        if before is not None and before.state is not JobState.CANCELLED:
            # The update may have come before, and the process may have died before it stopped all.
            return replace(OLD_BUTTON, stopped=await stop_jobs_before(job_queue, press.chat, erase_id))
        # In a private chat everything is one person's.
        topics = await job_queue.topics(press.chat) if press.chat.is_private else []
        erase = self._submitter.job(
            press.update,
            JobKind.FORGET,
            payload=ForgetPayload(
                quick_job_ids=await _quick_job_ids(job_queue, press.chat), topics=tuple(map(str, topics))
            ),
            message_id=press.message.message_id,
        )
        if before is None:
            erase = replace(erase, id=erase_id)
        stopped = [place for topic in topics for place in await self._erase_topic(press, erase, topic)]
        if not await self._submitter.enqueue(press.update, [erase]):
            return PressReply()
        stopped += await stop_jobs_before(job_queue, press.chat, erase.id)
        return PressReply("toast.forgetting", buttons=NO_BUTTONS, stopped=tuple(stopped))

    async def _keep(self, press: Press, action: KeepChat) -> PressReply:
        return PressReply("toast.chat_kept", buttons=NO_BUTTONS)

    async def _erase_topic(self, press: Press, erase: Job, topic: ChatKey) -> tuple[MessageLocation, ...]:
        payload = ForgetPayload(quick_job_ids=await _quick_job_ids(self._job_queue, topic), is_silent=True)
        job = replace(erase, chat=topic, message_id=None, payload=payload)
        await self._job_queue.enqueue([job], press.update.update_id)
        return await stop_jobs_before(self._job_queue, topic, job.id)


async def _quick_job_ids(job_queue: JobQueue, chat: ChatKey) -> tuple[str, ...]:
    """Return the quick jobs to stop: all but those that delete a message with a token in it."""
    jobs = await job_queue.current_jobs(chat, QueueName.QUICK)
    return tuple(job.id for job in jobs if job.kind is not JobKind.DELETE_TOKEN)


async def stop_jobs_before(job_queue: JobQueue, chat: ChatKey, erase_id: str) -> tuple[MessageLocation, ...]:
    """Stop all requests before the job that erases the chat; return the position messages of those that had one.

    The last one is stopped first, so that none of them begins.
    """
    ids = await job_queue.current(chat, QueueName.MAIN)
    # If the job is gone, it is over: the jobs that wait now came later.
    earlier = ids[: ids.index(erase_id)] if erase_id in ids else []
    messages: list[MessageLocation] = []
    for job_id in reversed(earlier):
        status = await job_queue.find(chat, job_id)
        was = await job_queue.cancel(chat, QueueName.MAIN, job_id)
        if status is not None and was is JobState.QUEUED:
            message = await job_queue.find_position_message(status.job)
            messages += [] if message is None else [message]
    return tuple(messages)


def privacy_notice(chat_ttl_days: int) -> LocalizedMessage:
    """Return the message that says what is kept and for how long, from the numbers in force.

    Args:
        chat_ttl_days: Days for which a chat is kept that nobody uses.
    """
    params: dict[str, Param] = {
        "chat_days": chat_ttl_days,
        "projects": MAX_PROJECTS,
        "versions": MAX_VERSIONS,
        "videos": MAX_RESULTS,
        "job_days": keys.JOB_TTL_S // _DAY_S,
        "number_days": max(keys.MESSAGE_NUMBERS_TTL_S, keys.UPDATE_TTL_S) // _DAY_S,
        "quota_days": keys.QUOTA_TTL_S // _DAY_S,
        "guest_days": keys.GUEST_TOKENS_TTL_S // _DAY_S,
    }
    return LocalizedMessage("privacy.text", params)


def forget_notice(message: Message) -> LocalizedMessage:
    """Return the message that says what erasing means, with the button that does it."""
    chat = chat_key_of(message)
    kind = "private" if chat.is_private else "group" if chat.topic_id is None else "topic"
    return LocalizedMessage(
        f"forget.sure_{kind}",
        buttons=(
            Button("button.keep_chat", KeepChat()),
            Button("button.forget", ForgetChat(), style="danger"),
        ),
    )
