"""The versions of a project: its draft after each turn that changed it, and the video made of it."""

import base64
import json
import zlib
from typing import Any, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from bot.chats.key import ChatKey
from bot.nemo.drafts import Draft, read_draft
from bot.store.keys import versions_key

MAX_VERSIONS = 20  # kept for each project; the oldest go first
MAX_WORDS_CHARS = 60

MAX_DRAFT_BYTES = 65_536
"""The largest packed draft that is kept. One that was cut down before holds digests, and packs to more than this."""


class Version(BaseModel):
    """A version of a project.

    Attributes:
        number: Counts the project's versions from 1; 0 is what it was before the first change.
        job_id: The request that made it; empty for version 0.
        words: What it asked for.
        made_at: When, UTC.
        draft_digest: The digest of its draft.
        packed_draft: The draft, see ``pack_draft``; empty if it is too large.
        file_id: Telegram's id of its video; empty if there is none.
        kind: What that was sent as, such as ``video``.
        picture_id: Telegram's id of a picture of the video; empty if there is none.
    """

    model_config = ConfigDict(frozen=True)

    number: int = 0
    job_id: str = ""
    words: str = ""
    made_at: AwareDatetime
    draft_digest: str
    packed_draft: str = ""
    file_id: str = ""
    kind: str = "video"
    picture_id: str = ""

    @property
    def draft(self) -> Draft | None:
        """Its draft; None if it was too large to be kept."""
        if not self.packed_draft:
            return None
        return read_draft(json.loads(zlib.decompress(base64.b64decode(self.packed_draft))))


def pack_draft(draft: Draft) -> str:
    """Return a draft as text that takes little room; empty if it takes more than ``MAX_DRAFT_BYTES``."""
    text = json.dumps(draft.raw, separators=(",", ":"))
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    return packed if len(packed) <= MAX_DRAFT_BYTES else ""


class Versions:
    """The versions of all projects, in the store."""

    def __init__(self, redis: Redis, ttl_s: int) -> None:
        self._redis = redis
        self._ttl_s = ttl_s

    async def all(self, key: ChatKey, mark: str) -> list[Version]:
        """Return the versions of a project, the oldest first.

        Args:
            key: The project's chat.
            mark: Its mark, see ``project_list``.
        """
        return _read(await cast(Any, self._redis.hvals(_name(key, mark))))

    async def add(self, key: ChatKey, mark: str, *versions: Version) -> None:
        """Add versions that follow the latest one; a request adds its own once.

        Args:
            key: The project's chat.
            mark: Its mark.
            *versions: The versions; their numbers count only in a project without any.
        """
        name = _name(key, mark)

        async def write(pipe: Pipeline) -> None:
            before = _read(await cast(Any, pipe.hvals(name)))
            known = {version.job_id for version in before}
            numbered = [
                version.model_copy(update={"number": before[-1].number + 1}) if before else version
                for version in versions
                if version.job_id not in known and (version.job_id or not before)
            ]
            cast(Any, pipe).multi()
            for version in numbered:
                pipe.hset(name, str(version.number), version.model_dump_json())
            for gone in (before + numbered)[:-MAX_VERSIONS]:
                pipe.hdel(name, str(gone.number))
            pipe.expire(name, self._ttl_s)

        await self._redis.transaction(cast(Any, write), name)

    async def save_video(
        self, key: ChatKey, mark: str, draft_digest: str, file_id: str, kind: str, picture_id: str
    ) -> None:
        """Save the video of all versions with a draft; one request at a time writes versions of a project.

        Args:
            key: The project's chat.
            mark: Its mark.
            draft_digest: The digest of the draft that the video was made from.
            file_id: Telegram's id of the video.
            kind: What it was sent as.
            picture_id: Telegram's id of a picture of it; empty keeps an earlier one.
        """
        for version in await self.all(key, mark):
            if version.draft_digest == draft_digest:
                video = {"file_id": file_id, "kind": kind, "picture_id": picture_id or version.picture_id}
                text = version.model_copy(update=video).model_dump_json()
                await cast(Any, self._redis.hset(_name(key, mark), str(version.number), text))


def _name(key: ChatKey, mark: str) -> str:
    return versions_key(str(key.of_projects), mark)


def _read(texts: list[str]) -> list[Version]:
    return sorted(map(Version.model_validate_json, texts), key=lambda version: version.number)
