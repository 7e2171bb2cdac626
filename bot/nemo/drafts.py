"""The draft: a project's timeline, read from whatever the service calls one.

Documented are ``t`` (tracks), ``tt`` (a track's type), ``sg`` (its segments), ``d`` (duration in ms) and
``m`` (metadata). A segment's own fields are not, so each is looked for under the names that timelines use,
here and one level down. Reading never fails; what can't be read is ``None``. The draft as it came stays in
:attr:`Draft.raw`, for the render call.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bot.nemo import read

MAX_TRACKS = 500
MAX_SEGMENTS = 2000
_SHOWN_SEGMENTS = 6
_SHOWN_CHARS = 80

_NAME = ("name", "title", "label", "filename", "file_name", "fileName", "n")
_TEXT = ("text", "content", "caption", "subtitle", "txt", "tx")
_MEDIA = (
    "cdn_url",
    "cdnUrl",
    "url",
    "src",
    "media_url",
    "mediaUrl",
    "source_url",
    "sourceUrl",
    "source",
    "path",
    "u",
)
_ID = ("id", "segment_id", "segmentId", "track_id", "trackId", "sid", "tid", "uid")
_VOLUME = ("volume", "vol", "gain", "v")
_START = ("start", "st", "begin", "offset", "startTime", "start_time", "ts", "s")
_END = ("end", "et", "endTime", "end_time", "e")
_DURATION = ("duration", "dur", "d", "length", "len")
_RANGES = ("target_timerange", "targetTimerange", "timerange", "timeRange", "time_range", "ttr", "tr", "time")
_NESTED = ("m", "meta", "metadata", "material", "media", "clip", "props", "data", "audio", "style")


class TrackKind(Enum):
    """What a track holds."""

    VIDEO = "video"
    AUDIO = "audio"
    TEXT = "text"
    OTHER = "other"


_KINDS = {
    "0": TrackKind.VIDEO,
    "1": TrackKind.AUDIO,
    "7": TrackKind.TEXT,
    "video": TrackKind.VIDEO,
    "audio": TrackKind.AUDIO,
    "music": TrackKind.AUDIO,
    "bgm": TrackKind.AUDIO,
    "text": TrackKind.TEXT,
    "title": TrackKind.TEXT,
    "subtitle": TrackKind.TEXT,
}
_LABELS = {
    TrackKind.VIDEO: "Video",
    TrackKind.AUDIO: "BGM",
    TrackKind.TEXT: "Title",
    TrackKind.OTHER: "Track",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A clip on a track.

    Args:
        name: What to call it; "clip 1" (2, 3 …) where the draft has no name for it.
        named: Whether the name is the draft's own.
        start_ms: Where it begins on the timeline.
        duration_ms: How long it shows there.
        text: Of a title.
        volume: 1.0 is the original loudness.
        media: Address of its file, if it has one.
        segment_id: The draft's own id.
        raw: As it came.
    """

    name: str
    named: bool
    start_ms: int | None
    duration_ms: int | None
    text: str | None
    volume: float | None
    media: str | None
    segment_id: str | None
    raw: Any = field(repr=False)

    @property
    def end_ms(self) -> int | None:
        """Where it ends on the timeline."""
        if self.start_ms is None or self.duration_ms is None:
            return None
        return self.start_ms + self.duration_ms


