"""Show an earlier version of a project and the latest one side by side."""

from bot.chats.chats import Chats
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Attachment, JobState
from bot.jobs.payloads import ComparePayload
from bot.jobs.ports import MAX_SENT_BYTES, FileGone, FileTooLarge
from bot.jobs.versions import version_at, version_name
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.media.decoder_process import NotDecoded
from bot.media.side_by_side import join_side_by_side


class ShowComparison:
    """Send one picture of both."""

    name = "show_comparison"

    def __init__(self, chats: Chats) -> None:
        self._chats = chats

    async def __call__(self, attempt: Attempt) -> None:
        payload = attempt.job.payload_as(ComparePayload)
        versions = await self._chats.versions.all(attempt.job.chat, payload.project)
        earlier = version_at(versions, payload.number)
        gone = JobEnded(LocalizedMessage("versions.gone"), JobState.DONE)
        if earlier is None:
            raise gone
        latest = versions[-1]
        try:
            pictures = [await _picture(attempt, one.picture_id) for one in (earlier, latest)]
            joined = await join_side_by_side(*pictures)
        except (FileGone, FileTooLarge, NotDecoded):
            raise gone from None
        name = f"{version_name(earlier.number)} - {version_name(latest.number)}.jpg"
        await attempt.responder.send_file("comparison", name, "image/jpeg", joined)


async def _picture(attempt: Attempt, picture_id: str) -> bytes:
    """Return a picture.

    Raises:
        FileGone: Telegram no longer has it.
        FileTooLarge: It is too large for a picture.
    """
    file = Attachment(picture_id, "photo", "picture.jpg", None, "image/jpeg")
    async with attempt.responder.open_file(file) as opened:
        return await opened.read(MAX_SENT_BYTES)
