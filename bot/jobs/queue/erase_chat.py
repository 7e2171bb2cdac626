"""Erases everything stored about a chat in one write, except what came after the request to erase it."""

from typing import ClassVar

from redis.asyncio import Redis

from bot.jobs.checkpoints import Checkpoint, field_of
from bot.jobs.model import QueueName
from bot.jobs.queue.claimed_job import ClaimedJob
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.scheduled_jobs import ScheduledJobs
from bot.store import keys
from bot.store.lua_script import LuaScript


class ChatErased(Checkpoint):
    """Saved in one step with the erasure itself."""

    name: ClassVar[str] = "erased"


class ChatEraser:
    """Erases chats."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._erase = LuaScript(redis, __package__, "erase_chat")

    async def erase(self, claimed: ClaimedJob) -> bool:
        """Erase the chat or topic of a job, except the job itself and waiting jobs; once, however often the job starts.

        With a topic of a private chat go the person's account, templates, brand, channels and projects.

        Args:
            claimed: A job that runs in the main queue.

        Returns:
            ``False`` if it has to be tried again: a question is being answered just now.
        """
        chat = str(claimed.job.chat)
        redis_keys = [key async for key in self._redis.scan_iter(keys.chat_pattern(chat), count=1000)]
        if claimed.job.chat.is_private:
            account = str(claimed.job.chat.of_account)
            shared = (keys.chat_key, keys.templates_key, keys.brand_key, keys.channels_key, keys.projects_key)
            redis_keys += [key_of(account) for key_of in shared]
            versions = keys.versions_key(account, "*")
            redis_keys += [key async for key in self._redis.scan_iter(versions, count=1000)]
        is_erased = await self._erase(
            [
                keys.job_key(chat, claimed.job.id),
                keys.running_key(chat, QueueName.QUICK),
                keys.GIVEN_UP,
                keys.message_numbers_key(chat),
            ],
            attempt=claimed.attempt,
            chat=chat,
            job_prefix=keys.job_key(chat, ""),
            queues=[
                {"queue_key": keys.queue_key(chat, queue), "running_key": keys.running_key(chat, queue)}
                for queue in QueueName
            ],
            erase=[key for key in redis_keys if not key.startswith(keys.KEPT_WHEN_ERASED)],
            checkpoint={
                "field": JobField.CHECKPOINT + field_of(ChatErased),
                "value": ChatErased().model_dump_json(),
            },
        )
        if is_erased:
            await ScheduledJobs(self._redis).erase(claimed.job.chat)
            await self._redis.set(keys.AOF_REWRITE_DUE, 1)
        return bool(is_erased)
