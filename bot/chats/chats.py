"""The chats, as they are kept in the store."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypedDict, Unpack, cast
from uuid import UUID, uuid4

import structlog
from redis.asyncio import Redis
from redis.typing import EncodableT, FieldT

from bot.chats.key import ChatKey
from bot.chats.secrets import Vault, VaultError
from bot.clock import Clock
from bot.store.keys import chat_key, results_key

DEFAULT_TTL_DAYS = 90
MAX_RESULTS = 20  # kept for each chat; the oldest go first

_DAY_S = 86_400


class Account(StrEnum):
    """Whose NemoVideo account pays for a chat."""

    OPERATOR = "operator"  # the bot's own, from the settings
    OWN = "own"  # the chat brought a token of its own
    ANONYMOUS = "anonymous"  # a free one, for a week
    NONE = "none"  # not decided yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """What is known of a chat at one moment; one never seen has the defaults.

    Attributes:
        key: Which chat.
        client_id: Its ``X-Client-Id``, the same as long as the chat is kept.
        token: Its API token; None when it has none, or none that can still be read.
        account: Whose account the token is of.
        user_id: NemoVideo's id of that account.
        token_expires_at: When the token ends, UTC; None when it does not, as far as is known.
        session_id: Its project.
        task_id: The task that the project came with.
        skill: The active skill card's name.
        language: An ISO code such as ``en`` or ``zh-CN``.
        auto_export: Whether a draft that is ready is exported by itself.
        greeted: Whether it was told how things work.
        last_seen: When somebody last wrote there, UTC.
    """

    key: ChatKey
    client_id: UUID | None = None
    token: str | None = field(default=None, repr=False)
    account: Account = Account.NONE
    user_id: str | None = None
    token_expires_at: datetime | None = None
    session_id: str | None = None
    task_id: str | None = None
    skill: str | None = None
    language: str | None = None
    auto_export: bool = True
    greeted: bool = False
    last_seen: datetime | None = None


class ChatChanges(TypedDict, total=False):
    """What `Chats.update` may change; None takes a field back to its default."""

    token: str | None
    account: Account | None
    user_id: str | None
    token_expires_at: datetime | None
    session_id: str | None
    task_id: str | None
    skill: str | None
    language: str | None
    auto_export: bool | None
    greeted: bool | None
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class Result:
    """A video that was delivered to a chat.

    Attributes:
        draft_digest: A digest of the draft that it shows.
        file_id: Telegram's id, with which it is sent again without an upload.
        kind: What it was sent as, such as ``video`` or ``document``: the id keeps its media type.
    """

    draft_digest: str
    file_id: str
    kind: str


class Chats:
    """The chats in the store.

    A write changes the fields it names, and has the chat kept for its whole time again.

    Args:
        redis: The store, with texts as ``str``.
        vault: For the tokens.
        clock: For the time when a chat was last seen.
        ttl_days: How long a chat is kept after its last write (``CHAT_TTL_DAYS``).
    """

    def __init__(self, redis: Redis, vault: Vault, clock: Clock, ttl_days: int = DEFAULT_TTL_DAYS) -> None:
        self._redis = redis
        self._vault = vault
        self._clock = clock
        self._ttl_s = ttl_days * _DAY_S
        self._read: dict[str, Callable[[str], object]] = {
            "client_id": UUID,
            "token": vault.decrypt,
            "account": Account,
            "user_id": str,
            "token_expires_at": _read_time,
            "session_id": str,
            "task_id": str,
            "skill": str,
            "language": str,
            "auto_export": _read_bool,
            "greeted": _read_bool,
            "last_seen": _read_time,
        }

    async def get(self, key: ChatKey) -> Chat:
        """What is known of a chat; reading creates nothing."""
        kept = cast(Mapping[str, str], await self._redis.hgetall(chat_key(str(key))))
        known: dict[str, Any] = {}
        for name, text in kept.items():
            if (read := self._read.get(name)) is None:
                continue  # a later release wrote it
            try:
                known[name] = read(text)
            except (ValueError, VaultError):
                # A value of a later release, or a token whose key was dropped: as if it were not there.
                structlog.get_logger().warning("chat.unreadable", chat=str(key), field=name)
        if "token" in kept and "token" not in known:
            known.pop("account", None)
            known.pop("token_expires_at", None)
        return Chat(key=key, **known)

    async def touch(self, key: ChatKey, language: str | None) -> None:
        """Note that somebody wrote there.

        Args:
            key: Which chat.
            language: What Telegram says; kept only while the chat has none, so that a choice stands.
        """
        name = chat_key(str(key))
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hset(name, "last_seen", self._clock.now().isoformat())
            if language is not None:
                transaction.hsetnx(name, "language", language)
            transaction.expire(name, self._ttl_s)
            transaction.expire(results_key(str(key)), self._ttl_s)
            await transaction.execute()

    async def ensure_client_id(self, key: ChatKey) -> UUID:
        """The chat's client id, made when it has none; whoever asks at the same time gets the same one."""
        name = chat_key(str(key))
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hsetnx(name, "client_id", str(uuid4()))
            transaction.hget(name, "client_id")
            transaction.expire(name, self._ttl_s)
            transaction.expire(results_key(str(key)), self._ttl_s)
            _, client_id, *_ = await transaction.execute()
        return UUID(client_id)

    async def update(self, key: ChatKey, **changes: Unpack[ChatChanges]) -> None:
        """Change some fields, all at once; the others stay as they are or as others make them.

        Args:
            key: Which chat.
            **changes: New values; None takes a field back to its default.
        """
        name = chat_key(str(key))
        texts: dict[FieldT, EncodableT] = {
            field: self._write(field, value) for field, value in changes.items() if value is not None
        }
        gone = [field for field, value in changes.items() if value is None]
        async with self._redis.pipeline(transaction=True) as transaction:
            if texts:
                transaction.hset(name, mapping=texts)
            if gone:
                transaction.hdel(name, *gone)
            transaction.expire(name, self._ttl_s)
            transaction.expire(results_key(str(key)), self._ttl_s)
            await transaction.execute()

    async def forget(self, key: ChatKey) -> None:
        """Erase all that is known of a chat."""
        await self._redis.delete(chat_key(str(key)), results_key(str(key)))

    async def remember_result(self, key: ChatKey, draft_digest: str, file_id: str, kind: str) -> None:
        """Keep what a draft became, for when the same draft is asked for again.

        Args:
            key: Which chat.
            draft_digest: A digest of the draft.
            file_id: Telegram's id of the delivered file.
            kind: What it was sent as, such as ``video`` or ``document``.
        """
        name = results_key(str(key))
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.lpush(name, json.dumps([draft_digest, file_id, kind]))
            transaction.ltrim(name, 0, MAX_RESULTS - 1)
            transaction.expire(name, self._ttl_s)
            transaction.expire(chat_key(str(key)), self._ttl_s)
            await transaction.execute()

    async def find_result(self, key: ChatKey, draft_digest: str) -> Result | None:
        """What a draft became the last time, if that is still known."""
        for text in cast(list[str], await self._redis.lrange(results_key(str(key)), 0, -1)):
            digest, file_id, kind, *_ = json.loads(text)
            if digest == draft_digest:
                return Result(digest, file_id, kind)
        return None

    def _write(self, name: str, value: object) -> str:
        match value:
            case str() if name == "token":
                return self._vault.encrypt(value)
            case bool():
                return "1" if value else "0"
            case datetime():
                return value.astimezone(UTC).isoformat()
            case _:
                return str(value)


def _read_bool(text: str) -> bool:
    return text == "1"


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
