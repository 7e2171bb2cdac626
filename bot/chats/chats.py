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
from bot.chats.token_cipher import TokenCipher, TokenCipherError
from bot.runtime.clock import Clock
from bot.store.keys import chat_key, results_key, uploads_key

DEFAULT_TTL_DAYS = 90
MAX_UPLOADS = 100
MAX_RESULTS = 20  # kept for each chat; the oldest go first

_DAY_S = 86_400

_SECRET_FIELDS = frozenset({"own_token", "token", "claim_token"})


_SHOW = """
-- KEYS: chat, results.  ARGV: what was shown before, what is now, its project, ttl.
if (redis.call('HGET', KEYS[1], 'shown') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'shown', ARGV[2], 'shown_session_id', ARGV[3])
redis.call('HDEL', KEYS[1], 'shown_used')
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
"""

_USE = """
-- KEYS: chat.  ARGV: what somebody answered to.
if redis.call('HGET', KEYS[1], 'shown') == ARGV[1] then redis.call('HSET', KEYS[1], 'shown_used', 1) end
"""


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
        own_token: The API token that the chat brought; None when it brought none.
        token: The API token of its guest account; None when it has none, or none that can still be read.
        user_id: NemoVideo's id of the guest account.
        token_expires_at: When the guest token ends, UTC; None when it does not, as far as is known.
        account: Whose account the project below is of.
        session_id: Its project.
        task_id: The task that the project came with.
        claim_token: Opens a project in a browser; whoever has it can take the project over.
        claim_session_id: Which project.
        claim_expires_at: When that ends, UTC; None when it does not, as far as is known.
        skill: The active skill card's name.
        language: The catalogue that the chat chose; None while each is answered in their own language.
        auto_export: Whether a draft that is ready is exported by itself.
        send_as_file: Whether finished videos come as files.
        replace_results: Whether a finished video takes the place of the project's earlier one.
        shown: Where the latest finished video stands: chat id and message number, with a colon between.
        shown_session_id: Of which project it is.
        shown_used: Whether somebody answered to that message or pinned it since.
        export_refused: Whether the account's plan turned out to have no export.
        greeted: Whether it has had a project before; the first one is told of as it is set up.
        last_seen: When somebody last wrote there, UTC.
    """

    key: ChatKey
    client_id: UUID | None = None
    own_token: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    user_id: str | None = None
    token_expires_at: datetime | None = None
    account: Account = Account.NONE
    session_id: str | None = None
    task_id: str | None = None
    claim_token: str | None = field(default=None, repr=False)
    claim_session_id: str | None = None
    claim_expires_at: datetime | None = None
    skill: str | None = None
    language: str | None = None
    auto_export: bool = True
    send_as_file: bool = False
    replace_results: bool = False
    shown: str | None = None
    shown_session_id: str | None = None
    shown_used: bool = False
    export_refused: bool = False
    greeted: bool = False
    last_seen: datetime | None = None

    @property
    def exports_by_itself(self) -> bool:
        """Whether an edit is followed by an export that nobody asked for."""
        return self.auto_export and not self.export_refused


class ChatChanges(TypedDict, total=False):
    """What `Chats.update` may change; None takes a field back to its default."""

    own_token: str | None
    token: str | None
    user_id: str | None
    token_expires_at: datetime | None
    account: Account | None
    session_id: str | None
    task_id: str | None
    claim_token: str | None
    claim_session_id: str | None
    claim_expires_at: datetime | None
    skill: str | None
    language: str | None
    auto_export: bool | None
    send_as_file: bool | None
    replace_results: bool | None
    export_refused: bool | None
    greeted: bool | None
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class CachedResult:
    """A video that was delivered to a chat.

    Attributes:
        draft_digest: A digest of the draft that it shows.
        file_id: Telegram's id, with which it is sent again without an upload.
        kind: What it was sent as, such as ``video`` or ``document``: the id keeps its media type.
        as_file: Whether it was to be a file.
    """

    draft_digest: str
    file_id: str
    kind: str
    as_file: bool = False


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that was brought into one of a chat's projects.

    Attributes:
        session_id: Which project.
        name: What it is called there.
    """

    session_id: str
    name: str


