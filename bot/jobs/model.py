"""What a chat asked for, as it lies in Redis."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeVar

from bot.chats.key import ChatKey
from bot.jobs.payloads import (
    AnnouncePayload,
    CancelPayload,
    DeleteTokenPayload,
    EditPayload,
    ForgetPayload,
    LinkPayload,
    LoginPayload,
    Payload,
    PrivateAnswerPayload,
    SayPayload,
    SkillPayload,
)

P = TypeVar("P", bound=Payload)

MAX_PROMPT_CHARS = 8000
"""The longest request that is passed on; more is no request but a book."""

JOB_ID_BYTES = 8
"""Random bytes in a job's id; its 16 hex digits fit well into Telegram's 64 bytes of callback data."""


class QueueName(StrEnum):
    """Queues of one chat. Each keeps its order and runs one job at a time; the lanes run side by side."""

    MAIN = "main"  # everything that changes or renders the chat's project
    QUICK = "quick"  # questions, answered while an edit is running


class JobKind(StrEnum):
    """What a job is for."""

    EDIT = "edit"  # words, files or both, for the agent; the export may follow
    EXPORT = "export"  # render the draft as it is
    NEW = "new"  # start an empty project
    CREDITS = "credits"
    STATUS = "status"
    LINK = "link"  # where the project opens in a browser
    LOGIN = "login"  # work with a token that somebody brought; encrypted in ``data``
    LOGOUT = "logout"  # forget it
    HIDE = "hide"  # delete a message that holds a token
    SKILL = "skill"  # show the skill cards, or the greeting and examples of the active one
    SETTINGS = "settings"  # show what holds in the chat
    CANCEL = "cancel"  # stop another job of the chat
    FORGET = "forget"  # erase the chat
    STATS = "stats"  # how the bot stands, for those who run it
    ANNOUNCE = "announce"  # a word of theirs to all chats with running or waiting jobs
    CONFIDED = "confided"  # show in private what came of a job in a group
    SAY = "say"  # a text that needs no other service: help, refusals


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # in its lane's list
    RUNNING = "running"  # in its lane's slot; some worker has it, or had it when it died
    DONE = "done"  # answered
    FAILED = "failed"  # answered with an error
    CANCELLED = "cancelled"  # by the chat; said so


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that lies with Telegram.

    Args:
        file_id: Telegram's handle, good for this bot only.
        kind: video, photo, audio, document, ….
        name: A safe file name with its extension.
        size: Bytes, when Telegram tells.
        content_type: As declared; the content decides in the end.
        duration_s: Of sound and video, in seconds, when Telegram tells; so are the next two.
        width: In pixels.
        height: In pixels.
        message_id: The message that brought it.
        is_result: Whether that was the bot's, with a finished video.
    """

    file_id: str
    kind: str
    name: str
    size: int | None
    content_type: str
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    message_id: int | None = None
    is_result: bool = False

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """From its stored form; fields of an earlier or later release may be missing or too many."""
        return cls(**{name: body[name] for name in cls.__slots__ if name in body})

    @property
    def is_text(self) -> bool:
        """Whether it is a text file, whose words are the request."""
        return self.kind == "document" and self.name.lower().endswith(".txt")


@dataclass(frozen=True, slots=True)
class Job:
    """One thing that a chat asked for; what its steps need to know of the request.

    Args:
        id: 16 hex digits.
        chat: Where it was asked.
        queue: Which of the chat's queues it waits in.
        kind: What it is for.
        owner_id: Telegram id of whoever asked.
        message_id: The request, which answers reply to.
        language: ``en`` or ``zh``, in which it is answered.
        asked_at: When it was received, UTC.
        text: The request, without command.
        files: What came with it.
        payload: What else its kind needs; ``None`` if that is nothing.
        address: The id that the chat had in Telegram then, which ``message_id`` belongs to; None is that of ``chat``.
        chat_title: What the group is called, for what is told of it in private.
    """

    id: str
    chat: ChatKey
    queue: QueueName
    kind: JobKind
    owner_id: int
    message_id: int | None
    language: str
    asked_at: datetime
    text: str = ""
    files: tuple[Attachment, ...] = ()
    payload: Payload | None = None
    address: int | None = None
    chat_title: str = ""

    @property
    def place(self) -> int:
        """The id in Telegram of the chat that its messages' numbers belong to, those of its files too."""
        return self.chat.chat_id if self.address is None else self.address

    def payload_as(self, payload: type[P]) -> P:
        """Return the payload of a kind that has this class; an empty one where the job was made without."""
        return self.payload if isinstance(self.payload, payload) else payload()

    def to_json(self) -> str:
        """The form that is stored."""
        body = asdict(self)
        body["chat"] = str(self.chat)
        body["asked_at"] = self.asked_at.isoformat()
        body["payload"] = None if self.payload is None else self.payload.model_dump(mode="json")
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the stored form; fields that a later release added are ignored."""
        body = json.loads(text)
        known = {name: body[name] for name in cls.__slots__ if name in body}
        return cls(
            **known
            | {
                "chat": ChatKey.parse(body["chat"]),
                "queue": QueueName(body["queue"]),
                "kind": JobKind(body["kind"]),
                "payload": _read_payload(JobKind(body["kind"]), body.get("payload")),
                "files": tuple(Attachment.of(file) for file in body["files"]),
                "asked_at": datetime.fromisoformat(body["asked_at"]),
            }
        )


PAYLOADS: Mapping[JobKind, type[Payload]] = {
    JobKind.EDIT: EditPayload,
    JobKind.LINK: LinkPayload,
    JobKind.LOGIN: LoginPayload,
    JobKind.HIDE: DeleteTokenPayload,
    JobKind.SKILL: SkillPayload,
    JobKind.CANCEL: CancelPayload,
    JobKind.FORGET: ForgetPayload,
    JobKind.ANNOUNCE: AnnouncePayload,
    JobKind.CONFIDED: PrivateAnswerPayload,
    JobKind.SAY: SayPayload,
}
"""What jobs of each kind carry; the others carry nothing."""


def _read_payload(kind: JobKind, body: Any) -> Payload | None:
    return None if body is None or kind not in PAYLOADS else PAYLOADS[kind].model_validate(body)


def retry_id(job_id: str) -> str:
    """The id of the job that tries another one again: always the same, so that two presses start one."""
    return hashlib.sha256(f"retry of {job_id}".encode()).hexdigest()[: 2 * JOB_ID_BYTES]


def press_id(address: int, message_id: int, data: str) -> str:
    """The id of the job that a button starts: always the same, so that two presses start one.

    Args:
        address: The id that the button's chat has in Telegram: a group that moves counts its messages anew.
        message_id: Of the button's message.
        data: What it carries.
    """
    return hashlib.sha256(f"press of {data} in {address}/{message_id}".encode()).hexdigest()[
        : 2 * JOB_ID_BYTES
    ]


def new_job_id() -> str:
    """A fresh id; random, so that nobody can guess the job behind a button."""
    return secrets.token_hex(JOB_ID_BYTES)
