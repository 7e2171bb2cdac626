"""What the store keeps of each chat: its account and settings, and of each topic its project and latest results."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID, uuid4

import structlog
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FieldSerializationInfo,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)
from redis.asyncio import Redis
from redis.asyncio.lock import Lock

from bot.chats.brand import Brands
from bot.chats.channels import Channels
from bot.chats.chat_read_cache import ChatReadCache, ChatReader
from bot.chats.inline_requests import InlineRequests
from bot.chats.key import ChatKey
from bot.chats.project_file import ProjectFile
from bot.chats.project_list import ListedProject, ProjectList, project_mark
from bot.chats.templates import Templates
from bot.chats.token_cipher import TokenCipher, TokenCipherError
from bot.chats.versions import ResultKind, Versions
from bot.settings import DEFAULT_CHAT_TTL_DAYS
from bot.store import keys
from bot.store.chat_values import from_stored, to_stored
from bot.store.lua_script import LuaScript
from bot.store.stored_model import StoredModel

M = TypeVar("M", bound=BaseModel)

MAX_UPLOADS = 100
MAX_RESULTS = 20  # kept for each chat; the oldest go first

EXPORT_REFUSED_FOR = timedelta(days=1)  # a plan may have been changed by then

_DAY_S = 86_400


class AccountKind(StrEnum):
    """Whose NemoVideo account pays for a chat."""

    OPERATOR = "operator"  # the bot's own, from the settings
    OWN = "own"  # the chat brought a token of its own
    GUEST = "anonymous"  # a guest account (the service says anonymous), for a week
    NONE = "none"  # not decided yet


Secret = Annotated[str | None, Field(repr=False)]
UtcTime = Annotated[AwareDatetime, AfterValidator(lambda time: time.astimezone(UTC))]


class SharedFields(StoredModel):
    """What all topics of a chat share: the account and the settings.

    Attributes:
        client_id: Its ``X-Client-Id``, the same as long as the chat is kept.
        own_token: The API token that the chat brought.
        token: The API token of its guest account.
        user_id: NemoVideo's id of the guest account.
        token_expires_at: When the guest token expires; None if it does not, as far as is known.
        account_epoch: Changes with every change of account, which ends the projects of all topics.
        language: The catalogue that the chat chose; None while everyone is answered in their own language.
        auto_export: Whether a finished edit is exported without being asked for.
        send_as_file: Whether finished videos are sent as files.
        shrink_results: Whether a video that is too large to be sent comes in a smaller version, and not only as a link.
        replace_results: Whether a finished video replaces the project's earlier one.
        export_refused_at: When the account's plan turned out to have no export; None if it has one, as far as is known.
        greeted: Whether setting things up was announced, which is done once.
        members_may_change: Whether all members of a group may change its settings, and not only its admins.
    """

    # The aliases are the names in the store: there may be a million chats.
    model_config = ConfigDict(populate_by_name=True, loc_by_alias=False)

    client_id: Annotated[UUID | None, Field(alias="c")] = None
    own_token: Annotated[Secret, Field(alias="o")] = None
    token: Annotated[Secret, Field(alias="t")] = None
    user_id: Annotated[str | None, Field(alias="u")] = None
    token_expires_at: Annotated[UtcTime | None, Field(alias="x")] = None
    account_epoch: Annotated[str | None, Field(alias="e")] = None
    language: Annotated[str | None, Field(alias="l")] = None
    auto_export: Annotated[bool, Field(alias="ax")] = True
    send_as_file: Annotated[bool, Field(alias="f")] = False
    shrink_results: Annotated[bool, Field(alias="sr")] = True
    replace_results: Annotated[bool, Field(alias="rr")] = False
    export_refused_at: Annotated[UtcTime | None, Field(alias="xr")] = None
    greeted: Annotated[bool, Field(alias="g")] = False
    members_may_change: Annotated[bool, Field(alias="m")] = False


SHARED_FIELDS = frozenset(SharedFields.model_fields)


class ChatFields(SharedFields):
    """The fields of a chat, and of a topic's project. `Chats.update` saves those that an instance was created with.

    Attributes:
        account: Whose account the project below belongs to.
        project_epoch: The account's epoch when the project was opened; with another one it is out of reach.
        session_id: Its project.
        task_id: The task that the project came with.
        lost_session_id: A project that NemoVideo lost; None once a person decided whether its files are put back.
        claim_token: Opens a project in a browser; anyone who has it can take the project over.
        claim_session_id: The project that the claim token opens.
        claim_expires_at: When the claim token expires; None if it does not, as far as is known.
        skill: The active skill card's name.
        result_chat_id: Telegram's id of the chat that holds the message with the latest finished video.
        result_message_id: The id of that message.
        result_session_id: The project of that video.
        result_in_use: Whether a person has replied to that message or pinned it.
        answer_job_id: The job with the agent's latest answer.
        answer_session_id: The project of that answer.
        last_only_job_id: The waiting request before which no other is rendered.
        takes_name: Whether this is a topic that gets the name of its project.
        saved_prompt: An example that waits for the clip that it edits.
        saved_prompt_until: How long it waits.
        caption_job_id: The post to a channel whose caption is the next message.
    """

    account: Annotated[AccountKind, Field(alias="a")] = AccountKind.NONE
    project_epoch: Annotated[str | None, Field(alias="p")] = None
    session_id: Annotated[str | None, Field(alias="s")] = None
    task_id: Annotated[str | None, Field(alias="i")] = None
    lost_session_id: Annotated[str | None, Field(alias="ls")] = None
    claim_token: Annotated[Secret, Field(alias="ct")] = None
    claim_session_id: Annotated[str | None, Field(alias="cs")] = None
    claim_expires_at: Annotated[UtcTime | None, Field(alias="cx")] = None
    skill: Annotated[str | None, Field(alias="k")] = None
    result_chat_id: Annotated[int | None, Field(alias="rc")] = None
    result_message_id: Annotated[int | None, Field(alias="rm")] = None
    result_session_id: Annotated[str | None, Field(alias="rs")] = None
    result_in_use: Annotated[bool, Field(alias="ru")] = False
    answer_job_id: Annotated[str | None, Field(alias="aj")] = None
    answer_session_id: Annotated[str | None, Field(alias="as")] = None
    last_only_job_id: Annotated[str | None, Field(alias="lo")] = None
    takes_name: Annotated[bool, Field(alias="tn")] = False
    saved_prompt: Annotated[str | None, Field(alias="kp")] = None
    saved_prompt_until: Annotated[UtcTime | None, Field(alias="ku")] = None
    caption_job_id: Annotated[str | None, Field(alias="cj")] = None

    # Encrypted in the store: what decrypts or encrypts comes in as the context of validation and serialization.
    @field_validator("own_token", "token", "claim_token", mode="before")
    @classmethod
    def _decrypt(cls, value: Any, info: ValidationInfo) -> Any:
        if info.context is None or not isinstance(value, str):
            return value
        try:
            return info.context(info.field_name, value)
        except TokenCipherError as error:
            raise ValueError(str(error)) from None

    @field_serializer("own_token", "token", "claim_token")
    def _encrypt(self, value: str | None, info: FieldSerializationInfo) -> str | None:
        return info.context(info.field_name, value) if value and info.context is not None else value


STORED_NAMES = {name: str(field.alias) for name, field in ChatFields.model_fields.items()}
"""The name of each field in the store."""

_SHARED_NAMES = frozenset(STORED_NAMES[name] for name in SHARED_FIELDS)


class Chat(ChatFields):
    """What is known of a chat at one moment; a chat never seen has the defaults."""

    key: ChatKey

    def lacks_export(self, now: datetime) -> bool:
        """Return whether the account's plan refused an export so recently that only a request for one tries again."""
        return self.export_refused_at is not None and now - self.export_refused_at < EXPORT_REFUSED_FOR

    def exports_by_itself(self, now: datetime) -> bool:
        """Return whether an edit is followed by an export that nobody asked for."""
        return self.auto_export and not self.lacks_export(now)

    def as_listed_project(self, session_id: str, now: datetime, **facts: Any) -> ListedProject:
        """Return its project as it stands in the list of those that it can go back to.

        Args:
            session_id: The project.
            now: When it was used, UTC.
            facts: What else is known of it.
        """
        return ListedProject(
            session_id=session_id,
            task_id=self.task_id,
            account=self.account,
            project_epoch=self.project_epoch,
            used_at=now,
            **facts,
        )

    def is_latest_result(self, telegram_chat_id: int, message_id: int) -> bool:
        """Return whether a message holds the latest finished video.

        Args:
            telegram_chat_id: The chat's id in Telegram; a group that becomes a supergroup leaves its messages behind.
            message_id: The message's id there.
        """
        return (self.result_chat_id, self.result_message_id) == (telegram_chat_id, message_id)


