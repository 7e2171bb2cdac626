"""Guest mode: a person calls the bot by its name in a chat that it isn't in, mostly in reply to a video."""

from dataclasses import replace

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import CallbackQueryHandler, MessageHandler, filters

from bot.chats.key import ChatKey
from bot.jobs.buttons import Cancel, unpack
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Attachment, GuestQuery, Job, JobKind, JobState, QueueName, guest_job_id
from bot.jobs.next_steps import edits_clip
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.album import MAX_CONTEXT_CHARS, PARAGRAPH
from bot.jobs.queue.job_queue import QueueFull
from bot.jobs.queue.quotas import QuotaExceeded
from bot.telegram.handlers.button_presses import OLD_BUTTON, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers
from bot.telegram.reading.request import Request, read_request
from bot.telegram.receiving.application import Context
from bot.telegram.sending.formatting import format_message
from bot.telegram.sending.group_admins import private_chat_url
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.message_fields import html_text
from bot.words import Words
from bot.words.phrases import PhraseAction, action_for, command_for, small_talk


class _PressAsGuest(CallbackQueryHandler[Context, None]):
    """A press on a message that the bot knows by its inline ID alone."""

    def check_update(self, update: object) -> bool:
        press = update.callback_query if isinstance(update, Update) else None
        return press is not None and bool(press.inline_message_id)


