"""The live message of a job: where it stands, edited in place as it goes."""

from __future__ import annotations

import asyncio
import html
import math
from collections.abc import Sequence
from typing import Any

import structlog
from telegram import Bot, InlineKeyboardMarkup, Message, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest, TelegramError

from bot.jobs.buttons import Cancel
from bot.jobs.checkpoints import Checkpoints
from bot.jobs.messages import Button, Progress
from bot.jobs.model import Job
from bot.jobs.ports import PROGRESS_MESSAGE, ChatGone
from bot.runtime.clock import Clock
from bot.telegram.sending.api_calls import EditPostponed, OutcomeUnknown, TelegramCalls, is_unmodified
from bot.telegram.sending.formatting import format_message
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.rate_limiter import SendPriority
from bot.telegram.sending.send_once import SentMessageLog, send_once
from bot.words import Words

log = structlog.get_logger(__name__)

BAR_CELLS = 12
PREVIEW_LENGTH = 600
"""Characters of the agent's words shown while they come; the newest ones."""

STILL_WORKING_EVERY_S = 120.0
"""After each of these in one stage the message says that work goes on (the service's own advice)."""

TURN_PATIENCE_S = 2.0
"""How long a job waits for its live message's turn; then it goes on, and the message comes when it can."""

SLOT = PROGRESS_MESSAGE
"""The checkpoint that holds the live message's number: what announced a job's place goes on as its live message."""

_REFRESH = ((60.0, 5.0), (300.0, 10.0), (math.inf, 20.0))
"""(age of the job, pause between edits that only move the clock on): long jobs edit less often."""


