"""The versions of a project: its draft after each turn that changed it, and the video made of it."""

import base64
import json
import zlib
from typing import Any, Literal, TypeAlias, cast

from pydantic import AwareDatetime
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.nemo.drafts import Draft, read_draft
from bot.store.keys import versions_key
from bot.store.lua_script import LuaScript
from bot.store.stored_model import StoredModel

ResultKind: TypeAlias = Literal["video", "animation", "document"]
"""What Telegram made of a result: a file id keeps its media type."""

MAX_VERSIONS = 20  # kept for each project; the oldest go first
MAX_WORDS_CHARS = 60

MAX_DRAFT_BYTES = 65_536
"""The largest packed draft that is kept. One that was cut down before holds digests, and packs to more than this."""


class Version(StoredModel):
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
        restored: The number of the version that it was to bring back; ``None`` for any other request.
    """

    number: int = 0
    job_id: str = ""
    words: str = ""
    made_at: AwareDatetime
    draft_digest: str
    packed_draft: str = ""
    file_id: str = ""
    kind: ResultKind = "video"
    picture_id: str = ""
    restored: int | None = None

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
    """The versions of all projects, in the store: a hash for each, with their numbers as fields."""

    def __init__(self, redis: Redis, ttl_s: int) -> None:
        self._redis = redis
        self._ttl_s = ttl_s
        self._add = LuaScript(redis, __package__, "add_versions")
        self._save_video = LuaScript(redis, __package__, "save_video")

    async def all(self, key: ChatKey, mark: str) -> list[Version]:
        """Return the versions of a project, the oldest first.

        Args:
            key: The project's chat.
            mark: Its mark, see ``project_list``.
        """
        texts: dict[str, str] = await cast(Any, self._redis.hgetall(_name(key, mark)))
        versions = [
            Version.model_validate_json(text).changed(number=int(number)) for number, text in texts.items()
        ]
        return sorted(versions, key=lambda version: version.number)

    async def add(self, key: ChatKey, mark: str, *versions: Version) -> None:
        """Add versions that follow the latest one; a request adds its own once.

        Args:
            key: The project's chat.
            mark: Its mark.
            *versions: The versions; their numbers count only in a project without any.
        """
        if not versions:
            return
        entries = [
            {"job_id": one.job_id, "number": one.number, "text": one.model_dump_json(exclude={"number"})}
            for one in versions
        ]
        await self._add([_name(key, mark)], versions=entries, kept=MAX_VERSIONS, ttl_s=self._ttl_s)

    async def save_video(
        self, key: ChatKey, mark: str, draft_digest: str, file_id: str, kind: ResultKind, picture_id: str
    ) -> None:
        """Save the video of all versions with a draft.

        Args:
            key: The project's chat.
            mark: Its mark.
            draft_digest: The digest of the draft that the video was made from.
            file_id: Telegram's id of the video.
            kind: What it was sent as.
            picture_id: Telegram's id of a picture of it; empty keeps an earlier one.
        """
        video = {"file_id": file_id, "kind": kind} | ({"picture_id": picture_id} if picture_id else {})
        await self._save_video([_name(key, mark)], draft_digest=draft_digest, video=video)


def _name(key: ChatKey, mark: str) -> str:
    return versions_key(str(key.of_projects), mark)