@dataclass(frozen=True, slots=True)
class Track:
    """A lane of the timeline.

    Args:
        kind: What it holds.
        type_id: The draft's own type, such as ``7``.
        name: Its own name, if any.
        segments: In the draft's order.
        volume: Of the whole track, if it has one.
        track_id: The draft's own id.
    """

    kind: TrackKind
    type_id: str | None
    name: str | None
    segments: tuple[Segment, ...]
    volume: float | None
    track_id: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A timeline.

    Args:
        tracks: In the draft's order, empty ones too.
        duration_ms: As the draft says, else the end of its last segment.
        title: Of the project.
        width: In pixels.
        height: In pixels.
        raw: As it came; what the render call takes.
    """

    tracks: tuple[Track, ...]
    duration_ms: int | None
    title: str | None
    width: int | None
    height: int | None
    raw: Any = field(repr=False)

    @property
    def is_ready(self) -> bool:
        """Whether there is something to export: some track has a segment."""
        return any(track.segments for track in self.tracks)

    def summary(self) -> str:
        """The timeline in one line, in the form that the service's own documents use.

        ``Timeline (2 tracks): 1. Video: city timelapse (0-10s) 2. BGM: Lo-fi (0-10s, 35%)``
        """
        count = len(self.tracks)
        lines = [f"{n}. {_track_line(track)}" for n, track in enumerate(self.tracks, 1)]
        head = f"Timeline ({count} track{'' if count == 1 else 's'})"
        return f"{head}: {' '.join(lines)}" if lines else head

    def digest(self) -> str:
        """A fingerprint of the draft as it came; the order of keys does not count."""
        return digest(self.raw)


def digest(value: Any) -> str:
    """SHA-256 of a JSON value's canonical form; of a constant, for what is nested too deep to be written."""
    try:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        canonical = "unwritable"
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_draft(value: Any) -> Draft:
    """Read a draft from any JSON value; from one that is none, a draft without tracks."""
    source = read.mapping(value)
    meta = read.mapping(read.first(source, ("m", "meta", "metadata")))
    told_ms = _told_duration_ms(source)
    raw_tracks = read.items(read.first(source, ("t", "tracks")))[:MAX_TRACKS]
    ms_per_unit = _unit_ms(raw_tracks, told_ms)
    tracks = tuple(_track(read.mapping(track), ms_per_unit) for track in raw_tracks)
    ends = [end for track in tracks for segment in track.segments if (end := segment.end_ms) is not None]
    return Draft(
        tracks=tracks,
        duration_ms=told_ms if told_ms is not None else max(ends, default=None),
        title=read.text_at(meta, "title", "name") or read.text_at(source, "title", "name"),
        width=read.positive(read.first(meta, ("width", "w"))) or read.positive(source.get("width")),
        height=read.positive(read.first(meta, ("height", "h"))) or read.positive(source.get("height")),
        raw=value,
    )


def _told_duration_ms(source: Mapping[str, Any]) -> int | None:
    found = read.number_at(source, "d", "duration_ms", "durationMs", "duration")
    return _milliseconds(found, 1.0)


def _track(source: Mapping[str, Any], ms_per_unit: float) -> Track:
    type_id = read.text(read.first(source, ("tt", "type", "track_type", "trackType", "kind")))
    kind = _KINDS.get((type_id or "").lower(), TrackKind.OTHER)
    raw_segments = _raw_segments(source)
    return Track(
        kind=kind,
        type_id=type_id,
        name=_nested_text(source, _NAME),
        segments=tuple(_segment(raw, kind, n, ms_per_unit) for n, raw in enumerate(raw_segments, 1)),
        volume=_volume(source, text_track=kind is TrackKind.TEXT),
        track_id=read.text_at(source, *_ID),
    )


def _raw_segments(track: Mapping[str, Any]) -> list[Any]:
    return read.items(read.first(track, ("sg", "segments", "clips")))[:MAX_SEGMENTS]


def _segment(raw: Any, kind: TrackKind, position: int, ms_per_unit: float) -> Segment:
    source = read.mapping(raw)
    text = _nested_text(source, _TEXT) if kind in (TrackKind.TEXT, TrackKind.OTHER) else None
    name = _nested_text(source, _NAME) or (read.text(raw) if not source else None)
    start_ms, duration_ms = _times(source, ms_per_unit)
    return Segment(
        name=name or f"clip {position}",
        named=name is not None,
        start_ms=start_ms,
        duration_ms=duration_ms,
        text=text,
        volume=_volume(source, text_track=kind is TrackKind.TEXT),
        media=_nested_text(source, _MEDIA),
        segment_id=read.text_at(source, *_ID),
        raw=raw,
    )