class ProgressMessage:
    """Shows the newest progress, at most one edit every few seconds.

    Args:
        bot: Telegram.
        job: Whose progress it is.
        checkpoints: Remembers the message across crashes.
        telegram_calls: Makes the calls.
        sent: Message numbers.
        words: The chat's language.
        clock: Time.
        edit_every_s: Least pause between two edits.
    """

    def __init__(
        self,
        bot: Bot,
        job: Job,
        checkpoints: Checkpoints,
        telegram_calls: TelegramCalls,
        sent: SentMessageLog,
        words: Words,
        clock: Clock,
        edit_every_s: float,
    ) -> None:
        self._bot = bot
        self._job = job
        self._checkpoints_of_job = checkpoints
        self._telegram_calls = telegram_calls
        self._sent = sent
        self._words = words
        self._clock = clock
        self._edit_every_s = edit_every_s
        self._progress = Progress("progress.queued", {"place": 1})
        self._stage_since_s = clock.monotonic_s()
        self._has_changed = False
        self._nap: asyncio.Future[None] | None = None
        self._shown = ""
        self._furthest = 0.0
        self._link = ""
        self._is_refused = False
        self._pump: asyncio.Task[None] | None = None
        self._late: asyncio.Task[None] | None = None

    def set(self, progress: Progress) -> None:
        """What to show from the next edit on."""
        if (progress.stage, progress.expected_s) != (self._progress.stage, self._progress.expected_s):
            self._stage_since_s = self._clock.monotonic_s()
        self._progress = progress
        self._link = progress.link or self._link
        self._change()

    def _change(self) -> None:
        self._has_changed = True
        if self._nap is not None:
            self._nap.cancel()

    async def show(self) -> None:
        """Send the message, or find the one that an earlier attempt sent, and keep it edited.

        The job goes on without one that Telegram refuses.
        """
        if self._pump is not None or self._is_refused:
            return
        await self._leave_behind()
        turn = asyncio.create_task(self._turn(), name=f"turn:{self._job.id}")
        try:
            is_soon = await self._is_soon(turn)
            if is_soon:
                turn.result()
                await self._send_first()
        except BaseException:
            turn.cancel()
            raise
        if self._is_refused:
            return
        work = self._edit_on() if is_soon else self._send_late(turn)
        self._pump = asyncio.create_task(work, name=f"live:{self._job.id}")

    async def _turn(self) -> None:
        # Who looks for a message that an earlier attempt may have sent, asks when it has to be sent again.
        if self._checkpoints_of_job.get_value(SLOT) is None:
            await self._telegram_calls.turn(self._job.chat.chat_id, SendPriority.LIVE)

    async def _is_soon(self, turn: asyncio.Task[None]) -> bool:
        patience = asyncio.ensure_future(self._clock.sleep(TURN_PATIENCE_S))
        try:
            await asyncio.wait({turn, patience}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            patience.cancel()
        return turn.done()

    async def _send_late(self, turn: asyncio.Task[None]) -> None:
        """Many jobs have begun at once: wait for the turn beside the job, then go on as ever."""
        try:
            await turn
        finally:
            turn.cancel()
        self._late = asyncio.create_task(self._send_first(), name=f"late:{self._job.id}")
        try:
            await asyncio.shield(self._late)
        except Exception as error:
            log.info("progress.not_shown", error=type(error).__name__)
            return
        if not self._is_refused:
            await self._edit_on()

    async def _send_first(self) -> None:
        text = self._compose()
        had_none = self._checkpoints_of_job.get_value(SLOT) is None
        known = self._message_id
        try:
            await send_once(
                self._checkpoints_of_job,
                SLOT,
                self._job.chat.chat_id,
                self._telegram_calls,
                self._sent,
                lambda chat_id: self._send(chat_id, text),
                lambda chat_id, message_id: self._edit(chat_id, message_id, text),
                SendPriority.LIVE,
                acquired=had_none,
            )
        except (OutcomeUnknown, TelegramError) as error:
            log.warning("progress.refused", error=str(error))
            self._is_refused = True
        self._shown = "" if known else text
        self._change()

    async def _is_behind(self) -> bool:
        """Whether the message is in a group that has become a supergroup, where its number means another one."""
        where = (self._checkpoints_of_job.get_value(SLOT) or {}).get("chat_id")
        return where is not None and where != await self._telegram_calls.address(self._job.chat.chat_id)

    async def _leave_behind(self) -> bool:
        """Let go of a message that can't be reached any more; tells whether it is so."""
        if not await self._is_behind():
            return False
        await self._checkpoints_of_job.save_value(SLOT, None)
        return True

    async def show_now(self) -> None:
        """Let the newest progress be seen before going on; for stages too short for the next edit."""
        await self.show()
        if self._message_id is None:
            return
        await self.close()
        text = self._compose()
        if text != self._shown:
            await self._edit_to(text)
        self._pump = asyncio.create_task(self._edit_on(), name=f"live:{self._job.id}")

    async def finish(self, closing: str | None) -> None:
        """Take the message away; with closing words, leave those instead."""
        if self._late is not None:
            await asyncio.wait({self._late})  # It is on its way: to be taken away, it has to be there.
        await self.close()
        message_id = self._message_id
        if message_id is None or await self._is_behind():
            return

        async def last(chat_id: int) -> Any:
            if closing is None:
                return await self._bot.delete_message(chat_id, message_id)
            return await self._edit(chat_id, message_id, closing, buttons=())

        try:
            urgency = SendPriority.FREE if closing is None else SendPriority.ANSWER
            await self._telegram_calls.call(self._job.chat.chat_id, last, repeatable=True, urgency=urgency)
        except BadRequest as error:
            # Deleted by hand, too old, or already done by an attempt that died here.
            log.info("progress.finish_refused", error=error.message)

    async def close(self) -> None:
        """Stop editing."""
        tasks = [task for task in (self._pump, self._late) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pump = self._late = None

    @property
    def _message_id(self) -> int | None:
        message_id: int | None = (self._checkpoints_of_job.get_value(SLOT) or {}).get("message_id")
        return message_id

    async def _edit_on(self) -> None:
        rate_limiter = self._telegram_calls.rate_limiter
        rate_limiter.live_messages += 1
        try:
            while True:
                await self._wait_for_change()
                self._has_changed = False
                text = self._compose()
                if text != self._shown:
                    wait_s = await self._edit_to(text)
                    await self._clock.sleep(max(wait_s, self._edit_every_s, rate_limiter.edit_pause_s))
        finally:
            rate_limiter.live_messages -= 1

    async def _edit_to(self, text: str) -> float:
        """Edit, if it can be now; otherwise tell how long to wait before the newest text is tried."""
        if await self._leave_behind():
            await self._turn()
            await self._send_first()
            return 0.0
        message_id = self._message_id
        if message_id is None:
            return 0.0
        try:
            await self._telegram_calls.call(
                self._job.chat.chat_id,
                lambda chat_id: self._edit(chat_id, message_id, text),
                repeatable=True,
                patient=False,
                urgency=SendPriority.EDIT,
            )
        except EditPostponed as later:
            self._change()
            return later.wait_s
        except BadRequest as error:
            # Deleted by hand, perhaps; the job goes on without it.
            if not is_unmodified(error):
                log.info("progress.edit_refused", error=error.message)
        except (ChatGone, TelegramError):
            log.info("progress.edit_failed", exc_info=True)
        self._shown = text
        return 0.0

    async def _wait_for_change(self) -> None:
        age_s = (self._clock.now() - self._job.asked_at).total_seconds()
        pause_s = next(pause for limit, pause in _REFRESH if age_s < limit)
        pause_s = max(pause_s, self._telegram_calls.rate_limiter.edit_pause_s)
        if self._has_changed:
            return
        self._nap = asyncio.ensure_future(self._clock.sleep(pause_s))  # A change ends it.
        try:
            await asyncio.wait({self._nap})
        finally:
            self._nap.cancel()

    def _compose(self) -> str:
        in_stage_s = self._clock.monotonic_s() - self._stage_since_s
        elapsed_s = (self._clock.now() - self._job.asked_at).total_seconds()
        # A poll may tell less than the bar guessed, and a second render begins anew: people see no step back.
        self._furthest = max(self._furthest, fraction_of(self._progress, in_stage_s))
        return compose(self._words, self._progress, in_stage_s, elapsed_s, self._furthest)

    @property
    def _buttons(self) -> Sequence[Button]:
        cancel = Button("button.cancel", Cancel(self._job.id))
        return (cancel, Button("button.open_browser", url=self._link)) if self._link else (cancel,)

    def _keyboard(self, buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
        return keyboard(buttons, self._words)

    async def _send(self, chat_id: int, text: str) -> Message:
        return await self._bot.send_message(
            chat_id,
            text,
            parse_mode=ParseMode.HTML,
            message_thread_id=self._job.chat.topic_id,
            reply_parameters=reply_to(self._job, chat_id),
            reply_markup=self._keyboard(self._buttons),
            disable_notification=True,
        )

    async def _edit(
        self, chat_id: int, message_id: int, text: str, buttons: Sequence[Button] | None = None
    ) -> Message | bool:
        return await self._bot.edit_message_text(
            text,
            chat_id=chat_id,
            message_id=message_id,
            parse_mode=ParseMode.HTML,
            reply_markup=self._keyboard(self._buttons if buttons is None else buttons),
        )


def reply_to(job: Job, chat_id: int) -> ReplyParameters | None:
    """Answer the request, or nothing if it is gone, or was made before the group became the supergroup ``chat_id``."""
    if job.message_id is None or job.place != chat_id:
        return None
    return ReplyParameters(job.message_id, allow_sending_without_reply=True)


def fraction_of(progress: Progress, in_stage_s: float) -> float:
    """How much of the whole job is done, 0 to 1, so many seconds into a stage."""
    if progress.expected_s <= 0:
        return progress.fraction
    # Fast at first and never quite there, so that the bar moves however long it takes.
    share = 1 - math.exp(-2 * in_stage_s / progress.expected_s)
    return progress.fraction + (progress.until - progress.fraction) * share


def compose(words: Words, progress: Progress, in_stage_s: float, elapsed_s: float, fraction: float) -> str:
    """The live message's text.

    Args:
        words: The language.
        progress: What to show.
        in_stage_s: Seconds in this stage.
        elapsed_s: Seconds since the request.
        fraction: 0 to 1, where the bar stands.

    Returns:
        HTML.
    """
    lines = [str(format_message(words, progress.stage, progress.params))]
    if progress.stage != "progress.queued":
        filled = min(BAR_CELLS, max(0, round(fraction * BAR_CELLS)))
        bar = "▰" * filled + "▱" * (BAR_CELLS - filled)
        elapsed = words.text("progress.elapsed", duration=words.duration(elapsed_s))
        lines.append(f"{bar} {min(99, int(fraction * 100))}% · {elapsed}")
    if in_stage_s >= STILL_WORKING_EVERY_S:
        minutes = int(in_stage_s // STILL_WORKING_EVERY_S * STILL_WORKING_EVERY_S // 60)
        lines.append(words.text("progress.still_working", minutes=minutes))
    if progress.preview:
        newest = progress.preview[-PREVIEW_LENGTH:]
        cut = "…" if len(newest) < len(progress.preview) else ""
        lines.append(f"\n<i>{html.escape(cut + newest)}</i>")
    return "\n".join(lines)
