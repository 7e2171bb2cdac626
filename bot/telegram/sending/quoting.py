"""When a message quotes the request that it answers."""

from telegram import ReplyParameters

from bot.jobs.checkpoints import Checkpoints, Gathered
from bot.jobs.model import Job
from bot.telegram.sending.sent_messages import SentMessageLog


async def reply_to(
    job: Job, telegram_chat_id: int, checkpoints: Checkpoints, sent: SentMessageLog
) -> ReplyParameters | None:
    """Return how to quote the request.

    Returns:
        ``None`` in a private chat where nothing else came in between; if the request has no message; and if it was made
        before the group became this supergroup.
    """
    if job.message_id is None or job.telegram_chat_id != telegram_chat_id:
        return None
    if job.chat.is_private:
        gathered = checkpoints.load(Gathered) or Gathered()
        parts = (file.message_id or 0 for file in job.files)
        last = max(job.message_id, gathered.last_message_id, *parts)
        if not await sent.is_followed(job.chat, last, but_by=job.message_id):
            return None
    return ReplyParameters(job.message_id, allow_sending_without_reply=True)
