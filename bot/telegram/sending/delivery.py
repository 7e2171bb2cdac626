"""Sends finished videos, or links to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from telegram import InlineKeyboardMarkup, InputFile, Message
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.jobs.checkpoints import Checkpoints, MessageSend
from bot.jobs.messages import Button
from bot.jobs.model import Job
from bot.jobs.ports import Delivered, FileGone, Result
from bot.media.cover import CoverPictures, make_cover
from bot.media.video_facts import NotAVideo, VideoFacts, read_video_facts
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.bot import TelegramBot
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.progress_message import reply_to
from bot.telegram.sending.rate_limiter import Acquired, SendPriority
from bot.telegram.sending.refusals import Refusal, refusal_of, send_in_best_form
from bot.telegram.sending.send_once import SentMessageLog, send_once
from bot.words import Words

log = structlog.get_logger(__name__)

SEND_TIMEOUT_S = 900.0
"""Timeout of sending one video. With a local server it covers that server's whole upload to Telegram."""

FILE_NAME = "nemovideo.mp4"


@dataclass(frozen=True, slots=True)
class _Prepared:
    caption: str
    keyboard: InlineKeyboardMarkup | None
    facts: VideoFacts | None = None
    pictures: CoverPictures | None = None


class Delivery:
    """Sends results.

    Args:
        bot: The bot that sends.
        telegram_calls: Makes the calls.
        sent: Numbers of known messages.
        local: Whether the Bot API server runs in local mode, and reads files by their path.
        send_limit: Size in bytes of the largest file that the server takes.
        work_dir: Directory of the results; a local server has to see it under the same path.
    """

    def __init__(
        self,
        bot: TelegramBot,
        telegram_calls: TelegramCalls,
        sent: SentMessageLog,
        *,
        local: bool,
        send_limit: int,
        work_dir: Path,
    ) -> None:
        self._bot = bot
        self._telegram_calls = telegram_calls
        self._sent = sent
        self._local = local
        self.send_limit = send_limit
        self.work_dir = work_dir

    async def deliver(
        self, job: Job, checkpoints: Checkpoints, idempotency_key: str, result: Result, words: Words
    ) -> Delivered:
        """Send a result once.

        Args:
            job: The job that is answered.
            checkpoints: Where the job's sends are saved.
            idempotency_key: What is sent; unique within the job.
            result: The video, or what stands for it.
            words: The texts in the chat's language.

        Raises:
            FileGone: Telegram no longer knows the ``file_id``; the video has to be rendered again.
            ChatGone: Nobody is there.
        """
        buttons: list[Button] = []
        if result.link:
            buttons.append(Button("button.download", url=result.link))
        if result.browser_link and result.browser_link != result.link:
            buttons.append(Button("button.open_browser", url=result.browser_link))
        if result.project_link:
            buttons.append(Button("button.sign_in", url=result.project_link))
        prepared = await self._prepare(result, words, buttons)
        as_file = f"{idempotency_key}.file"
        if (
            checkpoints.load(MessageSend, as_file) is not None
        ):  # Telegram refused the video to an earlier attempt.
            return await self._deliver(job, checkpoints, as_file, replace(result, as_file=True), prepared)
        as_link = f"{idempotency_key}.link"
        if checkpoints.load(MessageSend, as_link) is not None:
            return await self._deliver_link(job, checkpoints, as_link, result, words)
        try:
            return await self._deliver(job, checkpoints, idempotency_key, result, prepared)
        except BadRequest as error:
            refusal = refusal_of(error)
            if refusal is Refusal.TOO_LARGE and (result.spare_link or result.browser_link):
                log.warning("delivery.too_large_for_telegram", size=result.size)
                return await self._deliver_link(job, checkpoints, as_link, result, words)
            if refusal is Refusal.KIND:
                log.info("delivery.medium_forbidden", error=error.message)
                explanation = _Prepared(words.text("deliver.forbidden"), prepared.keyboard)
                without_file = replace(result, path=None, file_id="")
                await self._deliver(
                    job, checkpoints, f"{idempotency_key}.forbidden", without_file, explanation
                )
                return Delivered("")
            if result.file_id:
                log.info("delivery.file_id_refused", error=error.message)
                raise FileGone(result.file_id) from error
            if result.path is None or result.as_file:
                raise
            # Telegram does not take it as a video; into a file it does not look.
            log.warning("delivery.video_refused", error=error.message)
            return await self._deliver(job, checkpoints, as_file, replace(result, as_file=True), prepared)

    async def _deliver_link(
        self, job: Job, checkpoints: Checkpoints, idempotency_key: str, result: Result, words: Words
    ) -> Delivered:
        """Send the link instead of a file that Telegram refused for its size."""
        link = result.spare_link or result.browser_link
        result = replace(result, path=None, file_id="", link=link, why_link="refused")
        buttons = [Button("button.download", url=link)]
        if result.browser_link and result.browser_link != link:
            buttons.append(Button("button.open_browser", url=result.browser_link))
        prepared = await self._prepare(result, words, buttons)
        return await self._deliver(job, checkpoints, idempotency_key, result, prepared)

    async def _prepare(self, result: Result, words: Words, buttons: list[Button]) -> _Prepared:
        took = words.duration(result.took_s)
        markup = keyboard([*buttons, *result.buttons], words)
        if result.file_id:
            return _Prepared(words.text("deliver.again"), markup)
        size = words.size(result.size or 0)
        if result.path is None:
            link = words.link(result.link, FILE_NAME)
            match result.why_link:
                case "no_room":
                    text = words.text("deliver.link_no_room", size=size, link=link)
                case "refused":
                    text = words.text("deliver.link_refused", size=size, link=link)
                case "elsewhere":
                    text = words.text("deliver.link_elsewhere", link=link)
                case _:
                    limit = words.size(self.send_limit)
                    text = words.text("deliver.link_too_large", size=size, limit=limit, link=link)
            return _Prepared(text, markup)
        try:
            facts = await read_video_facts(result.path)
            pictures = await make_cover(result.path)
        except NotAVideo:
            log.warning("delivery.not_playable")
            duration = words.duration(result.duration_s or 0)
            return _Prepared(words.text("deliver.caption", duration=duration, size=size, took=took), markup)
        caption = words.text(
            "deliver.caption", duration=words.duration(max(1, facts.duration_s)), size=size, took=took
        )
        return _Prepared(caption, markup, facts, pictures)

    async def _deliver(
        self, job: Job, checkpoints: Checkpoints, idempotency_key: str, result: Result, prepared: _Prepared
    ) -> Delivered:
        form: dict[str, Any] = {"reply_markup": prepared.keyboard, "parse_mode": ParseMode.HTML}

        async def send(chat_id: int, acquired: Acquired) -> Message:
            async def call(**fields: Any) -> Message:
                fields["rate_limit_args"] = acquired
                if result.file_id:
                    # A file ID can only be sent as the kind it was first sent as.
                    captioned = {"caption": prepared.caption, **fields}
                    match result.kind:
                        case "animation":
                            return await self._bot.send_animation(chat_id, result.file_id, **captioned)
                        case "document":
                            return await self._bot.send_document(chat_id, result.file_id, **captioned)
                        case _:
                            return await self._bot.send_video(chat_id, result.file_id, **captioned)
                if result.path is None:
                    return await self._bot.send_message(chat_id, prepared.caption, **fields)
                return await self._send_file(chat_id, result.path, prepared, fields, as_file=result.as_file)

            place = {"message_thread_id": job.chat.topic_id, "reply_parameters": reply_to(job, chat_id)}
            return await send_in_best_form(call, {**form, **place})

        async def edit(chat_id: int, message_id: int) -> Message | bool:
            async def call(**fields: Any) -> Message | bool:
                fields |= {
                    "chat_id": chat_id,
                    "message_id": message_id,
                    "rate_limit_args": SendPriority.FREE,
                }
                if result.path is None and not result.file_id:
                    return await self._bot.edit_message_text(prepared.caption, **fields)
                return await self._bot.edit_message_caption(caption=prepared.caption, **fields)

            return await send_in_best_form(call, form)

        sent = await send_once(
            checkpoints, idempotency_key, job.chat.chat_id, self._telegram_calls, self._sent, send, edit
        )
        return Delivered(sent.file_id, sent.kind or "video", sent.message_id, sent.telegram_chat_id)

    async def _send_file(
        self, chat_id: int, path: Path, prepared: _Prepared, common: dict[str, Any], *, as_file: bool
    ) -> Message:
        timeouts: dict[str, Any] = {"read_timeout": SEND_TIMEOUT_S, "write_timeout": SEND_TIMEOUT_S}
        with path.open("rb") as handle:
            # A local server gets the path. An open file is streamed; read_file_handle would read it whole.
            media: Path | InputFile = (
                path if self._local else InputFile(handle, filename=FILE_NAME, read_file_handle=False)
            )
            facts, pictures = prepared.facts, prepared.pictures
            thumbnail = pictures.thumbnail if pictures else None
            if facts is None or not facts.is_playable or as_file:
                return await self._bot.send_document(
                    chat_id,
                    media,
                    caption=prepared.caption,
                    thumbnail=thumbnail,
                    # Otherwise Telegram makes it a video or an animation by its content.
                    disable_content_type_detection=True,
                    filename=FILE_NAME,
                    **common,
                    **timeouts,
                )
            return await self._bot.send_video(
                chat_id,
                media,
                caption=prepared.caption,
                width=facts.width,
                height=facts.height,
                # Rounded up, so that no clip is 0:00.
                duration=max(1, round(facts.duration_s)),
                cover=pictures.cover if pictures else None,
                thumbnail=thumbnail,
                supports_streaming=facts.faststart,
                filename=FILE_NAME,
                **common,
                **timeouts,
            )
