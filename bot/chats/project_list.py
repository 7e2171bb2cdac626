"""The projects of a chat that it can go back to."""

import hashlib
from operator import attrgetter
from typing import Any, cast

from pydantic import AwareDatetime
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.store.keys import projects_key, versions_key
from bot.store.lua_script import LuaScript
from bot.store.stored_model import StoredModel

MAX_PROJECTS = 30  # kept for each chat; those that were used longest ago go first
MAX_NAME_CHARS = 40

_MARK_DIGITS = 10


class ListedProject(StoredModel):
    """A project that its chat has, or had. ``ProjectList.save`` saves the fields that an instance was created with.

    Attributes:
        session_id: NemoVideo's id of it.
        task_id: The task that it came with.
        account: Whose account it belongs to, a ``chats.AccountKind``.
        project_epoch: That account's epoch; with another one it is out of reach.
        name: Words of its first request, or a name that a person gave it; empty if it has none yet.
        used_at: When it was last changed or opened, UTC.
        duration_ms: The length of its timeline; None if that is empty or unknown.
        is_lost: Whether NemoVideo no longer had it, or refused its guest account, when it was last asked.
        topic_id: The topic where it was last used; ``save`` sets it.
    """

    session_id: str
    task_id: str | None = None
    account: str = ""
    project_epoch: str | None = None
    name: str = ""
    used_at: AwareDatetime
    duration_ms: int | None = None
    is_lost: bool = False
    topic_id: int | None = None

    @property
    def mark(self) -> str:
        """What stands for it in buttons, which have no room for its id."""
        return project_mark(self.session_id)


def project_mark(session_id: str) -> str:
    """Return what stands for a project in buttons."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:_MARK_DIGITS]


class ProjectList:
    """The projects of all chats, in the store. Each write extends the time for which a chat's list is kept."""

    def __init__(self, redis: Redis, ttl_s: int) -> None:
        self._redis = redis
        self._ttl_s = ttl_s
        self._save = LuaScript(redis, __package__, "save_project")

    async def all(self, key: ChatKey) -> list[ListedProject]:
        """Return a chat's projects, those that were used last first."""
        texts = await cast(Any, self._redis.hvals(_name(key)))
        return sorted(map(ListedProject.model_validate_json, texts), key=attrgetter("used_at"), reverse=True)

    async def find(self, key: ChatKey, mark: str) -> ListedProject | None:
        """Return the project with a mark, if the chat's list has it."""
        text = await cast(Any, self._redis.hget(_name(key), mark))
        return None if text is None else ListedProject.model_validate_json(text)

    async def save(self, key: ChatKey, change: ListedProject, name_if_none: str = "") -> bool:
        """Save the explicitly set fields of a project; the others keep their values, whoever writes them meanwhile.

        Args:
            key: Which chat.
            change: What is known of the project now. One that is not in the list yet is added.
            name_if_none: Its name, unless it has one.

        Returns:
            Whether ``name_if_none`` has become its name.
        """
        change = change.changed(topic_id=key.topic_id)
        is_named = await self._save(
            [_name(key)],
            mark=change.mark,
            change=change.model_dump(mode="json", exclude_unset=True),
            name_if_none=name_if_none,
            kept=MAX_PROJECTS,
            versions_prefix=versions_key(str(key.of_projects), ""),
            ttl_s=self._ttl_s,
        )
        return bool(is_named)

    async def delete(self, key: ChatKey, mark: str) -> None:
        """Forget a project and its versions."""
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hdel(_name(key), mark)
            transaction.delete(versions_key(str(key.of_projects), mark))
            await transaction.execute()


def _name(key: ChatKey) -> str:
    return projects_key(str(key.of_projects))
