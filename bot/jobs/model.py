"""A job: what a chat asked for, as it is stored in Redis."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BeforeValidator,
    PlainSerializer,
    SerializeAsAny,
    TypeAdapter,
    ValidationInfo,
)

from bot.chats.key import ChatKey
from bot.chats.project_file import ProjectFile
from bot.jobs.checkpoints import SentMessage
from bot.jobs.job_state import JobState as JobState
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.payloads import (
    AnnouncePayload,
    BrandPayload,
    CancelPayload,
    ComparePayload,
    DeleteTokenPayload,
    EditPayload,
    ExportPayload,
    ExtractPayload,
    ForgetPayload,
    LinkPayload,
    LoginPayload,
    MessagePayload,
    NewPayload,
    OpenProjectPayload,
    Payload,
    PostPayload,
    PrivateAnswerPayload,
    SkillPayload,
    VariationsPayload,
    WatchPayload,
)

P = TypeVar("P", bound=Payload)

MAX_PROMPT_CHARS = 8000  # longest prompt that is passed on

JOB_ID_BYTES = 8
"""Random bytes in a job's id; its 16 hex digits fit well into Telegram's 64 bytes of callback data."""


class QueueName(StrEnum):
    """Queues of one chat. Each keeps its order and runs one job at a time; the queues run side by side."""

    MAIN = "main"  # everything that changes or renders the chat's project
    QUICK = "quick"  # questions, answered while an edit is running


class JobKind(StrEnum):
    """What a job is for."""

    EDIT = "edit"  # a prompt, files or both, for the agent; the export may follow
    EXPORT = "export"  # render the draft as it is
    OFFER_VARIATIONS = "offer_variations"  # ask what versions of the project should differ in, with the price
    VARIATIONS = "variations"  # make versions of the project that differ in one thing
    EXTRACT = "extract"  # make something else of a finished video: a GIF, its audio
    POST = "post"  # post a finished video to a channel
    NEW = "new"  # start an empty project
    OPEN_PROJECT = "open_project"  # go back to a project of the chat's list
    BRAND = "brand"  # keep a file as a part of the chat's brand
    COMPARE = "compare"  # show two versions of a project side by side
    CREDITS = "credits"
    STATUS = "status"
    LINK = "link"  # where the project opens in a browser
    LOGIN = "login"  # use the token in the payload, which is encrypted
    LOGOUT = "logout"  # delete that token
    DELETE_TOKEN = "delete_token"  # noqa: S105 - delete a message that holds a token
    SKILL = "skill"  # show the skill cards, or the greeting and examples of the active one
    SETTINGS = "settings"  # show the chat's settings
    CANCEL = "cancel"  # stop another job of the chat
    FORGET = "forget"  # erase the chat
    WATCH_UPLOAD = "watch_upload"  # look whether a file that is uploaded in the browser has arrived
    STATS = "stats"  # today's figures, for the operator
    ANNOUNCE = "announce"  # the operator's text to all chats with running or waiting jobs
    PRIVATE_ANSWER = "private_answer"  # show the answer to a job of a group in private
    MESSAGE = "message"  # a text that needs no other service: help, refusals


ACKNOWLEDGED = frozenset({JobKind.EDIT, JobKind.EXPORT, JobKind.VARIATIONS})
"""Kinds of jobs whose request gets a reaction: one while they run, another when they are done."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A smaller version of a video that Telegram keeps beside it."""

    file_id: str  # as in ``Attachment``
    size: int | None  # bytes; ``None`` if Telegram doesn't say
    codec: str  # such as ``h264``
    width: int  # in pixels
    height: int  # in pixels


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file at Telegram."""

    file_id: str  # Telegram's handle; valid for this bot only
    kind: str  # video, photo, audio, document, …
    name: str  # a safe file name with its extension
    size: int | None  # bytes; ``None`` if Telegram doesn't say
    content_type: str  # as declared; the content decides in the end
    duration_s: float | None = None  # length of audio and video in seconds; ``None`` if Telegram doesn't say
    width: int | None = None  # in pixels; ``None`` if Telegram doesn't say
    height: int | None = None  # in pixels; ``None`` if Telegram doesn't say
    message_id: int | None = None  # the message that brought it
    is_result: bool = False  # whether that message was the bot's, with a finished video
    variants: tuple[Variant, ...] = ()  # smaller versions of a video
    unique_id: str = ""  # Telegram's name for the content, which stays the same where ``file_id`` may change

    @classmethod
    def from_project_file(cls, file: ProjectFile, telegram_chat_id: int) -> Self:
        """Return a file that a message of a chat brought before.

        Args:
            file: The file.
            telegram_chat_id: The id that the chat has in Telegram: a group that has moved starts its message numbers
                again.
        """
        return cls(
            file_id=file.file_id,
            kind=file.kind,
            name=file.name,
            size=file.size_bytes,
            content_type=file.content_type,
            unique_id=file.unique_id,
            message_id=file.message_id if file.telegram_chat_id == telegram_chat_id else None,
        )

    @property
    def is_text(self) -> bool:
        """Return whether it is a text file, whose content is a prompt."""
        return self.kind == "document" and self.name.lower().endswith(".txt")


@dataclass(frozen=True, slots=True)
class MessageLocation:
    """Where a message is.

    Args:
        chat_id: The chat's stored id, see ``chats/telegram_ids.py``.
        telegram_chat_id: The id that the chat had in Telegram when the message was sent. In a supergroup that the
            group has become since, the message's number means another message.
        message_id: The message's number.
    """

    chat_id: int
    telegram_chat_id: int
    message_id: int


@dataclass(frozen=True, slots=True)
class GuestQuery:
    """A message by which a person called the bot into a chat that it isn't a member of."""

    id: str  # Telegram's; it can be answered once
    chat_id: int  # the chat's id in Telegram


