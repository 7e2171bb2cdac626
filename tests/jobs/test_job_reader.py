"""What is read of the chats' queues: topics that are busy, and messages of groups that have moved."""

import pytest

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import PROGRESS_MESSAGE, MessageSend, SentMessage, field_of
from bot.jobs.model import JobKind, MessageLocation, QueueName
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.tickets import queue_id
from tests.jobs.conftest import new_job

FORUM = ChatKey(-1_000_000_004_711)
TOPIC = ChatKey(FORUM.chat_id, 8)


@pytest.mark.parametrize(
    ("asks", "kind", "is_busy"),
    [
        (FORUM, JobKind.EDIT, True),
        (ChatKey(FORUM.chat_id, 9), JobKind.EDIT, True),
        (TOPIC, JobKind.EDIT, False),  # It would wait for itself.
        (ChatKey(-1_000_000_004), JobKind.EDIT, False),  # Its id begins the other's.
        (FORUM, JobKind.LOGIN, False),  # Each would wait for the other.
        (FORUM, JobKind.STATUS, False),
    ],
)
async def test_another_topic_is_busy_while_a_request_runs_there(
    job_queue: JobQueue, asks: ChatKey, kind: JobKind, is_busy: bool
) -> None:
    queue = QueueName.QUICK if kind is JobKind.STATUS else QueueName.MAIN
    await job_queue.enqueue([new_job(chat=TOPIC, kind=kind, queue=queue)], 1)
    assert not await job_queue.is_other_topic_busy(asks)  # It still waits.
    assert await job_queue.claim(queue_id(TOPIC, queue), "ticket") is not None
    assert await job_queue.is_other_topic_busy(asks) is is_busy


async def test_a_position_message_is_where_it_was_sent(job_queue: JobQueue) -> None:
    job, moved_to = new_job(), -1_000_000_004_712
    await job_queue.enqueue([job], 1)
    assert await job_queue.find_position_message(job) is None
    send = MessageSend(newest_before=2)
    field = field_of(MessageSend, PROGRESS_MESSAGE)
    await job_queue.save_waiting(job, {field: send.model_dump(mode="json")})
    assert await job_queue.find_position_message(job) is None  # Nobody knows whether it was sent.
    sent = send.changed(sent=SentMessage(message_id=3, telegram_chat_id=moved_to))
    await job_queue.save_waiting(job, {field: sent.model_dump(mode="json")})
    where = MessageLocation(job.chat.chat_id, moved_to, 3)
    assert await job_queue.find_position_message(job) == where
