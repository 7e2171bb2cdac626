"""The service's answers apart from events and renders, each read from any JSON value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from bot.nemo import lenient_json as read
from bot.nemo.drafts import Draft, digest, read_draft
from bot.nemo.errors import Call, code_of, error_for, message_of
from bot.nemo.wire import Attribution

MAX_LIFETIME_S = 366 * 86_400
"""A larger number is in another unit, or a point in time."""


@dataclass(frozen=True, slots=True)
class AnonymousToken:
    """The token of an anonymous account, valid for 7 days.

    Args:
        token: ``nmv_usr_…``
        user_id: ``anon_…``, for :func:`register_link`.
        expires_at: When the token expires (UTC); ``None`` if the service does not say.
    """

    token: str = field(repr=False)
    user_id: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A project of the agent; its ``task_id`` is needed for a claim token, the account's ``user_id`` to register it."""

    session_id: str
    task_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimToken:
    """The right to take over a project in a browser once, see :func:`claim_link`; ``expires_in_s`` in seconds."""

    token: str = field(repr=False)
    expires_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class Credits:
    """An account's credits: available, frozen by running work, and their total."""

    available: float | None
    frozen: float | None
    total: float | None


@dataclass(frozen=True, slots=True)
class ProjectState:
    """A session's state.

    Args:
        draft: Its timeline; ``None`` if there is none yet.
        video_infos: The uploaded videos, as the service describes them.
        generated_media: The generated media, as the service describes them.
        task_id: For a claim token.
        user_id: The account's id, for :func:`register_link`.
    """

    draft: Draft | None
    video_infos: Any = field(repr=False)
    generated_media: Any = field(repr=False)
    task_id: str | None
    user_id: str | None = None

    @property
    def uploads_digest(self) -> str:
        """A digest of the uploads; an answer can say in several ways that there are none."""
        return digest(self.video_infos or None)

    @property
    def has_content(self) -> bool:
        """Whether there is something to edit: uploads, generated media, or a timeline with a segment."""
        is_ready = self.draft is not None and self.draft.is_ready
        return bool(self.video_infos or self.generated_media) or is_ready


@dataclass(frozen=True, slots=True)
class AcceptedFile:
    """A file that the service accepted, by the name that it was sent under.

    ``duration_s`` is in seconds, ``width`` and ``height`` are in pixels.
    """

    name: str | None
    file_type: str | None
    duration_s: float | None
    width: int | None
    height: int | None


def claim_link(web_url: str, claim: ClaimToken, attribution: Attribution) -> str:
    """Return the browser link that opens a project. Anyone who has it can take over the project."""
    return _workspace_link(web_url, {"ct": claim.token}, attribution)


def project_link(web_url: str, task_id: str, session_id: str, attribution: Attribution) -> str:
    """Return the address of a project's page, for the person who is signed in to its account. It holds no token."""
    return _workspace_link(web_url, {"task": task_id, "session": session_id}, attribution)


def _workspace_link(web_url: str, project: Mapping[str, str], attribution: Attribution) -> str:
    skill = {
        "skill_name": attribution.source,
        "skill_version": attribution.version,
        "skill_source": attribution.platform,
    }
    return (
        f"{web_url.rstrip('/')}/workspace/claim?{urlencode({**project, **skill}, quote_via=quote, safe='')}"
    )


def register_link(web_url: str, user_id: str | None) -> str:
    """Return the browser link that turns an anonymous account into a registered one."""
    link = f"{web_url.rstrip('/')}/register"
    return f"{link}?bind={quote(user_id, safe='')}" if user_id else link


def tokens_link(web_url: str) -> str:
    """Return the browser link to the page where people copy their API token."""
    return f"{web_url.rstrip('/')}/dashboard/api-tokens"


def data_of(payload: Any) -> Mapping[str, Any]:
    """Return the fields of an answer, by their names in snake case, with or without an envelope around them."""
    source = read.mapping(payload)
    return read.snake_keys(read.mapping(source.get("data")) or source)


def read_anonymous_token(payload: Any) -> AnonymousToken | None:
    """Read ``data.token`` and what comes with it."""
    data = data_of(payload)
    token = read.text_at(data, "token", "access_token")
    if token is None:
        return None
    return AnonymousToken(token, _user_id(data), _time(data.get("expires_at")))


def read_session(payload: Any) -> Session | None:
    """Read ``data.session_id`` and what comes with it."""
    data = data_of(payload)
    session = read.snake_keys(read.mapping(data.get("session")))
    session_id = read.text(data.get("session_id")) or read.text_at(session, "session_id", "id")
    if session_id is None:
        return None
    task_id = read.text(data.get("task_id")) or read.text(session.get("task_id"))
    return Session(session_id, task_id, _user_id(data))


def read_claim_token(payload: Any) -> ClaimToken | None:
    """Read ``data.claim_token`` and its lifetime."""
    data = data_of(payload)
    token = read.text(data.get("claim_token"))
    expires_in_s = read.number(data.get("expires_in"))
    if expires_in_s is not None and not 0 <= expires_in_s <= MAX_LIFETIME_S:
        expires_in_s = None
    return ClaimToken(token, expires_in_s) if token else None


