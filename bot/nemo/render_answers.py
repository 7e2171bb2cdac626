"""A render, which exports a draft; its answers come with or without an envelope."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bot.nemo import lenient_json as read
from bot.nemo.errors import clean, error_of, message_of


class RenderStatus(Enum):
    """The state of a render."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """A status that this library does not know: ask again later."""

    @property
    def is_over(self) -> bool:
        """Return whether the status is final."""
        return self in (RenderStatus.COMPLETED, RenderStatus.FAILED, RenderStatus.CANCELLED)


_NAMES = {
    RenderStatus.PENDING: ("pending", "queued", "waiting", "created"),
    RenderStatus.PROCESSING: ("processing", "running", "rendering", "in_progress"),
    RenderStatus.COMPLETED: (
        *("completed", "complete", "done", "success", "succeeded"),
        *("succeed", "finished", "ready", "rendered"),
    ),
    RenderStatus.FAILED: (
        *("failed", "failure", "error", "fail", "errored", "rejected"),
        *("timeout", "timed_out", "timedout", "expired", "aborted"),
    ),
    RenderStatus.CANCELLED: ("cancelled", "canceled"),
}
_STATUSES = {name: status for status, names in _NAMES.items() for name in names}


@dataclass(frozen=True, slots=True)
class Render:
    """A render as the service last described it.

    Args:
        render_id: Its id.
        status: Its state.
        progress: 0 to 100 percent, if known.
        url: The MP4's URL once it is completed; may be relative to the service's.
        error: Why it failed, in the service's words.
        duration_s: The result's duration, if known.
        size_bytes: The result's size, if known; not to be relied on.
    """

    render_id: str
    status: RenderStatus
    progress: float | None = None
    url: str | None = None
    error: str | None = None
    duration_s: float | None = None
    size_bytes: int | None = None


FIRST_POLL_S = 2.0
POLL_FACTOR = 1.5
"""NemoVideo's own client polls first after 2 s, then after pauses that grow by half."""

ADDED_S, ADDED_SHARE = 1.75, 0.09
"""What a pause may add to a render, in seconds or as a share of it, whichever is more; the rest of 2 s or a tenth is
for the call."""

LEAST_POLL_S = 1.0


def next_poll_s(polls: int, elapsed_s: float, progress: float | None, longest_s: float) -> float:
    """Return how long to wait before the next poll of a render.

    The pauses grow, but are cut so that polling makes no render more than 2 s or a tenth longer, and further where the
    reported progress says that it will end earlier.

    Args:
        polls: The number of polls so far.
        elapsed_s: Seconds since the render was started.
        progress: The reported percentage, if any.
        longest_s: The longest pause.
    """
    pause_s = min(FIRST_POLL_S * POLL_FACTOR**polls, longest_s)
    if polls:
        pause_s = min(pause_s, max(ADDED_S, ADDED_SHARE * elapsed_s))
    if progress is not None and 0 < progress <= 100:
        left_s = elapsed_s * (100 - progress) / progress
        pause_s = min(pause_s, max(left_s, elapsed_s / 20, LEAST_POLL_S))
    return pause_s


def has_status(payload: Any) -> bool:
    """Return whether an answer describes a render at all: by its status, or by its progress alone."""
    source = _fields(payload)
    return _status_name(source) is not None or _percent(source) is not None


def tells_failure(payload: Any) -> bool:
    """Return whether an answer says that the render has failed, not only the call about it."""
    name = _status_name(_fields(payload))
    return name is not None and name.lower() not in _ENVELOPE_WORDS and _status(name) is RenderStatus.FAILED


def read_render(payload: Any, render_id: str) -> Render:
    """Read a render from any JSON value.

    Args:
        payload: The whole answer.
        render_id: The requested id; used if the answer has none.
    """
    source = _fields(payload)
    name, progress = _status_name(source), _percent(source)
    outputs = [source[key] for key in _OUTPUTS if source.get(key)]
    output = next(filter(None, map(read.mapping, outputs)), {})
    url = next(filter(None, map(_link, outputs)), None) or read.text_at(source, *_ADDRESSES)
    error = error_of(source) or error_of(read.mapping(payload))
    message = read.text(error) or read.text_at(read.mapping(error), "message", "msg", "code")
    status = RenderStatus.UNKNOWN if name is None else _status(name)
    if status is RenderStatus.UNKNOWN and url and (progress is None or progress >= 100):
        status = RenderStatus.COMPLETED
    elif status is RenderStatus.UNKNOWN and name and message:
        status = RenderStatus.FAILED
    if status is RenderStatus.FAILED:
        message = message or read.text_at(source, "failure_reason", "reason") or message_of(source)
    return Render(
        render_id=_id(source) or _id(read.snake_keys(read.mapping(source.get("render")))) or render_id,
        status=status,
        progress=progress,
        url=url,
        error=clean(message) if message else None,
        duration_s=read.number(output.get("duration")),
        size_bytes=read.positive(output.get("size")) or read.positive(source.get("output_size_in_bytes")),
    )


