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
    """Makes responders, and holds what they share."""

    telegram_calls: TelegramCalls  # makes the calls
    sent: SentMessageLog  # numbers of known messages
    files: FileDownloads  # opens files at Telegram
    delivery: DeliveryOptions  # sends finished videos
    progress_edit_s: float  # least pause between two edits of a progress message, in seconds
    encrypt: Callable[[ChatKey, str, str], str]  # encrypts what is kept for a person's private chat
    guest_mode_messages: GuestMessages  # answers where the bot is a guest
    language_of: Callable[[Job], Awaitable[str | None]]  # reads the language that a job's chat has chosen
    staging_chat: int | None = None  # id of a chat for results of people who have not begun a private chat

    def open(self, job: Job, checkpoints: Checkpoints) -> TelegramResponder:
        """See ``ports.ResponderFactory``."""
        if job.kind in (JobKind.EDIT, JobKind.EXPORT, JobKind.VARIATIONS):
            decoder_process.start()  # Started by the time the video is there.
        if job.guest_query is not None:
            return GuestResponder(self, job, job.guest_query, checkpoints)
        return TelegramResponder(self, job, checkpoints)
