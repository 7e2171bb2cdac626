"""The changes between two drafts, as lines for the chat."""

from collections.abc import Sequence

from bot.jobs.clip_names import ClipNames, clip_name, clip_names, names_of, track_label
from bot.jobs.messages import LocalizedMessage, Param, Seconds, TimeRange
from bot.nemo import changes
from bot.nemo.drafts import Draft, Segment, Track, read_draft

MAX_LINES = 12

NO_DRAFT = read_draft(None)


def change_lines(before: Draft | None, after: Draft | None) -> tuple[LocalizedMessage, ...]:
    """Return a line for each change that can be named, the first dozen of them."""
    names = clip_names(before, after)
    lines = [_line(change, names) for change in changes.compare(before or NO_DRAFT, after or NO_DRAFT)]
    more = len(lines) - MAX_LINES
    if more > 0:
        return (*lines[:MAX_LINES], LocalizedMessage("change.more", {"n": more}))
    return tuple(lines)


def _line(change: changes.Change, names: ClipNames) -> LocalizedMessage:
    def name_of(segment: Segment | None, track: Track) -> Param:
        return track_label(track) if segment is None else clip_name(segment, names)

    match change:
        case changes.TrackAdded(track):
            return _track_line("change.track_added", track, names)
        case changes.TrackRemoved(track):
            return _track_line("change.track_removed", track, names)
        case changes.SegmentAdded(track, segment):
            return LocalizedMessage(
                "change.segment_added",
                {
                    "track": track_label(track),
                    "name": name_of(segment, track),
                    "when": TimeRange(segment.start_ms, segment.end_ms),
                },
            )
        case changes.SegmentRemoved(track, segment):
            return LocalizedMessage(
                "change.segment_removed", {"track": track_label(track), "name": name_of(segment, track)}
            )
        case changes.SegmentReplaced(earlier, segment):
            return LocalizedMessage(
                "change.replaced", {"before": clip_name(earlier, names), "after": clip_name(segment, names)}
            )
        case changes.SegmentMoved(track, segment, before, after):
            return _change("change.moved", name_of(segment, track), _time(before), _time(after))
        case changes.SegmentRetimed(track, segment, before, after):
            return _change("change.retimed", name_of(segment, track), _length(before), _length(after))
        case changes.Renamed(before, after):
            return LocalizedMessage("change.renamed", {"before": before or "–", "after": after or "–"})
        case changes.TextChanged(before, after):
            return LocalizedMessage("change.text", {"before": before or "–", "after": after or "–"})
        case changes.VolumeChanged(track, segment, before, after):
            return _change("change.volume", name_of(segment, track), _volume(before), _volume(after))
        case changes.DurationChanged(before, after):
            return LocalizedMessage("change.length", {"before": _time(before), "after": _time(after)})
        case changes.SizeChanged(before, after):
            return LocalizedMessage("change.canvas", {"before": _size(before), "after": _size(after)})


def _track_line(key: str, track: Track, names: ClipNames) -> LocalizedMessage:
    if not track.segments:
        return LocalizedMessage(key, {"track": track_label(track)})
    return LocalizedMessage(f"{key}_named", {"track": track_label(track), "name": names_of(track, names)})


def _change(key: str, name: Param, before: Param, after: Param) -> LocalizedMessage:
    return LocalizedMessage(key, {"name": name, "before": before, "after": after})


def _time(ms: int | None) -> Param:
    return "–" if ms is None else Seconds(ms / 1000, tenths=True)


def _length(span: Sequence[int | None]) -> Param:
    start, end = span
    return "–" if start is None or end is None else Seconds((end - start) / 1000, tenths=True)


def _volume(volume: float | None) -> str:
    return "–" if volume is None else f"{round(volume * 100)}%"


def _size(size: Sequence[int | None]) -> str:
    width, height = size
    return f"{width or '–'} × {height or '–'}"
