"""The progress message of a job, edited in place as the job goes on, and sent again below newer messages.

The bar is in ``progress_bar.py``.
"""

import asyncio
import html
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog
from telegram import InlineKeyboardMarkup, Message
from telegram.error import BadRequest, TelegramError

from bot.jobs.buttons import Cancel
from bot.jobs.checkpoints import (
    PROGRESS_MESSAGE,
    Checkpoint,
    MessageSend,
    PromptSent,
    SentMessage,
    worked_since,
)
from bot.jobs.messages import Button, LocalizedMessage, Param, Progress, Seconds
from bot.jobs.ports import ChatGone
from bot.runtime.tasks import cancel
from bot.telegram.sending.api_calls import OutcomeUnknown
from bot.telegram.sending.formatting import format_message
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.message_fields import html_text
from bot.telegram.sending.progress_bar import ProgressBar
from bot.telegram.sending.rate_limiter import EditPostponed, RateLimitArgs, SendPermit, SendPriority
from bot.telegram.sending.send_once import JobSender
from bot.telegram.sending.send_refusals import SendRefusal, send_in_best_form, send_refusal_of
from bot.words import Words

log = structlog.get_logger(__name__)

BAR_CELLS = 12
PREVIEW_LENGTH = 600  # how many characters of the agent's answer are shown while it comes; the newest ones

STILL_WORKING_EVERY_S = 120.0
"""After each of these of a job the message says that work goes on, as the service advises."""

COVERED_S = 2.0
"""How long another message has to be below this one until it moves down: a job that ends meanwhile needs no move."""

ACQUIRE_PATIENCE_S = 2.0
"""How long a job waits for the rate limiter; then it goes on, and the message is sent beside it."""

_REFRESH = ((60.0, 4.0), (300.0, 7.0), (math.inf, 10.0))
"""(age of the job in s, pause in s between edits that only update the time): long jobs edit less often."""


class ProgressMoved(Checkpoint):
    """Saved before the message is sent again further down: the one that it replaces has to be deleted."""

    name = "progress_moved"
    is_shared = True
    message: SentMessage


