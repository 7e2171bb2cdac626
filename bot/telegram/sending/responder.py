"""The chat's side of a job: implements ``jobs/ports.py`` for Telegram."""

from __future__ import annotations

import asyncio
import contextlib
import html
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from telegram import Bot, Message, MessageEntity
from telegram.constants import MessageLimit, ParseMode
from telegram.error import BadRequest

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoints, PrivateMessageKept
from bot.jobs.messages import (
    AgentMessage,
    Button,
    ListMessage,
    LocalizedMessage,
    OutgoingMessage,
    PrivateMessage,
    Progress,
    TimelinePicture,
)
from bot.jobs.model import Attachment, Job, JobKind
from bot.jobs.ports import ChatGone, Delivered, OpenFile, Result
from bot.media import decoder_process as decoding
from bot.runtime.clock import Clock
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.delivery import Delivery
from bot.telegram.sending.downloads import FileDownloads
from bot.telegram.sending.formatting import format_lines, format_list, format_message
from bot.telegram.sending.group_admins import private_chat_url
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.markdown import Piece, to_pieces
from bot.telegram.sending.private_messages import for_group, for_private, sealed, start_payload
from bot.telegram.sending.progress_message import ProgressMessage, reply_to
from bot.telegram.sending.rate_limiter import SendPriority
from bot.telegram.sending.send_once import SentMessageLog, send_once
from bot.words import Words

log = structlog.get_logger(__name__)


_COPIES = "copies"
"""The checkpoint with the copies of files that an own Bot API server made for the job."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A text ready to be sent: either HTML, or plain with entities."""

    text: str
    entities: Sequence[MessageEntity] | None = None
    quiet: bool = False

    @property
    def parse_mode(self) -> ParseMode | None:
        return ParseMode.HTML if self.entities is None else None