def read_credits(payload: Any) -> Credits:
    """Read ``data.available``, ``.frozen`` and ``.total``; of several balances, their sums."""
    data = read.mapping(payload).get("data")
    balances = [_balance(one) for one in _balances(data if isinstance(data, list) else data_of(payload))]
    return Credits(*(_sum(amounts) for amounts in zip(*balances, strict=True)))


def _balances(value: Any) -> list[Any]:
    """Return an account's balances, which may stand one level deeper."""
    if isinstance(value, list):
        return value or [{}]
    source = read.mapping(value)
    if read.number(source.get("available")) is not None:
        return [source]
    inner = (source.get(name) for name in ("balances", "balance", "credits", "account"))
    return next((_balances(one) for one in inner if one and isinstance(one, dict | list)), [source])


def _balance(value: Any) -> tuple[float | None, float | None, float | None]:
    source = read.snake_keys(read.mapping(value))
    available = read.number_at(source, "available", "available_credits", "remaining", "balance", "credits")
    frozen = read.number_at(source, "frozen", "frozen_credits")
    total = read.number_at(source, "total", "total_credits")
    if available is None and total is not None:
        available = max(total - (frozen or 0), 0.0)
    return available, frozen, total


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def read_state(payload: Any) -> ProjectState | None:
    """Read ``data.state`` and the task id beside it; return ``None`` for an answer that describes no session."""
    data = data_of(payload)
    if not any(name in data for name in ("state", "task_id", "session_id", "draft")):
        return None
    state = read.snake_keys(read.mapping(data.get("state"))) or data
    draft = state.get("draft")
    return ProjectState(
        draft=read_draft(draft) if draft else None,
        video_infos=state.get("video_infos"),
        generated_media=state.get("generated_media"),
        task_id=read.text(data.get("task_id")),
        user_id=_user_id(data) or _user_id(state),
    )


def accepted_files(call: Call, payload: Any) -> tuple[AcceptedFile, ...]:
    """Return the files that an upload's answer names as accepted; none if it names no file at all.

    Raises:
        ServiceError: All files that it names were refused.
    """
    accepted, listed = read_upload(payload), _listed_files(payload)
    if not accepted and listed is not None:
        said = " ".join(map(message_of, listed)).strip() or "no file was accepted"
        code = next(filter(None, map(code_of, listed)), None)
        raise error_for(call, status=200, code=code, message=said)
    return accepted


def _listed_files(payload: Any) -> list[Mapping[str, Any]] | None:
    """Return the files that an answer to an upload names, accepted or not; ``None`` if it names none at all.

    Each may be an object, a bare name, or the answer itself.
    """
    data = read.mapping(payload).get("data")
    source = data_of(payload)
    listed = data if isinstance(data, list) else read.first_of(source, _FILE_LISTS)
    if isinstance(listed, str):
        listed = read.parse(listed) or [listed]
    if isinstance(listed, dict) and any(name in read.snake_keys(listed) for name in _FILE_MARKS):
        listed = [listed]
    if listed is None and any(name in source for name in _FILE_MARKS):
        listed = [source]
    refused = read.items(read.first_of(source, _REFUSED_LISTS))
    if listed is None and not refused:
        return None
    named = [read.mapping({"filename": one} if isinstance(one, str) else one) for one in read.items(listed)]
    return [read.snake_keys(one) for one in named if one] + [
        {"filename": None, **read.mapping({"message": one} if isinstance(one, str) else one), "ok": False}
        for one in refused
    ]


def read_upload(payload: Any) -> tuple[AcceptedFile, ...]:
    """Read ``data.files``: the accepted files."""
    return tuple(
        AcceptedFile(
            name=read.text_at(file, *_FILE_NAMES),
            file_type=read.text(file.get("file_type")),
            duration_s=read.number(file.get("duration")),
            width=read.positive(file.get("width")),
            height=read.positive(file.get("height")),
        )
        for file in _listed_files(payload) or ()
        if not _is_refused(file)
    )


_FILE_LISTS = ("files", "file", "uploaded", "uploaded_files", "results", "items", "videos", "video_infos")
_REFUSED_LISTS = ("failed", "failed_files", "rejected", "rejected_files", "errors")
_FILE_NAMES = ("filename", "file_name", "name", "original_name", "original_filename")
_FILE_MARKS = (*_FILE_NAMES, "cdn_url")
_REFUSALS = ("failed", "failure", "error", "rejected", "refused", "unsupported", "invalid")


def _is_refused(file: Mapping[str, Any]) -> bool:
    states = ((read.text(file.get(name)) or "").lower() for name in ("status", "state"))
    return (
        bool(file.get("error"))
        or code_of(file) is not None
        or any(file.get(name) is False for name in ("ok", "success", "accepted"))
        or any(state in _REFUSALS for state in states)
    )


def _user_id(source: Mapping[str, Any]) -> str | None:
    """Read an account's id; ``me`` stands for the caller."""
    user_id = read.text(source.get("user_id"))
    return None if user_id == "me" else user_id


def _time(value: object) -> datetime | None:
    """Read ISO 8601, or seconds or milliseconds since 1970; times without a zone are UTC."""
    try:
        if isinstance(value, str) and not value.strip().isdigit():
            time = datetime.fromisoformat(value.strip())
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        seconds = read.number(value)
        if seconds is None:
            return None
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
