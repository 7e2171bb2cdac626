"""Makes the responders of jobs: implements ``ResponderFactory`` of ``jobs/ports.py`` for Telegram."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoints
from bot.jobs.model import Job, JobKind
from bot.media import decoder_process
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.delivery import DeliveryOptions
from bot.telegram.sending.downloads import FileDownloads
from bot.telegram.sending.guest_messages import GuestMessages
from bot.telegram.sending.guest_responder import GuestResponder
from bot.telegram.sending.responder import TelegramResponder
from bot.telegram.sending.sent_messages import SentMessageLog


@dataclass(frozen=True, slots=True)
class TelegramResponders:
    """Makes responders, and holds what they share.

    Args:
        telegram_calls: Makes the calls.
        sent: Numbers of known messages.
        files: Opens files that lie with Telegram.
        delivery: Sends finished videos.
        progress_edit_s: Least pause between two edits of a progress message, in seconds.
        encrypt: Encrypts what is kept for a person's private chat.
        guest_mode_messages: Answers where the bot is a guest.
        language_of: Reads the language that a job's chat has chosen.
        staging_chat: Id of a chat for results of people who have not begun a private chat; ``None`` if there is none.
    """

    telegram_calls: TelegramCalls
    sent: SentMessageLog
    files: FileDownloads
    delivery: DeliveryOptions
    progress_edit_s: float
    encrypt: Callable[[ChatKey, str, str], str]
    guest_mode_messages: GuestMessages
    language_of: Callable[[Job], Awaitable[str | None]]
    staging_chat: int | None = None

    def open(self, job: Job, checkpoints: Checkpoints) -> TelegramResponder:
        """See ``ports.ResponderFactory``."""
        if job.kind in (JobKind.EDIT, JobKind.EXPORT, JobKind.VARIATIONS):
            decoder_process.start()  # Started by the time the video is there.
        if job.guest_query is not None:
            return GuestResponder(self, job, job.guest_query, checkpoints)
        return TelegramResponder(self, job, checkpoints)
