"""Read and check conversation files. ``conversations/README.md`` describes the format."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from bot.runtime.terminal import CommandError
from bot.sandbox.nemovideo.scripts import NAMED
from bot.settings import Settings

DIRECTORY = Path(__file__).parent / "conversations"

BOT = "bot"
NEMO = "nemo"
TELEGRAM = "telegram"

GENERAL = "General"
"""The topic of a forum for messages without a topic."""

NOTHING = "nothing"
TOPIC = "topic"
"""What a step may reply to besides labels: nothing, and the first message of its topic."""

ANONYMOUS = "anonymous"
"""Instead of a channel's title: an admin writes in the group's name."""

PERSON_ACTIONS = (
    "says",
    "sends",
    "sends_album",
    "forwards",
    "forwards_all",
    "posts",
    "presses",
    "follows",
    "types_inline",
    "edits",
    "deletes",
)

FileKind = Literal[
    "video", "photo", "live_photo", "audio", "voice", "document", "animation", "video_note", "sticker"
]


class WrongFile(CommandError):
    """A conversation file that can't be played; the message says where and why."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_list(value: object) -> object:
    pieces = value if isinstance(value, list | tuple) else [value]
    # YAML reads 100 as a number; here it is the text of a message.
    return [str(piece) if isinstance(piece, int | float) else piece for piece in pieces]


Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class Person(_Model):
    """A person with a Telegram account."""

    language: str = "en"
    started: bool = True
    topics: tuple[str, ...] = ()


class Group(_Model):
    """A group or channel."""

    type: Literal["group", "supergroup", "channel"] = "supergroup"
    creator: str
    members: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    discussion: str | None = None
    bot: Literal["", "member", "administrator"] = "member"


class Account(_Model):
    """A registered account of NemoVideo."""

    credits: int = 1000
    may_render: bool = True


class Telegram(_Model):
    """The kind of Bot API server."""

    local: bool = False
    flood_limits: bool = True
    inline: bool = False
    guest: bool = False
    topics: bool = False


class Quality(_Model):
    """A smaller version that Telegram makes of a video."""

    width: int
    height: int
    size_mb: float
    codec: str = "h264"


class File(_Model):
    """A file to send, generated when it is sent."""

    kind: FileKind = "video"
    name: str = ""
    seconds: float = 2.0
    width: int = 160
    height: int = 90
    rotation: int = 0
    size_mb: float | None = None
    text: str | None = None
    holds: str = ""
    content_type: str = ""
    declares: dict[str, Any] = Field(default_factory=dict)
    qualities: tuple[Quality, ...] = ()


class PersonStep(_Model):
    """What a person does: one of `PERSON_ACTIONS`, with details in the other fields."""

    says: str | None = None
    sends: File | None = None
    sends_album: tuple[File, ...] | None = None
    forwards: File | None = None
    forwards_all: tuple[File, ...] | None = None
    posts: dict[str, Any] | None = None
    presses: str | None = None
    follows: str | None = None
    types_inline: str | None = None
    offers: Texts = ()
    picks: str | None = None
    starts: str | None = None
    edits: str | None = None
    deletes: str | None = None
    caption: str = ""
    caption_on: int = 1
    comment: str = ""
    album_of: str | None = None
    to: str | None = None
    file: File | None = None
    by: str | None = None
    on: str | None = None
    toast: str | None = None
    opens: str | None = None
    chat: str | None = None
    topic: str | None = None
    reply_to: str | None = None
    sent_as: str | None = Field(default=None, validation_alias="as")
    label: str | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        done = [name for name in PERSON_ACTIONS if getattr(self, name) is not None]
        if len(done) != 1:
            raise ValueError(
                f"somebody does one of {', '.join(PERSON_ACTIONS)}, not {' and '.join(done) or 'nothing'}"
            )
        return self


class Video(_Model):
    """What a delivered video must be, by its content and not only by what the bot declared."""

    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    sound: bool | None = None
    cover: bool | None = None


class BotStep(_Model):
    """What the bot must do."""

    says: Texts = ()
    never_says: Texts = ()
    formatted: dict[str, str] = Field(default_factory=dict)
    sends: Video | None = None
    shows: Literal["photo", "document", "animation", "audio", "video_note"] | None = None
    live: Texts = ()
    live_is_gone: bool = False
    buttons: Texts = ()
    reply_to: str | None = None
    messages: int | None = None
    sent: int | None = None
    again: str | None = None
    gone: str | None = None
    buttonless: str | None = None
    idle: bool = False
    chat: str | None = None
    topic: str | None = None
    label: str | None = None
    within_s: float = 60.0