class ProgressMessage:
    """Shows the newest progress of a job, and edits no more often than every few seconds."""

    def __init__(self, sender: JobSender, edit_every_s: float) -> None:
        self._bot = sender.telegram_calls.bot
        self._sender = sender
        self._job = sender.job
        self._checkpoints = sender.checkpoints
        self._telegram_calls = sender.telegram_calls
        self._rate_limiter = sender.telegram_calls.rate_limiter
        self._clock = clock = sender.telegram_calls.clock
        self._edit_every_s = edit_every_s
        self._progress = Progress("progress.queued", {"position": 1})
        self._bar = ProgressBar(self._progress, clock)
        self._has_changed = False
        self._pause: asyncio.Future[None] | None = None
        self._shown = ""
        self._link = ""
        self._readable: Progress | None = None
        self._readable_until_s = 0.0
        self._is_refused = False
        self._edits: asyncio.Task[None] | None = None
        self._late_send: asyncio.Task[None] | None = None
        self._is_covered = False  # whether the job itself sent something since
        self._was_just_sent = False  # nothing can be below it yet
        self._covered_since_s: float | None = None
        self._variation: LocalizedMessage | None = None
        self._variation_begins, self._variation_share = 0.0, 1.0  # of the whole job

    def begin_variation(self, number: int, count: int, name: LocalizedMessage) -> None:
        """Show from now on which variation is being made; see ``ports.Responder``."""
        params: dict[str, Param] = {"number": number, "total": count, "name": name}
        self._variation = LocalizedMessage("progress.variation", params)
        self._variation_begins, self._variation_share = (number - 1) / count, 1 / count
        # Those words were the previous variation's.
        self._progress = replace(self._progress, preview=None)

    def end_variation(self) -> None:
        """Show the whole job again."""
        self._variation, self._variation_begins, self._variation_share = None, 0.0, 1.0

    def report(self, progress: Progress) -> None:
        """Show this from the next edit on."""
        fraction, until = (
            self._variation_begins + self._variation_share * share
            for share in (progress.fraction, progress.until)
        )
        progress = replace(progress, variation=self._variation, fraction=fraction, until=until)
        self._bar.set(progress)
        if progress.preview is None:
            progress = replace(progress, preview=self._progress.preview)
        self._progress = progress
        self._link = progress.link or self._link
        if progress.readable_s:
            self._readable = progress
            self._readable_until_s = self._clock.monotonic_s() + progress.readable_s
        self._mark_changed()

    def cover(self) -> None:
        """Note that the job sent something else, which stands below the message."""
        self._is_covered = True

    async def show(self) -> None:
        """Send the message, or find the one of an earlier attempt, and keep it edited.

        The job goes on without a message that Telegram refuses.
        """
        if self._edits is not None or self._is_refused:
            return
        await self._forget_if_unreachable()
        await self._delete_moved()
        acquiring = asyncio.create_task(self._acquire(), name=f"acquire:{self._job.id}")
        try:
            if is_soon := await self._is_done_soon(acquiring):
                await self._send(acquiring.result())
        except BaseException:
            acquiring.cancel()
            raise
        if self._is_refused:
            return
        work = self._edit_on() if is_soon else self._send_late(acquiring)
        self._edits = asyncio.create_task(work, name=f"progress:{self._job.id}")

    async def flush(self) -> None:
        """Show the newest progress before going on; for stages too short for the next edit."""
        await self.show()
        if self._message is None:
            return
        await self.close()  # stops the edits
        await self._sender.renew_language()
        text = self._compose()
        if text != self._shown:
            await self._edit_to(text)
        self._edits = asyncio.create_task(self._edit_on(), name=f"progress:{self._job.id}")

    async def finish(self, closing: LocalizedMessage | None) -> None:
        """Delete the message, or let it say something last."""
        if self._late_send is not None:
            await asyncio.wait({self._late_send})  # Under way: it has to be there to be deleted.
        unread_s = self._readable_until_s - self._clock.monotonic_s()
        is_awaited = self._readable is not None and self._readable.outlasts_job
        if closing is None and is_awaited and unread_s > 0:
            await self._clock.sleep(unread_s)
        await self.close()
        await self._delete_moved()
        message = self._message
        if message is None or not await self._is_reachable(message):
            return
        message_id = message.message_id
        if closing is not None:
            await self._sender.renew_language()

        async def finish(telegram_chat_id: int) -> object:
            if closing is None:
                return await self._bot.delete_message(telegram_chat_id, message_id)
            text = format_message(self._sender.words, closing.key, closing.params)
            return await self._edit(telegram_chat_id, message_id, text, SendPriority.ANSWER, closing.buttons)

        async def remove_buttons(telegram_chat_id: int) -> object:
            return await self._bot.edit_message_reply_markup(telegram_chat_id, message_id)

        if not await self._call_unless_gone(finish):
            await self._call_unless_gone(remove_buttons)  # If it stays, it can't be pressed any more.

    async def _call_unless_gone(self, make: Callable[[int], Awaitable[object]]) -> bool:
        """Make a call about a message, and return whether it was there to be changed."""
        try:
            await self._telegram_calls.call(self._job.chat.chat_id, make, repeatable=True)
        except (BadRequest, ChatGone) as error:
            # Deleted by hand, too old, or already done by an attempt that died here.
            log.info("progress.finish_refused", error=str(error))
            return False
        return True

    async def close(self) -> None:
        """Stop editing, and give up a first send that is late."""
        await cancel(self._edits, self._late_send)
        self._edits = self._late_send = None

    @property
    def _message(self) -> SentMessage | None:
        send = self._checkpoints.load(MessageSend, PROGRESS_MESSAGE)
        return None if send is None else send.sent

    async def _acquire(self) -> SendPermit | None:
        # A message that an earlier attempt may have sent is looked for first.
        if self._checkpoints.load(MessageSend, PROGRESS_MESSAGE) is not None:
            return None
        return await self._telegram_calls.acquire(self._job.chat.chat_id, SendPriority.PROGRESS)

    async def _is_done_soon(self, acquiring: asyncio.Task[SendPermit | None]) -> bool:
        patience = asyncio.ensure_future(self._clock.sleep(ACQUIRE_PATIENCE_S))
        try:
            await asyncio.wait({acquiring, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        return acquiring.done()

    async def _send_late(self, acquiring: asyncio.Task[SendPermit | None]) -> None:
        """Wait for the rate limiter beside the job, as when many jobs begin at once; then go on as usual."""
        try:
            permit = await acquiring
        finally:
            acquiring.cancel()
        self._late_send = asyncio.create_task(self._send(permit), name=f"late progress:{self._job.id}")
        try:
            await asyncio.shield(self._late_send)
        except Exception as error:
            log.info("progress.not_shown", error=type(error).__name__)
            return
        if not self._is_refused:
            await self._edit_on()

    async def _send(self, permit: SendPermit | None) -> None:
        await self._sender.renew_language()
        text = self._compose()
        is_known = self._message is not None
        try:
            await self._sender.send(
                PROGRESS_MESSAGE,
                html_text(text, self._keyboard(self._buttons)),
                self._send_message,
                self._bot.edit_message_text,
                priority=SendPriority.PROGRESS,
                permit=permit,
                plain_in_the_end=True,
            )
        except (OutcomeUnknown, TelegramError) as error:
            log.warning("progress.refused", error=str(error))
            self._is_refused = True
        except ChatGone as error:
            if self._checkpoints.load(PromptSent) is None:
                raise
            # The job is paid for: its result may still arrive.
            log.warning("progress.refused", error=str(error))
            self._is_refused = True
        self._shown = "" if is_known else text
        self._is_covered = self._is_covered and is_known
        self._mark_changed()

    async def _send_message(self, chat_id: int, **fields: Any) -> Message:
        self._was_just_sent = True
        return await self._bot.send_message(chat_id, disable_notification=True, **fields)

    async def _is_reachable(self, message: SentMessage) -> bool:
        """Return whether the message's number is still valid: it isn't in the supergroup that a group became."""
        telegram_ids, chat_id = self._telegram_calls.telegram_ids, self._job.chat.chat_id
        return message.telegram_chat_id == await telegram_ids.telegram_chat_id(chat_id)

    async def _forget_if_unreachable(self) -> bool:
        message = self._message
        if message is None or await self._is_reachable(message):
            return False
        await self._checkpoints.delete(MessageSend, PROGRESS_MESSAGE)
        return True

    def _mark_changed(self) -> None:
        self._has_changed = True
        if self._pause is not None:
            self._pause.cancel()

    async def _edit_on(self) -> None:
        self._rate_limiter.progress_messages += 1
        try:
            while True:
                await self._wait_for_change()
                self._has_changed = False
                if await self._has_to_move():
                    self._late_send = asyncio.create_task(self._move(), name=f"move:{self._job.id}")
                    await asyncio.shield(self._late_send)
                await self._sender.renew_language()
                text = self._compose()
                if text != self._shown:
                    wait_s = await self._edit_to(text)
                    await self._clock.sleep(max(wait_s, self._edit_every_s, self._rate_limiter.edit_pause_s))
        finally:
            self._rate_limiter.progress_messages -= 1

    async def _has_to_move(self) -> bool:
        """Return whether other messages have been below this one for a while; in groups those of the job alone."""
        message, now_s = self._message, self._clock.monotonic_s()
        if message is None:
            return False
        is_covered = self._is_covered
        if not is_covered and self._job.chat.is_private:
            if self._was_just_sent:
                self._was_just_sent = False
                return False
            is_covered = await self._sender.sent.is_followed(self._job.chat, message.message_id)
        if not is_covered:
            self._covered_since_s = None
            return False
        if self._covered_since_s is None:
            self._covered_since_s = now_s
        return now_s - self._covered_since_s >= COVERED_S

    async def _move(self) -> None:
        """Send the message again below all others, and delete it where it was."""
        message = self._message
        if message is None:
            return
        permit = await self._telegram_calls.acquire(self._job.chat.chat_id, SendPriority.PROGRESS)
        await self._checkpoints.save(ProgressMoved(message=message))
        await self._checkpoints.delete(MessageSend, PROGRESS_MESSAGE)
        self._is_covered, self._covered_since_s = False, None
        await self._send(permit)
        if self._message is None:  # Refused: keep the existing one.
            await self._checkpoints.save(MessageSend(sent=message), PROGRESS_MESSAGE)
        await self._delete_moved()

    async def _delete_moved(self) -> None:
        moved = self._checkpoints.load(ProgressMoved)
        if moved is None:
            return
        message = moved.message
        if message != self._message and await self._is_reachable(message):
            await self._call_unless_gone(
                lambda chat_id: self._bot.delete_message(chat_id, message.message_id)
            )
        await self._checkpoints.delete(ProgressMoved)

    async def _edit_to(self, text: str) -> float:
        """Edit if that is possible now; otherwise return the seconds to wait before the newest text is tried."""
        if await self._forget_if_unreachable():
            await self._send(await self._acquire())
            return 0.0
        message = self._message
        if message is None:
            return 0.0
        message_id = message.message_id
        try:
            await self._telegram_calls.call(
                self._job.chat.chat_id,
                lambda telegram_chat_id: self._edit(telegram_chat_id, message_id, text, SendPriority.EDIT),
                repeatable=True,
                patient=False,
            )
        except EditPostponed as later:
            self._mark_changed()
            return later.wait_s
        except BadRequest as error:
            # Deleted by hand, perhaps; the job goes on without it.
            if send_refusal_of(error) is not SendRefusal.UNMODIFIED:
                log.info("progress.edit_refused", error=error.message)
        except (ChatGone, TelegramError):
            log.info("progress.edit_failed", exc_info=True)
        self._shown = text
        return 0.0

    async def _wait_for_change(self) -> None:
        pause_s = next(pause for limit, pause in _REFRESH if self._age_s < limit)
        pause_s = max(pause_s, self._rate_limiter.edit_pause_s)
        if self._has_changed:
            return
        self._pause = asyncio.ensure_future(self._clock.sleep(pause_s))  # A change ends it.
        try:
            await asyncio.wait({self._pause})
        finally:
            self._pause.cancel()

    @property
    def _age_s(self) -> float:
        return (self._clock.now() - worked_since(self._job.asked_at, self._checkpoints)).total_seconds()

    def _compose(self) -> str:
        bar = self._bar
        text = compose(self._sender.words, self._progress, self._age_s, bar.fraction(), bar.left_s())
        above = self._readable
        if above is None or self._clock.monotonic_s() >= self._readable_until_s or self._progress.readable_s:
            return text
        return f"{format_message(self._sender.words, above.stage, above.params)}\n{text}"

    @property
    def _buttons(self) -> Sequence[Button]:
        cancel = Button("button.cancel", Cancel(self._job.id))
        link = (Button("button.open_browser", url=self._link),) if self._link else ()
        return (cancel, *self._progress.buttons, *link)

    def _keyboard(self, buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
        return keyboard(buttons, self._sender.words, self._bot.may_link)

    async def _edit(
        self,
        telegram_chat_id: int,
        message_id: int,
        text: str,
        priority: RateLimitArgs,
        buttons: Sequence[Button] | None = None,
    ) -> Message | bool:
        call = partial(
            self._bot.edit_message_text,
            chat_id=telegram_chat_id,
            message_id=message_id,
            rate_limit_args=priority,
        )
        markup = self._keyboard(self._buttons if buttons is None else buttons)
        return await send_in_best_form(call, html_text(text, markup))


def compose(
    words: Words, progress: Progress, elapsed_s: float, fraction: float, left_s: float | None = None
) -> str:
    """Return the text of a progress message, as HTML.

    Args:
        words: The texts in the chat's language.
        progress: What to show.
        elapsed_s: Seconds since the request.
        fraction: Length of the bar, 0 to 1.
        left_s: Seconds that the stage still takes; 0 if it takes longer than usual, ``None`` to say nothing of it.
    """
    key, params = progress.stage, progress.params
    if left_s is not None:
        left = Seconds(left_s)
        params = {"stage": LocalizedMessage(key, params), "left": left}
        key = "progress.with_left" if left_s else "progress.longer"
    lines = [str(format_message(words, key, params))]
    if progress.variation is not None:
        lines.insert(0, str(format_message(words, progress.variation.key, progress.variation.params)))
    if not progress.stage.startswith("progress.queued"):
        filled = min(BAR_CELLS, max(0, round(fraction * BAR_CELLS)))
        bar = "▰" * filled + "▱" * (BAR_CELLS - filled)
        elapsed = words.text("progress.elapsed", duration=words.duration(elapsed_s))
        lines.append(f"{bar} {min(99, int(fraction * 100))}% · {elapsed}")
        if elapsed_s >= STILL_WORKING_EVERY_S:
            minutes = int(elapsed_s // STILL_WORKING_EVERY_S * STILL_WORKING_EVERY_S // 60)
            lines.append(words.text("progress.still_working", minutes=minutes))
    if progress.preview is not None and (preview := progress.preview()):
        newest = preview[-PREVIEW_LENGTH:]
        cut = "…" if len(newest) < len(preview) else ""
        lines.append(f"\n<i>{html.escape(cut + newest)}</i>")
    return "\n".join(lines)
