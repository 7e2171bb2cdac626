"""The tracks of a draft, as lines for the chat."""

from collections.abc import Sequence

from bot.chats.key import ChatKey
from bot.jobs.clip_names import ClipNames, clip_names, names_of, track_label
from bot.jobs.messages import LocalizedMessage, Param, Seconds, TimeRange
from bot.jobs.next_steps import how_to_begin
from bot.nemo.drafts import Draft, Track
from bot.nemo.spans import spans_of
from bot.words import bounded

MAX_TRACKS = 20  # tracks listed in one message
MAX_NAMES = 3  # files named in one line
_NAME_CHARS = 60


def timeline(draft: Draft | None, chat: ChatKey) -> tuple[LocalizedMessage, tuple[LocalizedMessage, ...]]:
    """Return a heading and a line for each track; for an empty project how to begin in the chat."""
    if draft is None or not draft.is_ready:
        return LocalizedMessage("status.empty", {"begin": how_to_begin(chat)}), ()
    shown = [track for track in draft.tracks if track.segments]
    heading = LocalizedMessage(
        "status.heading", {"n": len(shown), "duration": Seconds((draft.duration_ms or 0) / 1000, tenths=True)}
    )
    total_ms, names = draft.duration_ms or 0, clip_names(draft)
    return heading, tuple(
        _track(position, track, total_ms, names) for position, track in enumerate(shown[:MAX_TRACKS], 1)
    )


def unplaced_message(files: Sequence[str | None]) -> LocalizedMessage:
    """Say that files are in the project but on no track, with the names of the first."""
    names = [bounded(name, _NAME_CHARS) for name in files[:MAX_NAMES] if name]
    more = "…" if len(files) > len(names) else ""
    if not names:
        return LocalizedMessage("status.unplaced", {"n": len(files)})
    return LocalizedMessage("status.unplaced_named", {"n": len(files), "names": ", ".join(names) + more})


def _track(position: int, track: Track, total_ms: int, names: ClipNames) -> LocalizedMessage:
    placed = spans_of(track.segments, total_ms)
    params: dict[str, Param] = {
        "position": position,
        "track": track_label(track),
        "name": names_of(track, names),
        "when": TimeRange(min(span.start_ms for span in placed), max(span.end_ms for span in placed)),
    }
    volume = track.segments[0].volume if track.volume is None else track.volume
    if volume is None:
        return LocalizedMessage("status.track", params)
    return LocalizedMessage("status.track_volume", {**params, "volume": f"{round(volume * 100)}%"})
