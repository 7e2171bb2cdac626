"""A render, which exports a draft; its answers come with or without an envelope."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bot.nemo import lenient_json as read
from bot.nemo.errors import clean


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
    """Return whether an answer describes a render at all."""
    return read.text(_fields(payload).get("status")) is not None


def read_render(payload: Any, render_id: str) -> Render:
    """Read a render from any JSON value.

    Args:
        payload: The whole answer.
        render_id: The requested id; used if the answer has none.
    """
    source = _fields(payload)
    raw_output = source.get("output")
    output = read.mapping(raw_output)
    url = read.text_at(output, "url") or read.text_at(source, "outputUrl", "output_url", "url")
    url = url or (raw_output if isinstance(raw_output, str) and "/" in raw_output and not output else None)
    name = read.text(source.get("status"))
    progress = read.number(source.get("progress"))
    error = source.get("error") or read.mapping(payload).get("error")
    message = read.text(error) or read.text_at(read.mapping(error), "message", "msg", "code")
    status = _STATUSES.get((name or "").lower(), RenderStatus.UNKNOWN)
    if status is RenderStatus.UNKNOWN and url and (progress is None or progress >= 100):
        status = RenderStatus.COMPLETED
    elif status is RenderStatus.UNKNOWN and name and message:
        status = RenderStatus.FAILED
    return Render(
        render_id=read.text(read.first_of(source, ("id", "render_id", "renderId"))) or render_id,
        status=status,
        progress=None if progress is None else min(max(progress, 0.0), 100.0),
        url=url,
        error=clean(message) if message else None,
        duration_s=read.number(output.get("duration")),
        size_bytes=read.positive(output.get("size")),
    )


def _fields(payload: Any) -> Mapping[str, Any]:
    source = read.mapping(payload)
    inner = read.mapping(source.get("data"))
    return inner if inner else source