class TelegramResponder:
    """One job's side towards its chat.

    Args:
        responders: What all fronts share.
        job: The job.
        checkpoints: Its checkpoints.
    """

    def __init__(self, responders: TelegramResponders, job: Job, checkpoints: Checkpoints) -> None:
        self._responders = responders
        self._job = job
        self._checkpoints_of_job = checkpoints
        self._bot = responders.bot
        self._telegram_calls = responders.telegram_calls
        self._sent = responders.sent
        self._files = responders.files
        self._delivery = responders.delivery
        self._words = Words(job.language)
        self._progress_message = ProgressMessage(
            responders.bot,
            job,
            checkpoints,
            responders.telegram_calls,
            responders.sent,
            self._words,
            responders.clock,
            responders.progress_edit_s,
        )

    def report_progress(self, progress: Progress) -> None:
        """See ``ports.Front``."""
        self._progress_message.set(progress)

    async def show_progress(self) -> None:
        """See ``ports.Front``."""
        await self._progress_message.show()

    async def flush_progress(self) -> None:
        """See ``ports.Front``."""
        await self._progress_message.show_now()

    async def finish_progress(self, closing: LocalizedMessage | None) -> None:
        """See ``ports.Front``."""
        await self._progress_message.finish(
            None if closing is None else format_message(self._words, closing.key, closing.params)
        )

    async def close(self) -> None:
        """See ``ports.Front``."""
        await self._progress_message.close()

    def open_file(self, file: Attachment) -> AbstractAsyncContextManager[OpenFile]:
        """See ``ports.Front``."""
        return self._files.open(self._job.chat.chat_id, file, self._note_copy)

    async def release_files(self) -> None:
        """See ``ports.Front``: an own Bot API server keeps what it fetched for a day otherwise."""
        for copy in self._checkpoints_of_job.get_value(_COPIES) or ():
            await self._files.discard(copy)

    async def _note_copy(self, copy: str) -> None:
        copies = self._checkpoints_of_job.get_value(_COPIES) or []
        if copy not in copies:
            await self._checkpoints_of_job.save_value(_COPIES, [*copies, copy])

    @property
    def send_limit_bytes(self) -> int:
        """See ``ports.Front``."""
        return self._delivery.send_limit

    @property
    def result_path(self) -> Path:
        """See ``ports.Front``. An own Bot API server shows a file's name to the chat."""
        return self._delivery.work_dir / f"nemovideo-{self._job.id}.mp4"

    async def discard_result(self) -> None:
        """See ``ports.Front``."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self.result_path.unlink, missing_ok=True)

    async def send(self, slot: str, message: OutgoingMessage) -> None:
        """See ``ports.Front``. A long text becomes several messages; buttons stand under the last."""
        if isinstance(message, PrivateMessage):
            if not self._job.chat.is_private:
                return await self._send_privately(slot, message)
            message = message.message
        if isinstance(message, TimelinePicture) and await self._send_picture(slot, message):
            return
        texts = self._texts(message)
        for number, text in enumerate(texts):
            buttons = message.buttons if number == len(texts) - 1 else ()
            # In the comments on a channel's post what answers nobody stands outside of the thread.
            is_reply = number == 0 or not self._job.chat.is_private
            await self._say(f"{slot}.{number}", text, buttons, is_reply=is_reply)

    async def deliver(self, slot: str, result: Result) -> Delivered:
        """See ``ports.Front``."""
        return await self._delivery.deliver(self._job, self._checkpoints_of_job, slot, result, self._words)

    async def delete_message(self, address: int, message_id: int, *, only_buttons: bool) -> bool:
        """See ``ports.Front``. Telegram lets bots delete a message for 48 hours."""
        here = self._job.chat.chat_id

        async def delete(chat_id: int) -> bool:
            # In a supergroup that the group became the number may be anybody's message.
            return chat_id == address and await self._bot.delete_message(chat_id, message_id)

        async def strip(chat_id: int) -> object:
            return chat_id != address or await self._bot.edit_message_reply_markup(chat_id, message_id)

        if not only_buttons:
            try:
                return await self._telegram_calls.call(here, delete, repeatable=True)
            except BadRequest as error:
                if "not found" in error.message.lower():
                    return True  # Gone already: by hand, or by an attempt that died right after.
                log.info("front.not_deletable", error=error.message)
        with contextlib.suppress(BadRequest):  # Without buttons already, or gone.
            await self._telegram_calls.call(here, strip, repeatable=True, urgency=SendPriority.ANSWER)
        return False

    async def _send_privately(self, slot: str, message: PrivateMessage) -> None:
        job, is_sent, start = self._job, False, ""
        told = for_private(message.message, job.chat_title)
        if job.owner_id > 0:
            person = replace(job, chat=ChatKey(job.owner_id), message_id=None, address=None)
            with contextlib.suppress(ChatGone):  # Has not begun a private chat, or blocked the bot.
                await TelegramResponder(self._responders, person, self._checkpoints_of_job).send(
                    f"{slot}.private", told
                )
                is_sent = True
        if not is_sent:
            kept = PrivateMessageKept(encrypted=sealed(told, self._responders.seal))
            await self._checkpoints_of_job.save(kept)
            start = start_payload(job)
        seen = for_group(message, is_sent=is_sent)
        way = Button("button.private_chat", url=private_chat_url(self._bot.username, start))
        await self.send(f"{slot}.told", replace(seen, buttons=(way, *seen.buttons)))

    def _texts(self, message: LocalizedMessage | ListMessage | AgentMessage | TimelinePicture) -> list[_Text]:
        match message:
            case LocalizedMessage():
                return [_Text(format_message(self._words, message.key, message.params), quiet=message.quiet)]
            case ListMessage():
                return [_Text(format_list(self._words, message))]
            case AgentMessage():
                pieces = to_pieces(message.markdown, cut_note=self._words.plain("answer.cut"))
                return _with_lines([_of_piece(piece) for piece in pieces], self._words, message.lines)
            case TimelinePicture():
                return [_Text(format_list(self._words, message.caption))]

    async def _send_picture(self, slot: str, message: TimelinePicture) -> bool:
        """Send a timeline as a photo; tells whether it could be."""
        from bot.pictures import TimelineLabels, draw_timeline  # Here, as Pillow is large and few jobs draw.

        words = self._words
        caption = format_list(words, message.caption)
        if len(caption) > MessageLimit.CAPTION_LENGTH:
            return False
        labels = TimelineLabels(
            video=words.plain("track.video"),
            audio=words.plain("track.audio"),
            text=words.plain("track.text"),
            other=words.plain("track.other"),
            unnamed=lambda place: words.plain("track.unnamed", place=place),
        )
        picture = await draw_timeline(message.draft, labels=labels)
        common: dict[str, Any] = {
            "parse_mode": ParseMode.HTML,
            "reply_markup": keyboard(message.buttons, words),
        }

        async def send(chat_id: int) -> Message:
            return await self._bot.send_photo(
                chat_id,
                picture,
                caption=caption,
                filename="timeline.png",
                message_thread_id=self._job.chat.topic_id,
                reply_parameters=reply_to(self._job, chat_id),
                **common,
            )

        async def edit(chat_id: int, message_id: int) -> Message | bool:
            return await self._bot.edit_message_caption(chat_id, message_id, caption=caption, **common)

        chat_id = self._job.chat.chat_id
        try:
            await send_once(
                self._checkpoints_of_job,
                f"picture:{slot}",
                chat_id,
                self._telegram_calls,
                self._sent,
                send,
                edit,
            )
        except BadRequest as error:
            # A group may forbid photos, a server may dislike this one: the words do as well.
            log.info("front.picture_refused", error=error.message)
            return False
        return True

    async def _say(self, slot: str, text: _Text, buttons: Sequence[Button], *, is_reply: bool) -> None:
        try:
            await self._send_once(slot, text, buttons, is_reply=is_reply)
        except BadRequest as error:
            # "can't parse entities: …", ENTITY_BOUNDS_INVALID, ENTITY_TEXTURL_INVALID, ENTITIES_TOO_LONG.
            if "entit" not in error.message.lower():
                raise
            # What a service wrote can't be trusted to be well-formed: its words matter more than its looks.
            log.warning("front.formatting_refused", error=error.message)
            await self._send_once(slot, _Text(text.text, ()), buttons, is_reply=is_reply)

    async def _send_once(self, slot: str, text: _Text, buttons: Sequence[Button], *, is_reply: bool) -> None:
        markup = keyboard(buttons, self._words)

        async def send(chat_id: int) -> Message:
            return await self._bot.send_message(
                chat_id,
                text.text,
                parse_mode=text.parse_mode,
                entities=text.entities,
                message_thread_id=self._job.chat.topic_id,
                reply_parameters=reply_to(self._job, chat_id) if is_reply else None,
                reply_markup=markup,
                disable_notification=text.quiet,
            )

        async def edit(chat_id: int, message_id: int) -> Message | bool:
            return await self._bot.edit_message_text(
                text.text,
                chat_id=chat_id,
                message_id=message_id,
                parse_mode=text.parse_mode,
                entities=text.entities,
                reply_markup=markup,
            )

        await send_once(
            self._checkpoints_of_job,
            f"said:{slot}",
            self._job.chat.chat_id,
            self._telegram_calls,
            self._sent,
            send,
            edit,
        )


@dataclass(frozen=True, slots=True)
class TelegramResponders:
    """Makes fronts; what they share.

    Args:
        bot: Telegram.
        telegram_calls: Makes the calls.
        sent: Message numbers.
        files: Opens files.
        delivery: Sends videos.
        clock: Time.
        progress_edit_s: Least pause between two edits of a live message.
        seal: Encrypts what is kept for somebody's private chat.
    """

    bot: Bot
    telegram_calls: TelegramCalls
    sent: SentMessageLog
    files: FileDownloads
    delivery: Delivery
    clock: Clock
    progress_edit_s: float
    seal: Callable[[str], str]

    def open(self, job: Job, checkpoints: Checkpoints) -> TelegramResponder:
        """See ``ports.Fronts``."""
        if job.kind in (JobKind.EDIT, JobKind.EXPORT):
            decoding.start()  # They are there by the time the video is.
        return TelegramResponder(self, job, checkpoints)


def _with_lines(texts: list[_Text], words: Words, lines: Sequence[LocalizedMessage]) -> list[_Text]:
    """Put lines of our own under the agent's words, in the same message where they fit."""
    if not lines:
        return texts
    told = html.unescape(format_lines(words, lines))
    last = texts[-1] if texts else None
    if last is None or utf16_length(last.text) + utf16_length(told) + 2 > MessageLimit.MAX_TEXT_LENGTH:
        return [*texts, _Text(told, ())]
    return [*texts[:-1], _Text(f"{last.text}\n\n{told}", last.entities)]


def utf16_length(text: str) -> int:
    """A text's length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def _of_piece(piece: Piece) -> _Text:
    return _Text(piece.text, piece.entities)
