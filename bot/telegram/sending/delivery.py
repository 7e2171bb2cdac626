"""Sends finished videos, or links to them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog
from telegram import InlineKeyboardMarkup, InputFile, Message
from telegram.constants import MessageLimit, ParseMode
from telegram.error import BadRequest, NetworkError

from bot.jobs.buttons import Export, ShowMore
from bot.jobs.checkpoints import Checkpoint, LinkReason, SentMessage
from bot.jobs.messages import Button, Param, Progress
from bot.jobs.ports import ChatGone, FileGone, Result, TopicGone
from bot.media.cover import CoverPictures, make_cover
from bot.media.shrink import CannotShrink, shrink_video, smaller_path
from bot.media.video_facts import NotAVideo, VideoFacts, read_video_facts
from bot.runtime.arriving_file import ArrivingFile, NeverArrived
from bot.runtime.hosts import with_host
from bot.telegram.sending.api_calls import OutcomeUnknown
from bot.telegram.sending.file_messages import calls_of
from bot.telegram.sending.formatting import caption_of
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.message_fields import MessageFields
from bot.telegram.sending.result_forms import ResultForm, next_form
from bot.telegram.sending.send_once import Call, JobSender
from bot.telegram.sending.send_refusals import SendRefusal, send_refusal_of
from bot.words import Html

log = structlog.get_logger(__name__)

T = TypeVar("T")

SEND_TIMEOUT_S = 900.0
"""Timeout of the answer to one video. With a local server it covers that server's whole upload to Telegram."""

FILE_NAME = "nemovideo.mp4"


SHRINK_FRACTIONS = (0.97, 0.99)
"""Where making a smaller version begins and ends on the progress bar, as shares of the whole job."""


class ResultFormChosen(Checkpoint):
    """Saved under a result's idempotency key when a form of it was refused: the next attempt doesn't try that again."""

    name = "result_form"
    form: ResultForm  # the form that is sent next
    refusal: SendRefusal | None = None  # why the one before was refused


@dataclass(frozen=True, slots=True)
class _Prepared:
    caption: Html
    keyboard: InlineKeyboardMarkup | None
    path: Path | None = None  # the file to send; ``None`` for a text or a file ID
    arriving: ArrivingFile | None = None  # the same file, if it may not be whole yet
    as_file: bool = False  # whether it goes as a file
    facts: VideoFacts | None = None
    pictures: CoverPictures | None = None

    def is_text(self, result: Result) -> bool:
        """Whether it goes as a text, without the video."""
        return self.path is None and not result.exported.file_id


class DeliveryOptions:
    """What every `ResultSender` of a bot shares.

    Args:
        local_mode: Whether the Bot API server runs in local mode, and reads files by their path.
        max_send_bytes: Size of the largest file that the server takes.
        work_dir: Directory of the results; a local server has to see it under the same path.
    """

    def __init__(self, *, local_mode: bool, max_send_bytes: int, work_dir: Path) -> None:
        self.local_mode = local_mode
        self.max_send_bytes = max_send_bytes
        self.can_stream_upload = not local_mode  # A local server reads the file itself.
        self.shrink_semaphore = asyncio.Semaphore(1)  # Each keeps the cores busy.
        self.work_dir = work_dir


