"""The apology for a job that this release can't read: another one wrote it, or its store is damaged.

Its fields beside the request have plain names and values, which tell how far it came.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from redis.asyncio import Redis

from bot.chats.chats import STORED_NAMES
from bot.chats.key import ChatKey
from bot.jobs.buttons import Export
from bot.jobs.checkpoints import (
    PROGRESS_MESSAGE,
    AgentAnswered,
    MessageSend,
    PromptSent,
    RenderStarted,
    SentMessage,
    field_of,
)
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Job, QueueName, message_job
from bot.jobs.queue.fields import JobField
from bot.store import keys
from bot.words import language_of

_REQUEST_LOST = LocalizedMessage("error.unreadable_job")
_WORK_KEPT = LocalizedMessage("error.unreadable_begun", buttons=(Button("button.export", Export()),))

_BEGUN = tuple(JobField.CHECKPOINT + one.name for one in (PromptSent, AgentAnswered, RenderStarted))
"""Fields of a job that asked the agent, or rendered: its project may have what was paid for, and an export is free."""

_PROGRESS_MESSAGE = JobField.CHECKPOINT + field_of(MessageSend, PROGRESS_MESSAGE)


async def find_apology(
    redis: Redis, chat: ChatKey, queue: QueueName, job_id: str, fields: Mapping[str, str], now: datetime
) -> tuple[Job, str] | None:
    """Return the job that apologises to a chat, and the cause under which it is enqueued.

    Args:
        redis: The store.
        chat: The chat of the job that can't be read.
        queue: Its queue.
        job_id: Its id.
        fields: All that is stored of it.
        now: The time, UTC.

    Returns:
        ``None`` for a quick job: people repeat a question, and nobody waits for a message.
    """
    if queue is not QueueName.MAIN and JobField.HOLDS_REQUEST not in fields:
        return None
    is_begun = any(map(_is_begun, fields))
    message = _WORK_KEPT if is_begun else _REQUEST_LOST
    progress_message = _progress_message(fields)
    shared = keys.chat_key(str(chat.of_account))
    chosen: Any = await cast(Any, redis.hget(shared, STORED_NAMES["language"]))
    apology = message_job(
        chat,
        message,
        requester_id=chat.chat_id,
        language=language_of(chosen or fields.get(JobField.LANGUAGE)),
        asked_at=now,
        progress_message=progress_message,
    )
    # For requests that the chat sees nothing of, once an hour: after an update they may be all that waits.
    is_seen = is_begun or progress_message is not None
    return apology, f"unreadable:{job_id if is_seen else int(now.timestamp()) // 3600}"


def _is_begun(field: str) -> bool:
    return any(field == begun or field.startswith(f"{begun}:") for begun in _BEGUN)


def _progress_message(fields: Mapping[str, str]) -> SentMessage | None:
    try:
        return MessageSend.model_validate_json(fields[_PROGRESS_MESSAGE]).sent
    except (ValueError, KeyError):
        return None
