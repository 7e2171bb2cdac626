"""What a chat's videos have in common: a logo, an intro, an outro, and the format of new projects."""

from collections.abc import Mapping
from enum import StrEnum

from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.chats.project_file import ProjectFile
from bot.store.expiring_hash import ExpiringHash
from bot.store.keys import brand_key
from bot.store.stored_model import StoredModel


class BrandPart(StrEnum):
    """A file of a brand."""

    LOGO = "logo"
    INTRO = "intro"
    OUTRO = "outro"


_RATIO = "ratio"


class Brand(StoredModel):
    """A chat's brand.

    Attributes:
        ratio: The format of new projects, such as ``9:16``; empty for that of the clip.
        files: Those of its files that are set; they belong to no project yet.
    """

    ratio: str = ""
    files: Mapping[BrandPart, ProjectFile] = {}


class Brands:
    """The brands of all chats, in the store; all topics of a chat share one. Nothing is stored where nothing is set."""

    def __init__(self, redis: Redis, ttl_s: int) -> None:
        self._hash = ExpiringHash(redis, ttl_s)

    async def load(self, key: ChatKey) -> Brand:
        """Return a chat's brand, and renew its TTL."""
        values = await self._hash.read(_name(key))
        files = {part: ProjectFile.model_validate_json(values[part]) for part in BrandPart if part in values}
        return Brand(ratio=values.get(_RATIO, ""), files=files)

    async def set_ratio(self, key: ChatKey, ratio: str) -> None:
        """Set the format of new projects; empty for that of the clip."""
        await self._hash.write(_name(key), _RATIO, ratio or None)

    async def set_file(self, key: ChatKey, part: BrandPart, file: ProjectFile | None) -> None:
        """Set a file, or remove it."""
        value = None if file is None else file.model_dump_json(exclude_defaults=True)
        await self._hash.write(_name(key), part, value)


def _name(key: ChatKey) -> str:
    return brand_key(str(key.of_account))
