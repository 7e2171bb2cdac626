"""Where a message is, and which one shows a waiting job's position in the queue."""

from dataclasses import dataclass

from bot.jobs.checkpoints import PROGRESS_MESSAGE, MessageSend
from bot.jobs.model import Job
from bot.jobs.queue.job_queue import JobQueue


@dataclass(frozen=True, slots=True)
class MessageLocation:
    """A message in a chat.

    Args:
        chat_id: The id under which the chat is kept.
        telegram_chat_id: The id that the chat had in Telegram when the message was sent. In a supergroup that the
            group has become since, the message's number means another message.
        message_id: The message's number.
    """

    chat_id: int
    telegram_chat_id: int
    message_id: int


async def find_position_message(job_queue: JobQueue, job: Job) -> MessageLocation | None:
    """Return the message that has to be closed when a waiting job is stopped; a running one closes it itself."""
    send = await job_queue.load_checkpoint(job, MessageSend, PROGRESS_MESSAGE)
    if send is None or send.sent is None:
        return None
    return MessageLocation(job.chat.chat_id, send.sent.telegram_chat_id, send.sent.message_id)