def _levels(source: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield source
    for key in _NESTED:
        if isinstance(source.get(key), dict):
            yield source[key]


def _nested_text(source: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    # Only strings: a number called "s" or "n" is not a name.
    for level in _levels(source):
        for key in keys:
            value = level.get(key)
            if isinstance(value, str) and (found := read.text(value)):
                return found
    return None


def _volume(source: Mapping[str, Any], *, text_track: bool) -> float | None:
    if text_track:
        return None
    if source.get("muted") is True or source.get("mute") is True:
        return 0.0
    for level in _levels(source):
        found = read.number_at(level, *_VOLUME)
        if found is not None and found >= 0:
            # Above double the original loudness it can only be a percentage.
            return round(found / 100 if found > 2 else found, 4)
    return None


def _times(source: Mapping[str, Any], ms_per_unit: float) -> tuple[int | None, int | None]:
    for level in (*_levels(source), *(source[key] for key in _RANGES if isinstance(source.get(key), dict))):
        start = _time(level, _START, ms_per_unit)
        duration = _time(level, _DURATION, ms_per_unit)
        end = _time(level, _END, ms_per_unit)
        if start is None and duration is None and end is None:
            continue
        start = 0 if start is None and end is not None and duration is None else start
        if start is None and end is not None and duration is not None:
            start = end - duration
        if duration is None and end is not None and start is not None:
            duration = end - start
        return start, None if duration is None else max(duration, 0)
    return None, None


def _time(level: Mapping[str, Any], keys: tuple[str, ...], ms_per_unit: float) -> int | None:
    for key in keys:
        # A name that tells its unit is believed; the rest share the draft's.
        for suffixes, factor in ((("_ms", "Ms"), 1.0), (("_s", "_sec", "_seconds"), 1000.0)):
            found = read.number_at(level, *(f"{key}{suffix}" for suffix in suffixes))
            if found is not None:
                return _milliseconds(found, factor)
        if (found := read.number_at(level, key)) is not None:
            return _milliseconds(found, ms_per_unit)
    return None


def _milliseconds(value: float | None, factor: float) -> int | None:
    if value is None or not 0 <= value * factor <= 1e12:
        return None
    return round(value * factor)


def _unit_ms(raw_tracks: list[Any], told_ms: int | None) -> float:
    """Guess the unit of times that do not tell it, by the draft's duration, which is in ms."""
    ends = []
    for track in raw_tracks:
        for raw in _raw_segments(read.mapping(track)):
            start, duration = _times(read.mapping(raw), 1000.0)  # thousandths, so that fractions survive
            if duration is not None:
                ends.append(((start or 0) + duration) / 1000)
    longest = max(ends, default=0.0)
    if not longest or not told_ms:
        return 1.0
    for factor in (1.0, 1000.0, 0.001):
        if 0.9 <= longest * factor / told_ms <= 1.1:
            return factor
    return 1.0


def _track_line(track: Track) -> str:
    shown = [_segment_line(segment, track) for segment in track.segments[:_SHOWN_SEGMENTS]]
    more = len(track.segments) - len(shown)
    if more:
        shown.append(f"{more} more")
    return f"{_LABELS[track.kind]}: {', '.join(shown) or 'empty'}"


def _segment_line(segment: Segment, track: Track) -> str:
    if track.kind is TrackKind.TEXT or (track.kind is TrackKind.OTHER and segment.text and not segment.named):
        what = f'"{_short(segment.text or segment.name)}"'
    elif not segment.named and track.name and len(track.segments) == 1:
        what = _short(track.name)
    else:
        what = _short(segment.name)
    facts = []
    if segment.duration_ms is not None:
        start_ms = segment.start_ms or 0
        facts.append(f"{_seconds(start_ms)}-{_seconds(start_ms + segment.duration_ms)}s")
    volume = segment.volume if segment.volume is not None else track.volume
    if track.kind is TrackKind.AUDIO and volume is not None:
        facts.append(f"{volume:.0%}")
    return f"{what} ({', '.join(facts)})" if facts else what


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…"


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.1f}".removesuffix(".0")