class Uploaded(_Model):
    """A file that NemoVideo must have got, by its content."""

    name: str | None = None
    kind: Literal["video", "image", "audio"] | None = None
    seconds: float | None = None
    width: int | None = None
    height: int | None = None


class NemoStep(_Model):
    """What NemoVideo must have been asked for, or how it behaves from here on."""

    messages: int | None = None
    last_message: str | None = None
    charged: int | None = None
    renders: int | None = None
    last_render: str | None = None
    uploads: int | None = None
    upload_requests: int | None = None
    last_upload: Uploaded | None = None
    sessions: int | None = None
    switches: dict[str, Any] = Field(default_factory=dict)
    script: str | list[dict[str, Any]] | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    fault: dict[str, Any] = Field(default_factory=dict)
    accounts: dict[str, Any] = Field(default_factory=dict)
    forget_sessions: bool = False
    hold: str | None = None
    reached: str | None = None
    release: bool = False
    within_s: float = 60.0

    @field_validator("script")
    @classmethod
    def _is_known(cls, value: str | list[dict[str, Any]] | None) -> str | list[dict[str, Any]] | None:
        if isinstance(value, str) and value not in NAMED:
            raise ValueError(f"there is no script {value}, there are {', '.join(sorted(NAMED))}")
        return value


class Membership(_Model):
    """A new status of a person or the bot in a chat."""

    chat: str
    who: str
    status: Literal["administrator", "member", "restricted", "left", "kicked"]
    rights: dict[str, bool] = Field(default_factory=dict)


class CallDrop(_Model):
    """Calls of bots whose connection breaks; no methods mean all."""

    methods: tuple[str, ...] = ()
    when: Literal["before", "after"] = "before"
    times: int | None = 1


class CallError(CallDrop):
    """Calls of bots that are refused."""

    code: int
    description: str
    retry_after: int = 0


class TelegramStep(_Model):
    """How Telegram behaves from here on, and what happens to people and chats there."""

    error: CallError | None = None
    drop: CallDrop | None = None
    lose: str | None = None
    clear: bool = False
    copies: int | None = None
    confirmed: bool = False
    migrate: str | None = None
    member: Membership | None = None
    block: dict[str, bool] = Field(default_factory=dict)
    privacy: bool | None = None
    heard: bool = False


Step: TypeAlias = PersonStep | BotStep | NemoStep | TelegramStep


class Conversation(_Model):
    """A conversation file's content.

    Args:
        title: Its title, a line.
        about: A longer description.
        speed: Seconds of the conversation that pass in a second of work; time in which all wait is skipped.
        settings: Settings of the bot, by their names in ``.env.example``.
        telegram: The Bot API server.
        nemo: Switches of NemoVideo's stand-in.
        transcriber: What an endpoint hears in spoken requests, in order; without it there is none.
        accounts: NemoVideo's registered accounts, by their tokens.
        people: The participants by name.
        chats: Groups and channels by title.
        steps: The steps as (actor, step), in order.
    """

    title: str
    about: str = ""
    speed: float = Field(5.0, ge=1, le=1000)
    settings: dict[str, Any] = Field(default_factory=dict)
    telegram: Telegram = Telegram()
    nemo: dict[str, Any] = Field(default_factory=dict)
    transcriber: tuple[str, ...] | None = None
    accounts: dict[str, Account] = Field(default_factory=dict)
    people: dict[str, Person]
    chats: dict[str, Group] = Field(default_factory=dict)
    steps: tuple[tuple[str, Step], ...]

    @field_validator("settings")
    @classmethod
    def _settings_are_known(cls, value: dict[str, Any]) -> dict[str, Any]:
        unknown = [name for name in value if name.lower() not in Settings.model_fields]
        if unknown:
            raise ValueError(f"there is no setting {', '.join(unknown)}")
        return value

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for title, group in self.chats.items():
            for name in (group.creator, *group.members):
                if name not in self.people:
                    raise ValueError(f"chat {title}: nobody is called {name}")
            if group.discussion is not None and group.discussion not in self.chats:
                raise ValueError(f"chat {title}: there is no chat {group.discussion}")
        return self