class GuestModeHandlers(HandlerFamily):
    """Handles messages that call the bot as a guest, and the button of its answer.

    A request runs in the private chat of the person who asks, as if they had pressed New and asked there: with
    their account, quotas and queue, and with `/cancel`, `/history` and `/projects`. The other chat has no settings and
    no account, and can't be distinguished from a private chat of the bot by its id. Each request begins a project,
    so that nothing of another one is shown to others.

    The update is confirmed once the request is stored and answered: nothing but its answer tells the ID by which
    the message can be edited.
    """

    def _handlers(self) -> Handlers:
        return [MessageHandler(filters.UpdateType.GUEST_MESSAGE, self._called), _PressAsGuest(self._press)]

    async def _called(self, update: Update, context: Context) -> None:
        message = update.guest_message
        if message is None or message.guest_query_id is None:
            return
        person, query = message.from_user, GuestQuery(message.guest_query_id, message.chat.id)
        if person is None or message.sender_chat is not None or person.is_bot:
            return await self._answer(update, query, LocalizedMessage("guest.no_person"))
        key, access = ChatKey(person.id), self._services.access
        # A chat between two people has the id of one of them; that person's lists don't apply here.
        chats = [] if message.chat.type == ChatType.PRIVATE else [message.chat.id]
        if (reason := await access.why_denied(person.id, *chats)) is not None:
            if await access.may_send_refusal(person.id, update.update_id):
                await self._answer(update, query, LocalizedMessage(f"access.{reason}"))
            return None
        request = read_request(message, context.bot.bot)
        files, refusal = await self._checked(update, key, request, context.bot.username)
        if refusal is not None:
            return await self._answer(update, query, refusal)
        (job,) = await self._submitter.localize_jobs(update, [self._job(message, key, query, request)])
        context_words = request.context[:MAX_CONTEXT_CHARS]
        if context_words:
            quoted = Words(job.language).plain("prompt.quoted", words=context_words)
            job = replace(job, prompt=f"{job.prompt}{PARAGRAPH}{quoted}")
        try:
            enqueued = await self._job_queue.enqueue([replace(job, files=files)], update.update_id)
        except (QueueFull, QuotaExceeded) as error:
            return await self._answer(update, query, self._submitter.no_room_message(error))
        cancel = Button("button.cancel", Cancel(job.id))
        said = "job.paused" if enqueued.is_paused else "guest.working"
        return await self._answer(update, query, LocalizedMessage(said, buttons=(cancel,)))

    async def apologize(self, update: Update) -> None:
        """Answer a call whose handling has failed, unless its request is stored: it runs, and sends its video."""
        message, person = update.guest_message, update.effective_user
        if message is None or message.guest_query_id is None or person is None:
            return
        query = GuestQuery(message.guest_query_id, message.chat.id)
        if await self._job_queue.find(ChatKey(person.id), guest_job_id(query.id)) is None:
            await self._answer(update, query, LocalizedMessage("error.not_handled"))

    async def _checked(
        self, update: Update, key: ChatKey, request: Request, username: str
    ) -> tuple[tuple[Attachment, ...], LocalizedMessage | None]:
        """Return the files of a request, or why it can't be run."""
        chat, part = await self._chats.get(key), request.replied or request.part
        card = self._cards.active(chat.skill, await self._submitter.chat_language(update, key))
        # A new project doesn't contain the bot's earlier results.
        part = replace(part, files=tuple(replace(file, is_result=False) for file in part.files))
        part = self._services.refusals.checked(part, card)
        refusal = None
        if part.refusal is not None and not part.files:
            # The reason, and what helps, goes to the private chat, where buttons work.
            there = Button("button.private_chat", url=private_chat_url(username))
            refusal = LocalizedMessage("guest.file_refused", buttons=(there,))
        elif request.is_refused and request.left_out:
            refusal = request.left_out[0]
        elif not request.prompt or _is_for_private_chat(request.prompt, has_file=bool(part.files)):
            refusal = LocalizedMessage("guest.how", {"bot": f"@{username}"})
        elif (talk := small_talk(request.prompt)) is not None:
            refusal = LocalizedMessage(f"small_talk.{talk}")
        elif not (part.files or request.links or request.context) and edits_clip(request.prompt):
            refusal = LocalizedMessage("guest.needs_clip", {"bot": f"@{username}"})
        return part.files, refusal

    def _job(self, message: Message, key: ChatKey, query: GuestQuery, request: Request) -> Job:
        return Job(
            id=guest_job_id(query.id),
            chat=key,
            queue=QueueName.MAIN,
            kind=JobKind.EDIT,
            requester_id=key.chat_id,
            message_id=None,
            language="",
            asked_at=self._clock.now(),
            prompt=request.prompt,
            payload=EditPayload(links=request.links),
            chat_title=message.chat.title or "",
            guest_query=query,
        )

    async def _answer(self, update: Update, query: GuestQuery, said: LocalizedMessage) -> None:
        person = update.effective_user
        words = Words(await self._submitter.chat_language(update, ChatKey(person.id if person else 0)))
        text = format_message(words, said.key, said.params)
        await self._services.guest_mode_messages.answer(query, text, keyboard(said.buttons, words))

    async def _press(self, update: Update, context: Context) -> None:
        """Cancel a request for the person who made it: only their own private chat has its job."""
        press, job_queue = update.callback_query, self._job_queue
        if press is None:
            return
        action, reply = unpack(press.data), OLD_BUTTON
        if isinstance(action, Cancel):
            status = await job_queue.find(ChatKey(press.from_user.id), action.job_id)
            if status is None:
                reply = PressReply("toast.not_yours")
            else:
                job, guests = status.job, self._services.guest_mode_messages
                state = await job_queue.cancel(job.chat, job.queue, job.id)
                if state in (JobState.QUEUED, JobState.RUNNING, JobState.ASKING):
                    reply = PressReply("toast.cancelling")
                if job.guest_query is not None and state not in (JobState.RUNNING, JobState.ASKING):
                    # Nobody else edits it any more, perhaps because its ID was lost: the press brings it again.
                    await guests.save_id(job.guest_query, str(press.inline_message_id))
                    key = "progress.cancelled" if state is JobState.QUEUED else "guest.see_private"
                    words = Words(await self._submitter.chat_language(update, job.chat))
                    link = Button("button.private_chat", url=private_chat_url(context.bot.username))
                    edit = guests.edit(job.guest_query, html_text(words.text(key), keyboard([link], words)))
                    context.application.create_task(edit, update, name="guest press")
        self._services.presses.answer(update, context.application, reply)


def _is_for_private_chat(prompt: str, *, has_file: bool) -> bool:
    """Return whether words such as "cancel" or "help" ask for no edit: the agent would charge for them."""
    phrase = action_for(prompt)
    is_command = phrase is not None or command_for(prompt) is not None
    return is_command and not (has_file and phrase is PhraseAction.EXPORT)
