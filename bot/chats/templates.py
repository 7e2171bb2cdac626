"""The requests that a chat has saved to use them again."""

import hashlib

from pydantic import AwareDatetime
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.store.expiring_hash import ExpiringHash
from bot.store.keys import templates_key
from bot.store.stored_model import StoredModel

MAX_TEMPLATES = 20  # kept for each chat
MAX_TEMPLATE_NAME_CHARS = 40
MAX_TEMPLATE_PROMPT_CHARS = 2000

_MARK_DIGITS = 10


class Template(StoredModel):
    """A saved request.

    Attributes:
        name: Its name; saving another request under it replaces this one.
        prompt: The request, with the answers to the agent's questions.
        saved_at: When, UTC.
    """

    name: str
    prompt: str
    saved_at: AwareDatetime

    @property
    def mark(self) -> str:
        """What stands for it in buttons: the same for names that differ in case alone."""
        return hashlib.sha256(self.name.casefold().encode()).hexdigest()[:_MARK_DIGITS]


class Templates:
    """The templates of all chats, in the store; all topics of a chat share them."""

    def __init__(self, redis: Redis, ttl_s: int) -> None:
        self._hash = ExpiringHash(redis, ttl_s)

    async def all(self, key: ChatKey) -> list[Template]:
        """Return a chat's templates, the newest first, and renew their TTL."""
        found = map(Template.model_validate_json, (await self._hash.read(_name(key))).values())
        return sorted(found, key=lambda template: template.saved_at, reverse=True)

    async def find(self, key: ChatKey, mark: str) -> Template | None:
        """Return the template with a mark."""
        return next((one for one in await self.all(key) if one.mark == mark), None)

    async def save(self, key: ChatKey, template: Template) -> bool:
        """Save a template, and return whether there was room for it."""
        known = {one.mark for one in await self.all(key)}
        if template.mark not in known and len(known) >= MAX_TEMPLATES:
            return False
        await self._hash.write(_name(key), template.mark, template.model_dump_json())
        return True

    async def delete(self, key: ChatKey, mark: str) -> None:
        """Delete a template."""
        await self._hash.write(_name(key), mark, None)


def _name(key: ChatKey) -> str:
    return templates_key(str(key.of_account))
