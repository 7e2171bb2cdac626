"""The service's other answers, each read from any JSON value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from bot.nemo import read
from bot.nemo.drafts import Draft, read_draft


@dataclass(frozen=True, slots=True)
class AnonymousToken:
    """An account without a name, for 7 days.

    Args:
        token: ``nmv_usr_…``
        user_id: ``anon_…``, for :func:`register_link`.
        expires_at: UTC; ``None`` if not told.
        credits: What it begins with.
    """

    token: str = field(repr=False)
    user_id: str | None = None
    expires_at: datetime | None = None
    credits: float | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A project of the agent's; ``task_id`` is what a claim token is made of."""

    session_id: str
    task_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimToken:
    """The right to take a project over in a browser, once, for :func:`claim_link`."""

    token: str = field(repr=False)
    expires_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Credits:
    """An account's credits: to spend, held by running work, and both."""

    available: float | None
    frozen: float | None
    total: float | None


@dataclass(frozen=True, slots=True)
class ProjectState:
    """A session's state.

    Args:
        draft: Its timeline; ``None`` when there is none yet.
        video_infos: As it came, like the next ones.
        canvas_config: Size of the picture and the like.
        generated_media: What the agent made.
        video_analyses: What the agent saw in the uploads.
        task_id: For a claim token.
        session_id: The session's.
    """

    draft: Draft | None
    video_infos: Any = field(repr=False)
    canvas_config: Any = field(repr=False)
    generated_media: Any = field(repr=False)
    video_analyses: Any = field(repr=False)
    task_id: str | None
    session_id: str | None


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as the service took it; ``duration_s`` in seconds, ``width`` and ``height`` in pixels."""

    filename: str | None
    file_type: str | None
    url: str | None
    duration_s: float | None
    width: int | None
    height: int | None
    fps: float | None
    hash: str | None


@dataclass(frozen=True, slots=True)
class Upload:
    """The answer to an upload.

    Args:
        files: What was taken.
        state_applied: Whether the session knows of the files already; ``None`` if not told.
    """

    files: tuple[UploadedFile, ...]
    state_applied: bool | None


def claim_link(web_url: str, claim: ClaimToken) -> str:
    """The browser address that opens a project. Who has it, has the project."""
    return f"{web_url.rstrip('/')}/workspace/claim?ct={quote(claim.token, safe='')}"


def register_link(web_url: str, user_id: str | None) -> str:
    """The browser address that turns an anonymous account into a registered one."""
    link = f"{web_url.rstrip('/')}/register"
    return f"{link}?bind={quote(user_id, safe='')}" if user_id else link


def data_of(payload: Any) -> Mapping[str, Any]:
    """The fields of an answer, with or without an envelope around them."""
    source = read.mapping(payload)
    return read.mapping(source["data"]) if "data" in source else source


def read_anonymous_token(payload: Any) -> AnonymousToken | None:
    """Read ``data.token`` and what comes with it."""
    data = data_of(payload)
    token = read.text(data.get("token"))
    if token is None:
        return None
    return AnonymousToken(
        token, read.text(data.get("user_id")), _time(data.get("expires_at")), read.number(data.get("credits"))
    )


def read_session(payload: Any) -> Session | None:
    """Read ``data.session_id`` and what comes with it."""
    data = data_of(payload)
    session_id = read.text_at(data, "session_id", "sessionId")
    if session_id is None:
        return None
    return Session(
        session_id, read.text_at(data, "task_id", "taskId"), read.text_at(data, "user_id", "userId")
    )


def read_claim_token(payload: Any) -> ClaimToken | None:
    """Read ``data.claim_token`` and how long it holds."""
    data = data_of(payload)
    token = read.text(data.get("claim_token"))
    return ClaimToken(token, read.number(data.get("expires_in"))) if token else None


def read_credits(payload: Any) -> Credits:
    """Read ``data.available``, ``.frozen`` and ``.total``."""
    data = data_of(payload)
    return Credits(*(read.number(data.get(name)) for name in ("available", "frozen", "total")))


def read_state(payload: Any) -> ProjectState | None:
    """Read ``data.state`` and the ids beside it; ``None`` for an answer that tells nothing of a session."""
    data = data_of(payload)
    if not any(name in data for name in ("state", "task_id", "session_id")):
        return None
    state = read.mapping(data.get("state"))
    draft = state.get("draft")
    return ProjectState(
        draft=read_draft(draft) if draft else None,
        video_infos=state.get("video_infos"),
        canvas_config=state.get("canvas_config"),
        generated_media=state.get("generated_media"),
        video_analyses=state.get("video_analyses"),
        task_id=read.text(data.get("task_id")),
        session_id=read.text(data.get("session_id")),
    )


def read_upload(payload: Any) -> Upload:
    """Read ``data.files`` and whether the session knows of them."""
    data = data_of(payload)
    applied = data.get("session_state_applied")
    files = (read.mapping(item) for item in read.items(data.get("files")))
    return Upload(
        tuple(_uploaded(item) for item in files if item), applied if isinstance(applied, bool) else None
    )


def _uploaded(source: Mapping[str, Any]) -> UploadedFile:
    return UploadedFile(
        filename=read.text(source.get("filename")),
        file_type=read.text(source.get("file_type")),
        url=read.text_at(source, "cdn_url", "url"),
        duration_s=read.number(source.get("duration")),
        width=read.positive(source.get("width")),
        height=read.positive(source.get("height")),
        fps=read.number(source.get("fps")),
        hash=read.text(source.get("hash")),
    )


def _time(value: object) -> datetime | None:
    """ISO 8601, or seconds or milliseconds since 1970; UTC where it names no zone."""
    try:
        if isinstance(value, str) and not value.strip().isdigit():
            found = datetime.fromisoformat(value.strip())
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        seconds = read.number(value)
        if seconds is None:
            return None
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