def _read_chat(value: Any) -> Any:
    return ChatKey.parse(value) if isinstance(value, str) else value


def _read_payload(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, dict):
        return value
    payload = PAYLOADS.get(info.data["kind"])
    return payload.model_validate(value) if payload else None


@dataclass(frozen=True, slots=True)
class Job:
    """What a chat asked for: everything that the steps need to know of the request.

    Args:
        id: 16 hex digits.
        chat: Where it was asked.
        queue: Which of the chat's queues it waits in.
        kind: What it is for.
        requester_id: Telegram id of the person or chat that asked.
        message_id: The message that asked, which answers reply to.
        language: ``en`` or ``zh``, in which it is answered.
        language_code: The language that the chat chose, or the person's as Telegram gives it, such as ``pt-br``.
        asked_at: When it was received, UTC.
        prompt: What it asks for in words, without command.
        files: The files that came with it.
        payload: What else its kind needs; ``None`` if that is nothing.
        telegram_chat_id: The id that the chat had in Telegram then, which ``message_id`` and the message ids of the
            files belong to; 0 stands for the id in ``chat``.
        is_press: Whether a pressed button asked for it: the message that it belongs to is the bot's own.
        chat_title: The group's name, for messages about it in private.
        guest_query: What it answers, if the bot was called as a guest; ``chat`` is the person's private one then.
    """

    id: str
    chat: Annotated[ChatKey, BeforeValidator(_read_chat), PlainSerializer(str)]
    queue: QueueName
    kind: JobKind
    requester_id: int
    message_id: int | None
    language: str
    asked_at: datetime
    prompt: str = ""
    files: tuple[Attachment, ...] = ()
    payload: Annotated[SerializeAsAny[Payload] | None, BeforeValidator(_read_payload)] = None
    telegram_chat_id: int = 0
    chat_title: str = ""
    language_code: str = ""
    is_press: bool = False
    guest_query: GuestQuery | None = None

    def __post_init__(self) -> None:
        if not self.telegram_chat_id:
            object.__setattr__(self, "telegram_chat_id", self.chat.chat_id)

    def payload_as(self, payload: type[P]) -> P:
        """Return the payload of a kind that has this class; an empty one if the job was made without."""
        return self.payload if isinstance(self.payload, payload) else payload()