_BOOL = "tag:yaml.org,2002:bool"

_STEPS: dict[str, type[_Model]] = {BOT: BotStep, NEMO: NemoStep, TELEGRAM: TelegramStep}


class _Loader(yaml.CSafeLoader):
    """Loads YAML in which ``on`` is a word, and only ``true`` and ``false`` are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != _BOOL]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile("^(?:true|false)$"), list("tf"))


def read_conversation(path: Path) -> Conversation:
    """Read a conversation file.

    Raises:
        WrongFile: The file is missing, no YAML, or not in the format.
    """
    try:
        body = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - derived from the safe one
    except OSError as error:
        raise WrongFile(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise WrongFile(f"{path}: no YAML: {error}") from error
    if not isinstance(body, dict) or not isinstance(body.get("steps"), list):
        raise WrongFile(
            f"{path}: a conversation is a mapping with a list of steps, see README.md beside the others"
        )
    steps = [_read_step(path, number, raw, body) for number, raw in enumerate(body["steps"], 1)]
    try:
        conversation = Conversation(**{**body, "steps": tuple(steps)})
    except ValidationError as error:
        raise WrongFile(f"{path}: {_describe(error)}") from error
    _check_names(path, conversation)
    return conversation


def _read_step(path: Path, number: int, raw: object, body: dict[str, Any]) -> tuple[str, Any]:
    where = f"{path}, step {number}"
    if not isinstance(raw, dict) or len(raw) != 1:
        raise WrongFile(f"{where}: a step is one actor with what it does")
    ((actor, what),) = raw.items()
    if actor not in _STEPS and actor not in (body.get("people") or {}):
        raise WrongFile(f"{where}: nobody is called {actor}")
    try:
        return actor, _STEPS.get(actor, PersonStep).model_validate(what)
    except ValidationError as error:
        raise WrongFile(f"{where} ({actor}): {_describe(error)}") from error


_NAMING = {"reply_to", "on", "edits", "deletes", "lose", "again", "gone", "buttonless", "album_of"}


def _topics(conversation: Conversation, chat: str | None, actor: str) -> tuple[str, ...]:
    """Return the topics of a group, or of the private chat that a step is about."""
    if chat is not None:
        return conversation.chats[chat].topics
    # The bot answers whoever acted last.
    people = [
        one for name, one in conversation.people.items() if actor not in conversation.people or name == actor
    ]
    return tuple(topic for one in people for topic in one.topics)


def _check_names(path: Path, conversation: Conversation) -> None:
    """Check that each step names only what exists by then."""
    labels = {NOTHING, TOPIC}
    for number, (actor, step) in enumerate(conversation.steps, 1):
        named = step.model_dump(include=_NAMING, exclude_none=True)
        wrong = [f"no message has the label {label} yet" for label in named.values() if label not in labels]
        chat = getattr(step, "chat", None)
        topic = getattr(step, "topic", None)
        if chat is not None and chat not in conversation.chats:
            wrong.append(f"there is no chat {chat}")
        elif chat is None and conversation.telegram.topics:
            pass  # The bot may open and rename topics.
        elif topic not in (None, GENERAL, *_topics(conversation, chat, actor)):
            wrong.append(f"{chat or actor} has no topic {topic}")
        wrong += _wrong_names(step, conversation)
        if wrong:
            raise WrongFile(f"{path}, step {number} ({actor}): {'; '.join(wrong)}")
        if (label := getattr(step, "label", None)) is not None:
            labels.add(label)


def _wrong_names(step: Step, conversation: Conversation) -> list[str]:
    people: list[str] = []
    chats: list[str] = []
    match step:
        case PersonStep():
            people = [step.by] if step.by else []
            chats = [step.sent_as] if step.sent_as not in (None, ANONYMOUS) else []
        case TelegramStep():
            people = [*step.block, *([step.member.who] if step.member else [])]
            chats = [*([step.migrate] if step.migrate else []), *([step.member.chat] if step.member else [])]
        case _:
            return []
    return [
        *(f"nobody is called {name}" for name in people if name not in (*conversation.people, BOT)),
        *(f"there is no chat {title}" for title in chats if title not in conversation.chats),
    ]


def _describe(error: ValidationError) -> str:
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"]))) for item in error.errors()
    )