@dataclass(slots=True)
class ResultSender:
    """Sends a result once, in the best form that Telegram takes.

    Args:
        options: What all deliveries share.
        sender: Sends for the job that is answered.
        idempotency_key: What is sent; unique within the job.
        result: The video, or what stands for it.
        report_progress: Shows how far a smaller version is.
        send_answer: Sends the whole answer, where only its beginning fits under the result.
        in_private: Sends the result to the private chat of the person who asked, as a last resort; ``None`` if the
            job is not of a group, or has no such person.
        may_be_kept: Whether a text that the result stays in the project may stand in for it, as a last resort.
    """

    options: DeliveryOptions
    sender: JobSender
    idempotency_key: str
    result: Result
    report_progress: Callable[[Progress], None]
    send_answer: Callable[[], Awaitable[None]]
    in_private: Callable[[], Awaitable[SentMessage]] | None = None
    may_be_kept: bool = True

    async def run(self) -> SentMessage:
        """Send it.

        Raises:
            FileGone: Telegram no longer takes the ``file_id``; the video has to be rendered again.
            NeverArrived: The rest of the file did not come; nothing was sent.
            ChatGone: Nobody is there.
            BadRequest: Telegram took no form of it.
            OutcomeUnknown: Telegram answered to none.
        """
        possible = self._possible_forms()
        chosen = self.sender.checkpoints.load(ResultFormChosen, self.idempotency_key)
        chosen = chosen or self._first_form(possible)
        while True:
            error: BadRequest | ChatGone | CannotShrink | OutcomeUnknown
            try:
                return await self._send_as(chosen)
            except CannotShrink as refused:
                error, refusal = refused, SendRefusal.TOO_LARGE
            except ChatGone as refused:
                error = refused
                refusal = SendRefusal.THREAD if isinstance(refused, TopicGone) else SendRefusal.CHAT
            except OutcomeUnknown as lost:
                error, refusal = lost, SendRefusal.UNANSWERED
            except BadRequest as refused:
                if file_id := self.result.exported.file_id:
                    log.info("delivery.file_id_refused", error=refused.message)
                    raise FileGone(file_id) from refused
                error, refusal = refused, send_refusal_of(refused)
            form: ResultForm | None = chosen.form
            # The first try named a topic that is gone, so the same form is tried once more without it.
            if refusal is not SendRefusal.THREAD or chosen.refusal is SendRefusal.THREAD:
                form = next_form(chosen.form, refusal, possible)
            if form is None:
                raise error
            log.warning(
                "delivery.refused", form=chosen.form, refusal=refusal.value, next=form, error=str(error)
            )
            chosen = ResultFormChosen(form=form, refusal=refusal)
            await self.sender.checkpoints.save(chosen, self.idempotency_key)

    def _possible_forms(self) -> set[ResultForm]:
        result, forms = self.result, set()
        if self.in_private is not None:
            forms.add(ResultForm.PRIVATE)
        if self.may_be_kept:
            forms.add(ResultForm.KEPT)
        if self.sender.telegram_calls.bot.may_link(_link_of(result)):
            forms.add(ResultForm.LINK)
        if result.exported.file_id:
            forms.add(ResultForm.VIDEO)
        if result.path is not None:
            if (result.exported.size_bytes or 0) <= self.options.max_send_bytes:
                forms |= {ResultForm.VIDEO, ResultForm.FILE}
            if result.exported.may_shrink:
                forms.add(ResultForm.SMALLER)
        return forms

    def _first_form(self, possible: set[ResultForm]) -> ResultFormChosen:
        if ResultForm.VIDEO in possible:
            as_file = self.result.exported.as_file and not self.result.exported.file_id
            return ResultFormChosen(form=ResultForm.FILE if as_file else ResultForm.VIDEO)
        form = next_form(ResultForm.FILE, SendRefusal.TOO_LARGE, possible) or ResultForm.KEPT
        return ResultFormChosen(form=form)

    async def _send_as(self, chosen: ResultFormChosen) -> SentMessage:
        words, key, bot = self.sender.words, self.idempotency_key, self.sender.telegram_calls.bot
        if chosen.form is not ResultForm.VIDEO:
            key = f"{key}.{chosen.form}"
        if chosen.refusal is not None:
            await self._wait_for_whole_file()
        result = self.result
        match chosen.form:
            case ResultForm.PRIVATE if self.in_private is not None:
                delivered = await self.in_private()
                if chosen.refusal not in (SendRefusal.CHAT, SendRefusal.THREAD):
                    # Not under `key`, which is that of the video in the private chat.
                    await self._tell_of_private_chat(f"{key}.told")
                return delivered.changed(file_id="")
            case ResultForm.SMALLER:
                smaller = await self._shrink()
                prepared = await self._prepare_file(smaller, full_bytes=result.exported.size_bytes)
            case ResultForm.VIDEO | ResultForm.FILE if result.path is not None:
                prepared = await self._prepare_file(result.path)
                if chosen.form is ResultForm.FILE:
                    prepared = replace(prepared, as_file=True)
                if chosen.refusal is SendRefusal.KIND:
                    note = words.text("deliver.video_forbidden")
                    prepared = replace(prepared, caption=Html(f"{prepared.caption}\n\n{note}"))
            case ResultForm.VIDEO:
                # If the request has an answer, that says why the same video comes again.
                prepared = _Prepared(words.text("deliver.again") if result.answer is None else Html(""), None)
            case ResultForm.LINK:
                prepared = _Prepared(self._link_text(chosen.refusal), None)
            case _:
                prepared = _Prepared(self._kept_text(chosen.refusal), None)
        # Without the video itself there is nothing that More could make something of.
        of_result = [
            one
            for one in result.buttons
            if not (prepared.is_text(result) and isinstance(one.action, ShowMore))
        ]
        share: list[Button] = []
        if result.share and not prepared.is_text(result) and bot.supports_inline_queries:
            share = [Button("button.share", share=result.share)]
        buttons = self._buttons_of_form(chosen.form)
        every_button = [*buttons, *of_result, *share, *_browser_button(result, buttons)]
        markup = keyboard(every_button, words, bot.may_link)
        limit = MessageLimit.MAX_TEXT_LENGTH if prepared.is_text(result) else MessageLimit.CAPTION_LENGTH
        caption = caption_of(result.answer, prepared.caption, words, limit)
        if not caption.is_whole:
            await self.send_answer()
        prepared = replace(prepared, caption=caption.text, keyboard=markup)
        delivered = await self._send_prepared(key, prepared)
        is_whole = chosen.form in (ResultForm.VIDEO, ResultForm.FILE)
        return delivered if is_whole else delivered.changed(file_id="")

    async def _tell_of_private_chat(self, idempotency_key: str) -> None:
        """Say in the chat that the video is in the private chat; a chat that refuses this too has it all the same."""
        bot = self.sender.telegram_calls.bot
        fields = MessageFields(text=self.sender.words.text("deliver.in_private"), parse_mode=ParseMode.HTML)
        try:
            await self.sender.send(
                idempotency_key, fields, bot.send_message, bot.edit_message_text, plain_in_the_end=True
            )
        except (BadRequest, ChatGone, OutcomeUnknown) as error:
            log.info("delivery.not_told", error=type(error).__name__)

    async def _wait_for_whole_file(self) -> None:
        if self.result.arriving is not None:
            await self.result.arriving.wait_for_end()
            self.result = replace(self.result, arriving=None)

    def _buttons_of_form(self, form: ResultForm) -> list[Button]:
        buttons: list[Button] = []
        link = _link_of(self.result)
        if form is ResultForm.LINK:
            buttons.append(Button("button.download", url=link))
        elif form is ResultForm.SMALLER and link:
            buttons.append(Button("button.download_full", url=link))
        elif form is ResultForm.KEPT and not any(
            isinstance(one.action, Export) for one in self.result.buttons
        ):
            buttons.append(Button("button.export", Export()))
        return buttons

    async def _shrink(self) -> Path:
        """Return a smaller file that fits; an earlier attempt's, if it is still there."""
        path, size_bytes = self.result.path, self.result.exported.size_bytes
        if path is None or size_bytes is None:
            raise CannotShrink("no file")
        target = smaller_path(path)
        if await asyncio.to_thread(target.exists):
            return target
        # A refused file shows that the limit is lower than it seemed, but not how low.
        max_bytes = (
            self.options.max_send_bytes if size_bytes > self.options.max_send_bytes else size_bytes // 2
        )
        begin, end = SHRINK_FRACTIONS

        def report(done: float) -> None:
            params: dict[str, Param] = {"percent": int(100 * done)}
            self.report_progress(Progress("progress.shrink", params, fraction=begin + (end - begin) * done))

        report(0.0)
        async with self.options.shrink_semaphore:
            await shrink_video(path, target, max_bytes, report)
        return target

    def _link_text(self, refusal: SendRefusal | None) -> Html:
        words, made = self.sender.words, self.result.exported
        url, size = _link_of(self.result), words.size(made.size_bytes or 0)
        # A host that the operator hasn't named is shown before anybody opens it.
        is_elsewhere = made.why_link is LinkReason.ELSEWHERE
        link = words.link(url, with_host(FILE_NAME, url) if is_elsewhere else FILE_NAME)
        match refusal:
            case SendRefusal.KIND:
                return words.text("deliver.link_forbidden", link=link)
            case SendRefusal.TOO_LARGE if (made.size_bytes or 0) <= self.options.max_send_bytes:
                return words.text("deliver.link_refused", size=size, link=link)
            case SendRefusal.OTHER | SendRefusal.UNANSWERED | SendRefusal.CHAT | SendRefusal.THREAD:
                return words.text("deliver.link_not_taken", link=link)
        match made.why_link:
            case LinkReason.NO_ROOM:
                return words.text("deliver.link_no_room", size=size, link=link)
            case LinkReason.ELSEWHERE:
                return words.text("deliver.link_elsewhere", link=link)
        return words.text(
            "deliver.link_too_large", size=size, limit=words.size(self.options.max_send_bytes), link=link
        )

    def _kept_text(self, refusal: SendRefusal | None) -> Html:
        words, size_bytes = self.sender.words, self.result.exported.size_bytes or 0
        if refusal is SendRefusal.KIND:
            return words.text("deliver.forbidden")
        if size_bytes > self.options.max_send_bytes:
            size, limit = words.size(size_bytes), words.size(self.options.max_send_bytes)
            return words.text("deliver.too_large", size=size, limit=limit)
        return words.text("deliver.kept")

    async def _prepare_file(self, path: Path, *, full_bytes: int | None = None) -> _Prepared:
        """Read what Telegram has to be given about a file, and write its caption.

        Args:
            path: The result's file, or that of a version of it.
            full_bytes: The size of the whole video, if this is a smaller version.
        """
        words, made = self.sender.words, self.result.exported
        arriving = self.result.arriving if full_bytes is None else None
        source = path if arriving is None else arriving.path
        facts, pictures = await asyncio.gather(
            _if_video(read_video_facts(source)), _if_video(make_cover(source))
        )
        if arriving is None and facts is None:
            log.warning("delivery.not_playable")
        if arriving is not None and (facts is None or not facts.faststart or pictures is None):
            await self._wait_for_whole_file()
            return await self._prepare_file(path)
        duration = words.duration(max(1, facts.duration_s) if facts else made.duration_s or 0)
        took = words.duration(made.took_s)
        size_bytes = arriving.size_bytes if arriving else (await asyncio.to_thread(path.stat)).st_size
        size = words.size(size_bytes)
        if full_bytes is None:
            caption = words.text("deliver.caption", duration=duration, size=size, took=took)
        else:
            full = words.size(full_bytes)
            caption = words.text(
                "deliver.caption_smaller", duration=duration, size=size, full=full, took=took
            )
        as_file = facts is None or not facts.is_playable
        return _Prepared(caption, None, path, arriving, as_file, facts, pictures)

    async def _send_prepared(self, idempotency_key: str, prepared: _Prepared) -> SentMessage:
        made, is_text = self.result.exported, prepared.is_text(self.result)
        pictures, as_file = prepared.pictures, prepared.as_file or prepared.facts is None
        fields = MessageFields(
            text=prepared.caption if is_text else None,
            caption=None if is_text else prepared.caption,
            parse_mode=ParseMode.HTML,
            reply_markup=prepared.keyboard,
            thumbnail=pictures.thumbnail if pictures else None,
            cover=pictures.cover if pictures and not as_file else None,
        )
        bot = self.sender.telegram_calls.bot
        send: Call = bot.send_message
        if made.file_id:
            # It can only be sent as the kind it was first sent as.
            send, _ = calls_of(bot, made.kind, made.file_id)
        elif prepared.path is not None:
            send = partial(self._upload, prepared.path, prepared)
        edit = bot.edit_message_text if is_text else bot.edit_message_caption
        return await self.sender.send(idempotency_key, fields, send, edit, plain_in_the_end=is_text)

    async def _upload(self, path: Path, prepared: _Prepared, chat_id: int, **fields: Any) -> Message:
        bot, arriving, facts = self.sender.telegram_calls.bot, prepared.arriving, prepared.facts
        fields |= {"filename": FILE_NAME, "read_timeout": SEND_TIMEOUT_S}
        with contextlib.closing(arriving.open() if arriving else path.open("rb")) as handle:
            media: Path | InputFile = path  # A local server gets the path.
            if not self.options.local_mode:
                # An open file is streamed; read_file_handle would read it whole.
                media = InputFile(cast(Any, handle), filename=FILE_NAME, read_file_handle=False)
            try:
                if facts is None or prepared.as_file:
                    # Otherwise Telegram makes it a video or an animation by its content.
                    fields["disable_content_type_detection"] = True
                    return await bot.send_document(chat_id, media, **fields)
                return await bot.send_video(
                    chat_id,
                    media,
                    width=facts.width,
                    height=facts.height,
                    # Rounded up, so that no clip is 0:00.
                    duration=max(1, round(facts.duration_s)),
                    supports_streaming=facts.faststart,
                    **fields,
                )
            except NetworkError as error:
                if arriving is not None and arriving.is_broken:
                    raise NeverArrived from error  # A body without its end isn't a request.
                raise


async def _if_video(looking: Awaitable[T]) -> T | None:
    try:
        return await looking
    except NotAVideo:
        return None


def _browser_button(result: Result, others: Sequence[Button]) -> tuple[Button, ...]:
    """Return the button that opens the project in a browser, the last one, unless another leads there."""
    if result.browser_link and result.browser_link not in (button.url for button in others):
        return (Button("button.open_browser", url=result.browser_link),)
    return (Button("button.sign_in", url=result.project_link),) if result.project_link else ()


def _link_of(result: Result) -> str:
    """Return where the whole video can be had; empty if nowhere."""
    return result.exported.link or result.exported.spare_link or result.browser_link