PAYLOADS: Mapping[JobKind, type[Payload]] = {
    JobKind.EDIT: EditPayload,
    JobKind.EXPORT: ExportPayload,
    JobKind.OFFER_VARIATIONS: VariationsPayload,
    JobKind.VARIATIONS: VariationsPayload,
    JobKind.EXTRACT: ExtractPayload,
    JobKind.POST: PostPayload,
    JobKind.NEW: NewPayload,
    JobKind.OPEN_PROJECT: OpenProjectPayload,
    JobKind.BRAND: BrandPayload,
    JobKind.COMPARE: ComparePayload,
    JobKind.LINK: LinkPayload,
    JobKind.LOGIN: LoginPayload,
    JobKind.DELETE_TOKEN: DeleteTokenPayload,
    JobKind.SKILL: SkillPayload,
    JobKind.CANCEL: CancelPayload,
    JobKind.FORGET: ForgetPayload,
    JobKind.ANNOUNCE: AnnouncePayload,
    JobKind.PRIVATE_ANSWER: PrivateAnswerPayload,
    JobKind.MESSAGE: MessagePayload,
    JobKind.WATCH_UPLOAD: WatchPayload,
}
"""The payload class of each kind; the other kinds have none."""

STORED_JOB = TypeAdapter(Job)
"""Reads and writes the stored form of a job. Fields that a later release added are ignored."""


def message_job(
    chat: ChatKey,
    message: LocalizedMessage | ListMessage,
    *,
    requester_id: int,
    language: str,
    asked_at: datetime,
    job_id: str | None = None,
    progress_message: SentMessage | None = None,
) -> Job:
    """Make a job that sends a message which doesn't answer another one.

    Args:
        chat: The chat that gets the message.
        message: The message.
        requester_id: Telegram id of the person that the message is for.
        language: The chat's, as in ``Job``.
        asked_at: When, UTC.
        job_id: The job's id, where it has to be the same in another attempt or process.
        progress_message: A message in the chat whose place it takes.
    """
    return Job(
        id=job_id or new_job_id(),
        chat=chat,
        queue=QueueName.QUICK,
        kind=JobKind.MESSAGE,
        requester_id=requester_id,
        message_id=None,
        language=language,
        asked_at=asked_at,
        payload=MessagePayload(message=message, progress_message=progress_message),
    )


def retry_job_id(job_id: str) -> str:
    """Return the id of the job that retries another one: always the same, so that two presses start one job."""
    return derived_job_id(f"retry of {job_id}")


def follow_up_job_id(job_id: str, number: int) -> str:
    """Return the id of the nth job that follows from another one: always the same, so that it is stored once."""
    return derived_job_id(f"look {number} of {job_id}")


def guest_job_id(query_id: str) -> str:
    """Return the id of the job that a guest query asks for: the same when its update comes again."""
    return derived_job_id(f"guest query {query_id}")


def job_id_of_press(telegram_chat_id: int, message_id: int, data: str) -> str:
    """Return the id of the job that a button starts: always the same, so that two presses start one job.

    Args:
        telegram_chat_id: The id that the button's chat has in Telegram: a moved group restarts its numbers.
        message_id: The message with the button.
        data: The button's callback data.
    """
    return derived_job_id(f"press of {data} in {telegram_chat_id}/{message_id}")


def derived_job_id(cause: str) -> str:
    """Return the id of the job that has a cause, named in the form that is hashed: the same in all processes."""
    return hashlib.sha256(cause.encode()).hexdigest()[: 2 * JOB_ID_BYTES]


def new_job_id() -> str:
    """Return a random id, which nobody can guess."""
    return secrets.token_hex(JOB_ID_BYTES)
