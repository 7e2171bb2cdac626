"""Sends several finished videos as one album."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import structlog
from telegram import InputFile, InputMediaVideo, Message
from telegram.constants import MediaGroupLimit, MessageLimit, ParseMode
from telegram.error import BadRequest

from bot.jobs.checkpoints import SentMessage
from bot.jobs.messages import TextMessage
from bot.jobs.ports import ChatGone, Result
from bot.media.cover import CoverPictures, make_cover
from bot.media.video_facts import NotAVideo, VideoFacts, read_video_facts
from bot.telegram.sending.api_calls import OutcomeUnknown
from bot.telegram.sending.delivery import FILE_NAME, SEND_TIMEOUT_S, DeliveryOptions, ResultFormChosen
from bot.telegram.sending.formatting import caption_of
from bot.telegram.sending.message_fields import MessageFields
from bot.telegram.sending.result_forms import ResultForm
from bot.telegram.sending.send_once import JobSender, sent_message
from bot.words import Html

log = structlog.get_logger(__name__)


async def send_album(
    sender: JobSender,
    delivery: DeliveryOptions,
    idempotency_key: str,
    results: Sequence[Result],
    caption: TextMessage,
) -> list[SentMessage] | None:
    """Send an album of results; see ``ports.Responder.deliver_album``.

    Args:
        sender: Sends for the job that is answered.
        delivery: Knows what the server takes.
        idempotency_key: What is sent; unique within the job.
        results: The videos.
        caption: The text under the album.
    """
    bot, checkpoints = sender.telegram_calls.bot, sender.checkpoints
    size = sum(result.exported.size_bytes or 0 for result in results)
    if (
        len(results) < MediaGroupLimit.MIN_MEDIA_LENGTH
        or any(result.exported.as_file or result.path is None for result in results)
        or size > delivery.max_send_bytes  # of the request
        or checkpoints.load(ResultFormChosen, idempotency_key) is not None
    ):
        return None
    text = caption_of(caption, Html(""), sender.words, MessageLimit.CAPTION_LENGTH).text
    fields = MessageFields(caption=text, parse_mode=ParseMode.HTML)
    messages: list[SentMessage] = []

    async def send(chat_id: int, **fields: Any) -> Message:
        with contextlib.ExitStack() as files:
            album = await bot.send_media_group(
                chat_id,
                [_media(*look, files if delivery.can_stream_upload else None) for look in looks],
                read_timeout=SEND_TIMEOUT_S,
                **fields,
            )
        messages.extend(map(sent_message, album))
        return album[0]

    try:
        looks = [await _look_of(result.path) for result in results if result.path is not None]
        first = await sender.send(idempotency_key, fields, send, bot.edit_message_caption)
    except (NotAVideo, BadRequest, ChatGone, OutcomeUnknown) as error:
        log.warning("result_album.refused", error=str(error))
        await checkpoints.save(ResultFormChosen(form=ResultForm.VIDEO), idempotency_key)
        return None
    for number in range(1, len(results)):  # Telegram numbers the messages of an album one after another.
        job = sender.job
        await sender.sent.record(first.telegram_chat_id, first.message_id + number, job.chat, job.message_id)
    return messages or [first, *[SentMessage()] * (len(results) - 1)]


def _media(
    path: Path, facts: VideoFacts, pictures: CoverPictures | None, files: contextlib.ExitStack | None
) -> InputMediaVideo:
    media: Path | InputFile = path  # A local server gets the path.
    thumbnail = None  # PTB 22.8 uploads it with a file only, and a cover with a single video only.
    if files is not None:
        handle = cast(Any, files.enter_context(path.open("rb")))
        media = InputFile(handle, filename=FILE_NAME, attach=True, read_file_handle=False)
        thumbnail = None if pictures is None else pictures.thumbnail
    return InputMediaVideo(
        media,
        width=facts.width,
        height=facts.height,
        duration=max(1, round(facts.duration_s)),
        supports_streaming=facts.faststart,
        thumbnail=thumbnail,
        filename=FILE_NAME,
    )


async def _look_of(path: Path) -> tuple[Path, VideoFacts, CoverPictures | None]:
    """Return what Telegram has to be given about a file.

    Raises:
        NotAVideo: It doesn't play as a video.
    """
    facts = await read_video_facts(path)
    if not facts.is_playable:
        raise NotAVideo(path.name)
    return path, facts, await make_cover(path)