_MAX_ENVELOPES = 4
_WRAPPERS = ("render", "job", "result")
"""What may stand around a render, or beside its fields with a status of something else."""
_ENVELOPE_WORDS = ("success", "ok", "error")
"""Statuses that are about the call, where the render stands one level deeper."""
_IDS = ("id", "render_id")
_OUTPUTS = ("output", "outputs", "result", "video", "files", "output_file", "render", "job")
_ADDRESSES = ("output_url", "url", "download_url", "video_url", "file_url", "result_url")
_MAX_OUTPUT_DEPTH = 8
_VIDEO = re.compile(r"\.(?:mp4|mov|webm|m4v)$", re.IGNORECASE)
_PICTURE = re.compile(r"\.(?:jpe?g|png|webp|gif|vtt|srt|json)$|thumb|cover", re.IGNORECASE)
_PREFIX = re.compile(r"^(?:.*\.)?(?:(?:render|job|task)_)?(?:(?:status|state)_)?")


def _fields(payload: Any) -> Mapping[str, Any]:
    """Return a render's fields, by their names in snake case, with or without envelopes around them."""
    source = read.snake_keys(read.mapping(payload))
    for _ in range(_MAX_ENVELOPES):
        name, kept = _status_name(source), {}
        if name is not None and name.lower() not in _ENVELOPE_WORDS:
            kept = {key: source[key] for key in (*_IDS, *_OUTPUTS, *_ADDRESSES) if key in source} | {
                "status": name
            }
        inner = _object_at(source, "data")
        if not inner and not kept:
            objects = (_object_at(source, wrapper) for wrapper in _WRAPPERS)
            inner = next((one for one in objects if _status_name(one) is not None), {})
        if not inner:
            break
        source = {**kept, **inner}
        if kept and not _is_of_render(_status_name(inner)):
            source["status"] = name
    return source


def _object_at(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = source.get(name)
    return read.snake_keys(read.mapping(value[0] if isinstance(value, list) and value else value))


def _id(source: Mapping[str, Any]) -> str | None:
    return read.text_at(source, *_IDS)


def _is_of_render(name: str | None) -> bool:
    """Return whether a status is known, and not about the call."""
    return (
        name is not None and name.lower() not in _ENVELOPE_WORDS and _status(name) is not RenderStatus.UNKNOWN
    )


def _status_name(source: Mapping[str, Any]) -> str | None:
    name = read.text_at(source, "status", "state")
    if name is None:
        name = read.text_at(read.mapping(source.get("status")), "state", "status", "name")
    if name is None and source.get("fatal_error_encountered") is True:
        return "failed"  # As Remotion Lambda says it, which renders behind a path of this name.
    if name is None and isinstance(source.get("done"), bool):
        return "done" if source["done"] else "processing"
    return name


def _status(name: str) -> RenderStatus:
    word = read.in_snake_case(name).replace(" ", "_")
    return _STATUSES.get(word) or _STATUSES.get(_PREFIX.sub("", word), RenderStatus.UNKNOWN)


def _percent(source: Mapping[str, Any]) -> float | None:
    """Return a progress from 0 to 100; what is no whole number and below 1 is a share of 1."""
    overall = source.get("overall_progress")
    value = read.first_of(source, ("progress", "percent", "percentage")) if overall is None else overall
    if isinstance(value, dict):
        value = read.first_of(value, ("percent", "percentage", "value", "progress"))
    number = read.number(value)
    if number is None:
        return None
    is_share = 0 < number < 1 or (number == 1 and (isinstance(value, float) or overall is not None))
    return min(max(number * 100 if is_share else number, 0.0), 100.0)


def _link(output: Any, depth: int = _MAX_OUTPUT_DEPTH) -> str | None:
    """Return the address of a video in a render's output: a bare address, an object, or several of them."""
    if not depth:
        return None
    if isinstance(output, list):
        links = [link for one in output if (link := _link(one, depth - 1))]
        return min((link for link in links if _rank(link) < _NO_VIDEO), key=_rank, default=None)
    source = read.snake_keys(read.mapping(output))
    if not source:
        return read.text(output) if isinstance(output, str) and "/" in output else None
    link = read.text_at(source, "url", *_ADDRESSES, "mp4", "cdn_url", "href", "src")
    inner = (_link(source[key], depth - 1) for key in _OUTPUTS if source.get(key))
    return link or next(filter(None, inner), None)


_NO_VIDEO = 3


def _rank(link: str) -> int:
    """Return how unlikely it is that an address is the video's, by its file's name."""
    name = re.split(r"[?#]", link)[0].rsplit("/")[-1]
    is_video, is_picture = _VIDEO.search(name) is not None, _PICTURE.search(name) is not None
    return (0 if is_video else 2) + is_picture
