"""Sends to a chat for a job: implements ``Responder`` of ``jobs/ports.py`` for Telegram."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from telegram.constants import MessageLimit, ParseMode
from telegram.error import BadRequest, TelegramError

from bot.chats.key import ChatKey
from bot.jobs.buttons import CONFIRMING, OFFERED, Export, Retry
from bot.jobs.checkpoints import Checkpoints, MessageSend, PromptSent, SentMessage
from bot.jobs.messages import (
    AgentMessage,
    Button,
    ListMessage,
    LocalizedMessage,
    OutgoingMessage,
    PrivateMessage,
    Progress,
    SampleClip,
    TextMessage,
    TimelinePicture,
)
from bot.jobs.model import Attachment, Job, MessageLocation
from bot.jobs.ports import ChatGone, FileGone, OpenFile, Result, TopicGone
from bot.jobs.sample_clip import SAMPLE, SAMPLE_PATH
from bot.runtime.tasks import in_background
from bot.telegram.sending.activity_signals import ActivitySignals
from bot.telegram.sending.api_calls import OutcomeUnknown
from bot.telegram.sending.delivery import ResultSender
from bot.telegram.sending.downloads import FileCopies
from bot.telegram.sending.file_messages import calls_of, name_and_kind, post_to_channel
from bot.telegram.sending.formatting import format_side_by_side, texts_of, timeline_labels, visible_length
from bot.telegram.sending.group_admins import private_chat_url
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.located_messages import LocatedMessages
from bot.telegram.sending.message_fields import MessageFields
from bot.telegram.sending.private_messages import encrypted, for_group, for_owner, for_private, start_payload
from bot.telegram.sending.progress_message import ProgressMessage
from bot.telegram.sending.result_album import send_album
from bot.telegram.sending.result_files import discard_results, result_path
from bot.telegram.sending.send_once import Call, JobSender
from bot.telegram.sending.send_refusals import SendRefusal, send_refusal_of
from bot.telegram.sending.sent_messages import CONFIRMATION, OFFER, RETRIABLE

if TYPE_CHECKING:
    from bot.telegram.sending.responders import TelegramResponders

log = structlog.get_logger(__name__)


class TelegramResponder:
    """Sends to one chat for one job.

    Args:
        responders: What all responders share.
        job: The job that is answered.
        checkpoints: Where the job's sends are saved.
    """

    def __init__(self, responders: TelegramResponders, job: Job, checkpoints: Checkpoints) -> None:
        self._responders = responders
        self._job = job
        self._checkpoints = checkpoints
        self._bot = responders.telegram_calls.bot
        self._telegram_calls = responders.telegram_calls
        self._sender = JobSender(
            job, checkpoints, responders.telegram_calls, responders.sent, responders.language_of
        )
        self._copies_lock = asyncio.Lock()
        self._delivery = responders.delivery
        self._variation = 0
        self.can_stream_upload = self._delivery.can_stream_upload
        self.send_limit_bytes = self._delivery.max_send_bytes
        self._activity_signals = ActivitySignals(job, self._telegram_calls)
        self._progress_message = self._new_progress_message()

    def _new_progress_message(self) -> ProgressMessage:
        return ProgressMessage(self._sender, self._responders.progress_edit_s)

    def begin_variation(self, number: int, count: int, name: LocalizedMessage) -> None:
        """See ``ports.Responder``."""
        self._variation = number
        self._progress_message.begin_variation(number, count, name)

    def end_variation(self) -> None:
        """See ``ports.Responder``."""
        self._variation = 0
        self._progress_message.end_variation()

    def report_progress(self, progress: Progress) -> None:
        """See ``ports.Responder``."""
        self._progress_message.report(progress)

    async def show_progress(self) -> None:
        """See ``ports.Responder``."""
        await self._progress_message.show()

    async def flush_progress(self) -> None:
        """See ``ports.Responder``."""
        await self._progress_message.flush()

    async def finish_progress(self, closing: LocalizedMessage | None) -> None:
        """See ``ports.Responder``."""
        await self._progress_message.finish(closing)

    async def close(self) -> None:
        """See ``ports.Responder``."""
        await self._progress_message.close()

    async def react(self, emoji: str) -> bool:
        """See ``ports.Responder``."""
        return await self._activity_signals.react(emoji)

    async def conclude(self, *, is_done: bool) -> None:
        """See ``ports.Responder``."""
        await self._activity_signals.conclude(is_done=is_done)

    async def post(self, channel_id: int, file: Attachment, caption: str) -> str | None:
        """See ``ports.Responder``."""
        return await post_to_channel(self._telegram_calls, channel_id, file, caption)

    def prefetch_file(self, file: Attachment) -> None:
        """See ``ports.Responder``."""
        self._responders.files.prefetch(self._job.chat.chat_id, file)

    def open_file(self, file: Attachment) -> AbstractAsyncContextManager[OpenFile]:
        """See ``ports.Responder``."""
        return self._responders.files.open(self._job.chat.chat_id, file, on_copy=self._save_copy)

    async def delete_file_copies(self) -> None:
        """See ``ports.Responder``. A local Bot API server keeps what it fetched for a day."""
        copies = self._checkpoints.load(FileCopies)
        for path in copies.paths if copies is not None else ():
            await self._responders.files.discard(path)

    async def _save_copy(self, path: str) -> None:
        async with self._copies_lock:  # Files are opened side by side.
            copies = self._checkpoints.load(FileCopies) or FileCopies()
            if path not in copies.paths:
                await self._checkpoints.save(FileCopies(paths=(*copies.paths, path)))

    @property
    def result_path(self) -> Path:
        """See ``ports.Responder``."""
        return result_path(self._delivery.work_dir, self._job.id, self._variation)

    async def discard_result(self) -> None:
        """See ``ports.Responder``."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(discard_results, self._delivery.work_dir, self._job.id)

    async def send(self, idempotency_key: str, message: OutgoingMessage) -> None:
        """See ``ports.Responder``. A long text becomes several messages, with the buttons under the last.

        If a group or its topic takes no texts, the person who asked is notified in private.
        """
        try:
            await self._send_message(idempotency_key, message)
        except (ChatGone, OutcomeUnknown, TelegramError) as refused:
            log.warning("responder.refused", error=str(refused))
            is_lost = not isinstance(refused, ChatGone | BadRequest)  # Elsewhere it would be lost as well.
            if not is_lost and await self._send_to_owner(f"{idempotency_key}.chat_gone", message):
                return
            # Once the agent has been asked, the job is paid for, and its result may still arrive as another kind.
            is_paid = self._checkpoints.load(PromptSent) is not None
            is_blocked = self._job.chat.is_private and isinstance(refused, ChatGone)
            if not (isinstance(refused, TopicGone) or (is_paid and not is_blocked)):
                raise

    async def _send_to_owner(self, idempotency_key: str, message: OutgoingMessage) -> bool:
        """Send a group's message to the person who asked instead, and return whether they got it."""
        if (person := self._in_private()) is None:
            return False
        try:
            await person.send(idempotency_key, for_owner(message, self._job.chat_title))
        except (ChatGone, OutcomeUnknown, TelegramError) as error:
            log.info("responder.owner_not_reached", error=str(error))
            return False
        return True

    async def _send_message(self, idempotency_key: str, message: OutgoingMessage) -> None:
        await self._sender.renew_language()
        if isinstance(message, PrivateMessage):
            if not self._job.chat.is_private:
                return await self._send_privately(idempotency_key, message)
            message = message.message
        if isinstance(message, TimelinePicture) and await self._send_picture(idempotency_key, message):
            return
        if isinstance(message, SampleClip):
            caption, clip = self._sender.words.plain(message.caption.key), SAMPLE_PATH.read_bytes()
            with contextlib.suppress(BadRequest):  # A group may forbid videos.
                return await self._send_file(f"{idempotency_key}.clip", SAMPLE.name, clip, "video", caption)
        texts = texts_of(message, self._sender.words)
        is_quiet = isinstance(message, LocalizedMessage) and message.quiet
        for number, text in enumerate(texts):
            buttons = message.buttons if number == len(texts) - 1 else ()
            # In the comments on a channel's post a message that replies to nothing is outside of the thread.
            is_reply = number == 0 or not self._job.chat.is_private
            sent = await self._send_once(
                f"{idempotency_key}.{number}",
                replace(text, reply_markup=keyboard(buttons, self._sender.words, self._bot.may_link)),
                partial(self._bot.send_message, disable_notification=is_quiet),
                self._bot.edit_message_text,
                is_reply=is_reply,
                plain_in_the_end=True,
            )
            if (content := _content_of(message, buttons)) is not None:
                await self._sender.record(sent, content)

    async def send_file(
        self, idempotency_key: str, name: str, content_type: str, content: bytes, send_as: str = ""
    ) -> None:
        """See ``ports.Responder``."""
        name, send_as = name_and_kind(name, content_type, content, send_as)
        try:
            await self._send_as_or_file(idempotency_key, name, content, send_as)
        except (ChatGone, OutcomeUnknown, TelegramError) as error:
            log.warning("responder.file_refused", error=str(error))
            is_too_large = isinstance(error, BadRequest) and send_refusal_of(error) is SendRefusal.TOO_LARGE
            if (
                isinstance(error, ChatGone | BadRequest)
                and not is_too_large
                and (person := self._in_private())
            ):
                with contextlib.suppress(ChatGone):
                    return await person.send_file(
                        f"{idempotency_key}.private", name, content_type, content, send_as
                    )
            await self.send(f"{idempotency_key}.lost", LocalizedMessage("answer.file_lost", {"name": name}))

    async def _send_as_or_file(self, idempotency_key: str, name: str, content: bytes, kind: str) -> None:
        """Send a file as this kind, or as a file where that is refused or none is given."""
        as_file = f"{idempotency_key}.file"
        if kind and self._checkpoints.load(MessageSend, as_file) is None:
            try:
                caption = name if kind == "photo" else ""
                return await self._send_file(idempotency_key, name, content, kind, caption)
            except BadRequest as error:
                if send_refusal_of(error) is SendRefusal.TOO_LARGE:  # Never upload it again.
                    raise
                log.info("responder.kind_refused", kind=kind, error=error.message)
        await self._send_file(as_file, name, content)

    async def _send_file(
        self, key: str, name: str, content: bytes | str, kind: str = "document", caption: str = ""
    ) -> None:
        send, edit = calls_of(self._bot, kind, content)
        fields = MessageFields(
            caption=None if kind == "video_note" else caption,
            parse_mode=ParseMode.HTML if isinstance(content, str) else None,  # A person's own caption.
        )
        await self._send_once(key, fields, partial(send, filename=name), edit)

    async def send_again(self, idempotency_key: str, file: Attachment, caption: str) -> None:
        """See ``ports.Responder``."""
        try:
            await self._send_file(idempotency_key, file.name, file.file_id, file.kind, caption)
        except BadRequest as error:
            raise FileGone(error.message) from error

    async def deliver(self, idempotency_key: str, result: Result) -> SentMessage:
        """See ``ports.Responder``."""
        if (person := self._in_private()) is None:
            return await self._send_result(idempotency_key, result)
        send_there = partial(person._send_result, f"{idempotency_key}.private", may_be_kept=False)
        result_there = replace(result, buttons=())  # They would act on the private chat's own project.
        try:
            return await self._send_result(idempotency_key, result, partial(send_there, result_there))
        except BadRequest as error:  # Not even a text: where it can be had is said in private.
            log.warning("responder.result_refused", error=error.message)
            if not (result.exported.link or result.exported.spare_link):
                raise
            return await send_there(replace(result_there, path=None))

    async def _send_result(
        self,
        idempotency_key: str,
        result: Result,
        in_private: Callable[[], Awaitable[SentMessage]] | None = None,
        *,
        may_be_kept: bool = True,
    ) -> SentMessage:
        """Deliver to this chat alone; see ``ResultSender`` for the arguments."""

        async def send_answer() -> None:
            if result.answer is not None:
                await self.send(f"{idempotency_key}.answer", replace(result.answer, buttons=()))

        await self._sender.renew_language()
        async with in_background(self._activity_signals.show_uploading()):
            return await ResultSender(
                self._delivery,
                self._sender,
                idempotency_key,
                result,
                self.report_progress,
                send_answer,
                in_private,
                may_be_kept,
            ).run()

    async def deliver_album(
        self, idempotency_key: str, results: Sequence[Result], caption: TextMessage
    ) -> list[SentMessage] | None:
        """See ``ports.Responder``."""
        await self._sender.renew_language()
        async with in_background(self._activity_signals.show_uploading()):
            return await send_album(self._sender, self._delivery, idempotency_key, results, caption)

    async def delete_message(self, telegram_chat_id: int, message_id: int, *, only_buttons: bool) -> bool:
        """See ``ports.Responder``."""
        messages = LocatedMessages(self._telegram_calls)
        where = MessageLocation(self._job.chat.chat_id, telegram_chat_id, message_id)
        if not only_buttons and await messages.delete(where):
            return True
        await messages.set_buttons(where, None)
        return False

    async def _send_privately(self, idempotency_key: str, message: PrivateMessage) -> None:
        job, is_sent, start = self._job, False, ""
        private = for_private(message.message, job.chat_title)
        if (person := self._in_private()) is not None:
            with contextlib.suppress(ChatGone):  # They have not begun a private chat, or blocked the bot.
                await person.send(f"{idempotency_key}.private", private)
                is_sent = True
        if not is_sent:
            await self._checkpoints.save(encrypted(private, job, self._responders.encrypt))
            start = start_payload(job)
        public = for_group(message, is_sent=is_sent)
        to_private_chat = Button("button.private_chat", url=private_chat_url(self._bot.username, start))
        await self.send(
            f"{idempotency_key}.group", replace(public, buttons=(to_private_chat, *public.buttons))
        )

    def _in_private(self) -> TelegramResponder | None:
        """Return the responder for the private chat of the person who asked in a group, if there is one."""
        job = self._job
        if job.chat.is_private or job.requester_id <= 0:
            return None
        in_private = replace(
            job, chat=ChatKey(job.requester_id), message_id=None, telegram_chat_id=job.requester_id
        )
        return TelegramResponder(self._responders, in_private, self._checkpoints)

    async def _send_picture(self, idempotency_key: str, message: TimelinePicture) -> bool:
        """Send a timeline as a photo, and return whether that was possible."""
        from bot.pictures.timeline import draw_timeline  # Here because Pillow is large and few jobs draw.

        words = self._sender.words
        caption = format_side_by_side(words, message.parts, message.waiting)
        if visible_length(caption) > MessageLimit.CAPTION_LENGTH:
            return False
        labels = timeline_labels(words, message.draft)
        picture = await draw_timeline(message.draft, labels=labels, looks=message.looks)
        markup = keyboard(message.buttons, words, self._bot.may_link)
        fields = MessageFields(caption=caption, parse_mode=ParseMode.HTML, reply_markup=markup)
        send = partial(self._bot.send_photo, photo=picture, filename="timeline.png")
        try:
            await self._send_once(f"{idempotency_key}.picture", fields, send, self._bot.edit_message_caption)
        except BadRequest as error:
            # A group may forbid photos, a server may dislike this one: the caption alone will do.
            log.info("responder.picture_refused", error=error.message)
            return False
        return True

    async def _send_once(
        self, idempotency_key: str, fields: MessageFields, send: Call, edit: Call, **how: Any
    ) -> SentMessage:
        sent = await self._sender.send(idempotency_key, fields, send, edit, **how)
        self._progress_message.cover()
        return sent


def _content_of(message: OutgoingMessage, buttons: Sequence[Button]) -> str | None:
    """Return what is recorded of a message whose buttons words may mean; ``None`` of any other."""
    actions = [button.action for button in buttons]
    retry = next((action for action in actions if isinstance(action, Retry)), None)
    if retry is not None:
        return f"{RETRIABLE}{retry.job_id}"
    if any(isinstance(action, CONFIRMING) for action in actions):
        return CONFIRMATION
    if any(isinstance(action, OFFERED) for action in actions):
        return OFFER
    lines: tuple[LocalizedMessage, ...] = ()
    match message:
        case LocalizedMessage():
            lines = (message,)
        case ListMessage():
            lines = (message.heading, *message.lines)
        case AgentMessage():
            lines = message.lines
    is_of_failure = any(line.key.startswith("error.") for line in lines)
    return RETRIABLE if is_of_failure and any(isinstance(action, Export) for action in actions) else None
