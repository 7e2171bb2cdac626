"""Conversation files: who says what, and what the bot must answer. ``conversations/README.md`` tells the format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

DIRECTORY = Path(__file__).parent / "conversations"

BOT = "bot"
NEMO = "nemo"
TELEGRAM = "telegram"

FileKind = Literal["video", "photo", "audio", "voice", "document", "animation", "video_note", "sticker"]


class WrongFile(Exception):
    """A conversation file that can't be played; the message says where and why."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class Person(_Model):
    """Somebody with an account."""

    language: str = "en"
    started: bool = True


class Group(_Model):
    """A chat that is not private."""

    type: Literal["group", "supergroup", "channel"] = "supergroup"
    creator: str
    members: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    bot: Literal["", "member", "administrator"] = "member"


class File(_Model):
    """A file to send; made on the spot."""

    kind: FileKind = "video"
    name: str = ""
    seconds: float = 3.0
    width: int = 320
    height: int = 180
    rotation: int = 0
    size_mb: float | None = None
    text: str | None = None
    content_type: str = ""


class PersonStep(_Model):
    """What somebody does."""

    says: str | None = None
    sends: File | None = None
    forwards: File | None = None
    presses: str | None = None
    edits: str | None = None
    caption: str = ""
    to: str | None = None
    by: str | None = None
    on: str | None = None
    chat: str | None = None
    topic: str | None = None
    reply_to: str | None = None
    label: str | None = None
    toast: str | None = None


class Video(_Model):
    """What a delivered video must be; its content is looked at, not only what the bot declared."""

    seconds: float | None = None
    width: int | None = None
    height: int | None = None
    sound: bool | None = None


class BotStep(_Model):
    """What the bot must do."""

    says: Texts = ()
    never_says: Texts = ()
    sends: Video | None = None
    live: Texts = ()
    live_is_gone: bool = False
    buttons: Texts = ()
    reply_to: str | None = None
    chat: str | None = None
    topic: str | None = None
    label: str | None = None
    within_s: float = 20.0


class NemoStep(_Model):
    """What NemoVideo must have been asked, or how it is to behave from here on."""

    messages: int | None = None
    last_message: str | None = None
    charged: int | None = None
    renders: int | None = None
    uploads: int | None = None
    switches: dict[str, Any] = Field(default_factory=dict)
    script: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    fault: dict[str, Any] = Field(default_factory=dict)
    forget_sessions: bool = False
    within_s: float = 20.0


class TelegramStep(_Model):
    """How Telegram is to behave from here on."""

    error: dict[str, Any] | None = None
    drop: dict[str, Any] | None = None
    lose: str | None = None


Step: TypeAlias = PersonStep | BotStep | NemoStep | TelegramStep


class Conversation(_Model):
    """A conversation file, read.

    Args:
        title: A line.
        about: More.
        speed: Seconds of the conversation that pass in a real one.
        settings: Of the bot, by their names in ``.env.example``.
        nemo: Switches of NemoVideo's stand-in.
        people: Who takes part.
        chats: Groups and channels.
        steps: (actor, step), in order.
    """

    title: str
    about: str = ""
    speed: float = Field(20.0, ge=1, le=1000)
    settings: dict[str, Any] = Field(default_factory=dict)
    nemo: dict[str, Any] = Field(default_factory=dict)
    people: dict[str, Person]
    chats: dict[str, Group] = Field(default_factory=dict)
    steps: tuple[tuple[str, Step], ...]


_STEPS: dict[str, type[_Model]] = {BOT: BotStep, NEMO: NemoStep, TELEGRAM: TelegramStep}


def read_conversation(path: Path) -> Conversation:
    """Read a conversation file.

    Raises:
        WrongFile: Not there, no YAML, or not in the format.
    """
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WrongFile(f"{path}: {error}") from error
    if not isinstance(body, dict) or not isinstance(body.get("steps"), list):
        raise WrongFile(f"{path}: a conversation is a mapping with a list of steps")
    steps = [_read_step(path, number, raw, body) for number, raw in enumerate(body["steps"], 1)]
    try:
        return Conversation(**{**body, "steps": tuple(steps)})
    except ValidationError as error:
        raise WrongFile(f"{path}: {_told(error)}") from error


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
        raise WrongFile(f"{where}: {_told(error)}") from error


def _told(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