class CachedResult(StoredModel):
    """A video that was delivered to a chat.

    Attributes:
        draft_digest: The digest of the draft it was made from.
        file_id: Telegram's id, with which it is sent again without an upload.
        kind: What it was sent as.
        as_file: Whether a file was asked for.
    """

    draft_digest: str
    file_id: str
    kind: ResultKind
    as_file: bool = False


class Chats:
    """The chats in the store. Each write extends the time for which the chat is kept."""

    def __init__(
        self, redis: Redis, token_cipher: TokenCipher, ttl_days: int = DEFAULT_CHAT_TTL_DAYS
    ) -> None:
        self._redis = redis
        self._token_cipher = token_cipher
        self.ttl_days = ttl_days
        self._ttl_s = ttl_days * _DAY_S
        self._readings = ChatReadCache[Chat]()
        self.project_list = ProjectList(redis, self._ttl_s)
        self.versions = Versions(redis, self._ttl_s)
        self.templates = Templates(redis, self._ttl_s)
        self.brands = Brands(redis, self._ttl_s)
        self.channels = Channels(redis, self._ttl_s)
        self.inline_requests = InlineRequests(redis)
        self._change = LuaScript(redis, __package__, "change")

    async def get_for(self, job: ChatReader) -> Chat:
        """Return what is known of a job's chat; its steps share one reading for a moment, see `ChatReadCache`."""
        return await self._readings.get(job.chat, job.id, lambda: self.get(job.chat))

    async def language_for(self, job: ChatReader) -> str | None:
        """Return the language that a job's chat has chosen."""
        return (await self.get_for(job)).language

    async def get(self, key: ChatKey) -> Chat:
        """Return what is known of a chat; reading creates nothing.

        A value that can't be read, such as a token whose encryption key was dropped, counts as not set.
        """
        account, own = keys.chat_key(str(key.of_account)), keys.chat_key(str(key))
        if own == account:
            stored = await cast(Any, self._redis.hgetall(own))
        else:
            async with self._redis.pipeline() as pipe:  # At one moment.
                pipe.hgetall(account)
                pipe.hgetall(own)
                shared, stored = await pipe.execute()
            stored = {name: value for name, value in shared.items() if name in _SHARED_NAMES} | stored
        fields: dict[str, Any] = {name: from_stored(value) for name, value in stored.items()}
        fields["key"], decrypt = key, partial(self.decrypt, key)
        try:
            return Chat.model_validate(fields, context=decrypt)
        except ValidationError as error:
            for name in {item["loc"][0] for item in error.errors(include_input=False)}:
                structlog.get_logger().warning("chat.unreadable", chat=str(key), field=name)
                del fields[STORED_NAMES[str(name)]]
        return Chat.model_validate(fields, context=decrypt)

    def encrypt(self, key: ChatKey, use: str, secret: str) -> str:
        """Encrypt a secret that a job keeps.

        Args:
            key: The job's chat.
            use: What it is for; only the same chat and use decrypt it.
            secret: The secret.
        """
        return self._token_cipher.encrypt(secret, _encryption_context(key, use))

    def decrypt(self, key: ChatKey, use: str, encrypted: str) -> str:
        """Decrypt a secret that `encrypt` returned for this chat and use.

        Raises:
            TokenCipherError: Its encryption key was dropped, or it is of another chat or use.
        """
        return self._token_cipher.decrypt(encrypted, _encryption_context(key, use))

    async def extend_ttl(self, key: ChatKey) -> None:
        """Renew a chat's TTL, as every write does."""
        await self._write(key, {})

    async def ensure_client_id(self, key: ChatKey) -> UUID:
        """Return the chat's client id, created if it has none; concurrent callers get the same one."""
        name = keys.chat_key(str(key.of_account))
        with self._readings.updating(key):
            async with self._redis.pipeline(transaction=True) as transaction:
                transaction.hsetnx(name, STORED_NAMES["client_id"], to_stored(uuid4()))
                transaction.hget(name, STORED_NAMES["client_id"])
                for kept in self._kept(key):
                    transaction.expire(kept, self._ttl_s)
                _, client_id, *_ = await transaction.execute()
        return UUID(from_stored(client_id))

    def person_digest(self, person_id: int) -> str:
        """Return what stands for a person where their id may not be kept."""
        return self._token_cipher.digest(f"person {person_id}")

    def account_lock(self, key: ChatKey) -> Lock:
        """Return a lock that only one job of the chat, in any topic and process, has at a time."""
        name = keys.account_lock_key(str(key.of_account))
        # What erases the chat takes the lock as well.
        return self._redis.lock(name, timeout=keys.ACCOUNT_LOCK_TTL_S, raise_on_release_error=False)

    async def replace_client_id(self, key: ChatKey, refused: UUID) -> UUID:
        """Replace a refused client id and return the new one; if another job has replaced it already, return that."""
        chat = await self.get(key)
        if chat.client_id is not None and chat.client_id != refused:
            return chat.client_id
        client_id = uuid4()
        await self.update(key, ChatFields(client_id=client_id, user_id=None))
        return client_id

    async def update(self, key: ChatKey, *changes: ChatFields) -> None:
        """Save some fields in one transaction; the others keep their values, whoever writes them meanwhile.

        Args:
            key: Which chat.
            *changes: Their explicitly set fields are saved; None removes a field. Of several, the last one wins.
        """
        values: dict[str, Any] = {}
        for change in changes:
            values |= change.model_dump(exclude_unset=True, context=partial(self.encrypt, key))

        new = {name: getattr(one, name) for one in changes for name in one.model_fields_set}

        def changed(chat: Chat) -> Chat:
            default = {name: Chat.model_fields[name].default for name, value in new.items() if value is None}
            return chat.changed(**new | default)

        with self._readings.updating(key, changed):
            await self._write(key, values)

    async def has_content(self, chat: Chat) -> bool:
        """Return whether a chat's project has files, or the agent was ever asked for something in it."""
        if chat.session_id is None:
            return False
        if chat.answer_session_id == chat.session_id or await self.project_files(
            chat.key, chat.session_id, 1
        ):
            return True
        return await self.project_list.find(chat.key, project_mark(chat.session_id)) is not None

    async def add_to_project_list(self, chat: Chat, now: datetime, *, is_lost: bool = False) -> None:
        """Put a chat's current project, if it has content, into the list of those that the chat can go back to.

        Args:
            chat: The chat.
            now: When it was used, UTC.
            is_lost: Whether NemoVideo no longer has it, or refuses its guest account.
        """
        if chat.session_id is not None and await self.has_content(chat):
            await self.project_list.save(
                chat.key, chat.as_listed_project(chat.session_id, now, is_lost=is_lost)
            )

    async def save_latest_result(self, before: Chat, telegram_chat_id: int, message_id: int) -> None:
        """Save which message holds the latest finished video, of the chat's current project.

        A worker that comes too late changes nothing: another video has been saved since it read the chat.

        Args:
            before: The chat as it was read before the video was delivered: gives the project of the video, and the
                latest video then. If another one has been saved since, nothing is written.
            telegram_chat_id: The chat's id in Telegram.
            message_id: The id of the message with the video.
        """
        latest = {"result_chat_id": telegram_chat_id, "result_message_id": message_id}
        changes = latest | {"result_session_id": before.session_id or "", "result_in_use": None}
        expected = {name: getattr(before, name) or "" for name in latest}
        with self._readings.updating(before.key):
            await self._write(before.key, changes, expected)

    async def mark_result_in_use(self, key: ChatKey, telegram_chat_id: int, message_id: int) -> None:
        """Record that a person still needs a message, if it holds the latest finished video."""
        latest = {"result_chat_id": telegram_chat_id, "result_message_id": message_id}
        with self._readings.updating(key):
            await self._write(key, {"result_in_use": True}, latest)

    async def save_result(self, key: ChatKey, result: CachedResult) -> None:
        """Save a delivered video, so that the same draft is not rendered and uploaded again."""
        await self._push(key, keys.results_key(str(key)), result, MAX_RESULTS)

    async def find_result(
        self, key: ChatKey, draft_digest: str, *, as_file: bool = False
    ) -> CachedResult | None:
        """Return the latest video that was made from a draft, if it is still known.

        Args:
            key: Which chat.
            draft_digest: The draft's digest.
            as_file: Whether a file is wanted. A video that could be sent only as a file serves both.
        """
        for result in await self._entries(CachedResult, keys.results_key(str(key))):
            fits = result.as_file == as_file or (as_file and result.kind == "document")
            if result.draft_digest == draft_digest and fits:
                return result
        return None

    async def save_project_file(self, key: ChatKey, file: ProjectFile) -> None:
        """Save which file of a project a message brought, for replies to that message."""
        await self._push(key, keys.uploads_key(str(key)), file, MAX_UPLOADS)

    async def find_project_file(
        self, key: ChatKey, telegram_chat_id: int, message_id: int
    ) -> ProjectFile | None:
        """Return the file that a message brought, if it is still known."""
        files = await self._entries(ProjectFile, keys.uploads_key(str(key)))
        location = (telegram_chat_id, message_id)
        return next((file for file in files if (file.telegram_chat_id, file.message_id) == location), None)

    async def project_files(self, key: ChatKey, session_id: str, limit: int) -> list[ProjectFile]:
        """Return the files of a project that can be uploaded again, in the order in which they came.

        Args:
            key: Which chat.
            session_id: The project.
            limit: How many at most; the latest count.
        """
        every = await self._entries(ProjectFile, keys.uploads_key(str(key)))
        by_id = {file.file_id: file for file in every if file.session_id == session_id and file.file_id}
        return list(by_id.values())[:limit][::-1]

    async def _entries(self, kind: type[M], name: str) -> list[M]:
        texts = await cast(Any, self._redis.lrange(name, 0, -1))
        return [kind.model_validate_json(text) for text in texts]

    async def _push(self, key: ChatKey, name: str, item: BaseModel, limit: int) -> None:
        entry = {"entry": item.model_dump_json(), "kept": limit}
        await self._change([name, *self._kept(key)], changes=[], ttl_s=self._ttl_s, **entry)

    async def _write(
        self, key: ChatKey, changes: Mapping[str, Any], expected: Mapping[str, Any] | None = None
    ) -> None:
        before = {} if expected is None else {"expected": _fields(key, expected)}
        await self._change(self._kept(key), changes=_fields(key, changes), ttl_s=self._ttl_s, **before)

    def _kept(self, key: ChatKey) -> list[str]:
        """Return the keys of what lives as long as a chat."""
        chats = dict.fromkeys((keys.chat_key(str(key)), keys.chat_key(str(key.of_account))))
        return [*chats, keys.results_key(str(key)), keys.projects_key(str(key.of_projects))]


def _encryption_context(key: ChatKey, use: str) -> str:
    """Return what a secret is bound to; what all topics of a chat share is encrypted for all of them."""
    return f"{key.of_account if use in SHARED_FIELDS else key} {use}"


def _fields(key: ChatKey, values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return where and as what each value is stored; without a value where it is None."""
    return [
        {
            "key": keys.chat_key(str(key.of_account if name in SHARED_FIELDS else key)),
            "name": STORED_NAMES[name],
            **({} if value is None else {"value": to_stored(value)}),
        }
        for name, value in values.items()
    ]