class Chats:
    """The chats in the store.

    A write changes the fields it names, and has the chat kept for its whole time again.

    Args:
        redis: The store, with texts as ``str``.
        token_cipher: For the tokens.
        clock: For the time when a chat was last seen.
        ttl_days: How long a chat is kept after its last write (``CHAT_TTL_DAYS``).
    """

    def __init__(
        self, redis: Redis, token_cipher: TokenCipher, clock: Clock, ttl_days: int = DEFAULT_TTL_DAYS
    ) -> None:
        self._redis = redis
        self._token_cipher = token_cipher
        self._clock = clock
        self.ttl_days = ttl_days
        self._ttl_s = ttl_days * _DAY_S
        self._show = redis.register_script(_SHOW)
        self._use = redis.register_script(_USE)
        self._read: dict[str, Callable[[str], object]] = {
            "client_id": UUID,
            "own_token": token_cipher.decrypt,
            "token": token_cipher.decrypt,
            "user_id": str,
            "token_expires_at": _read_time,
            "account": Account,
            "session_id": str,
            "task_id": str,
            "claim_token": token_cipher.decrypt,
            "claim_session_id": str,
            "claim_expires_at": _read_time,
            "skill": str,
            "language": str,
            "auto_export": _read_bool,
            "send_as_file": _read_bool,
            "replace_results": _read_bool,
            "shown": str,
            "shown_session_id": str,
            "shown_used": _read_bool,
            "export_refused": _read_bool,
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
            except (ValueError, TokenCipherError):
                # A value of a later release, or a token whose key was dropped: as if it were not there.
                structlog.get_logger().warning("chat.unreadable", chat=str(key), field=name)
        if "token" not in known:
            known.pop("token_expires_at", None)
        return Chat(key=key, **known)

    def seal(self, secret: str) -> str:
        """Encrypt a secret for a job to carry to whoever runs it."""
        return self._token_cipher.encrypt(secret)

    def unseal(self, sealed: str) -> str:
        """Read what `seal` made.

        Raises:
            VaultError: The key is gone.
        """
        return self._token_cipher.decrypt(sealed)

    async def touch(self, key: ChatKey) -> None:
        """Note that somebody wrote there."""
        name = chat_key(str(key))
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.hset(name, "last_seen", self._clock.now().isoformat())
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

    async def show(
        self,
        key: ChatKey,
        telegram_chat_id: int,
        message_id: int,
        session_id: str | None,
        instead_of: str | None,
    ) -> None:
        """Keep where the latest finished video stands.

        Args:
            key: Which chat.
            telegram_chat_id: The id that this has in Telegram.
            message_id: Of its message.
            session_id: Of its project.
            instead_of: What was shown before; when something else is by now, nothing is changed.
        """
        await self._show(
            keys=[chat_key(str(key)), results_key(str(key))],
            args=[instead_of or "", shown_at(telegram_chat_id, message_id), session_id or "", self._ttl_s],
        )

    async def mark_used(self, key: ChatKey, telegram_chat_id: int, message_id: int) -> None:
        """Note that somebody still needs a message, should it be the latest finished video."""
        await self._use(keys=[chat_key(str(key))], args=[shown_at(telegram_chat_id, message_id)])

    async def remember_result(
        self, key: ChatKey, draft_digest: str, file_id: str, kind: str, *, as_file: bool = False
    ) -> None:
        """Keep what a draft became, for when the same draft is asked for again.

        Args:
            key: Which chat.
            draft_digest: A digest of the draft.
            file_id: Telegram's id of the delivered file.
            kind: What it was sent as, such as ``video`` or ``document``.
            as_file: Whether it was to be a file.
        """
        name = results_key(str(key))
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.lpush(name, json.dumps([draft_digest, file_id, kind, as_file]))
            transaction.ltrim(name, 0, MAX_RESULTS - 1)
            transaction.expire(name, self._ttl_s)
            transaction.expire(chat_key(str(key)), self._ttl_s)
            await transaction.execute()

    async def find_result(
        self, key: ChatKey, draft_digest: str, *, as_file: bool = False
    ) -> CachedResult | None:
        """What a draft became the last time, if that is still known.

        Args:
            key: Which chat.
            draft_digest: A digest of the draft.
            as_file: Whether it is to be a file now. What was to be a video and could only be a file does for both.
        """
        for text in cast(list[str], await self._redis.lrange(results_key(str(key)), 0, -1)):
            digest, file_id, kind, *more = json.loads(text)
            was_file = bool(more and more[0])
            if digest == draft_digest and (was_file == as_file or (as_file and kind == "document")):
                return CachedResult(digest, file_id, kind, was_file)
        return None

    async def remember_upload(
        self, key: ChatKey, telegram_chat_id: int, message_id: int, session_id: str, name: str
    ) -> None:
        """Keep which file of a project a message brought, for when somebody answers to it.

        Args:
            key: Which chat.
            telegram_chat_id: The id that this had in Telegram.
            message_id: Of the message.
            session_id: The project.
            name: What the file is called there.
        """
        uploads = uploads_key(str(key))
        async with self._redis.pipeline(transaction=True) as transaction:
            transaction.lpush(uploads, json.dumps([message_id, session_id, name, telegram_chat_id]))
            transaction.ltrim(uploads, 0, MAX_UPLOADS - 1)
            transaction.expire(uploads, self._ttl_s)
            await transaction.execute()

    async def find_upload(self, key: ChatKey, telegram_chat_id: int, message_id: int) -> UploadedFile | None:
        """The file that a message brought the last time, if that is still known."""
        for text in cast(list[str], await self._redis.lrange(uploads_key(str(key)), 0, -1)):
            brought_by, session_id, name, *where = json.loads(text)
            # An earlier release did not keep where.
            if brought_by == message_id and (where or [key.chat_id])[0] == telegram_chat_id:
                return UploadedFile(session_id, name)
        return None

    def _write(self, name: str, value: object) -> str:
        match value:
            case str() if name in _SECRET_FIELDS:
                return self._token_cipher.encrypt(value)
            case bool():
                return "1" if value else "0"
            case datetime():
                return value.astimezone(UTC).isoformat()
            case _:
                return str(value)


def shown_at(telegram_chat_id: int, message_id: int) -> str:
    """Where a message stands; with the id of its chat in Telegram: a group that moves leaves its messages behind."""
    return f"{telegram_chat_id}:{message_id}"


def _read_bool(text: str) -> bool:
    return text == "1"


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
