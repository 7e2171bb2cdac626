"""The draft: a project's timeline, read leniently.

The service documents ``t`` (tracks), ``tt`` (a track's type), ``sg`` (its segments), ``d`` (duration in ms) and ``m``
(metadata), but no field of a segment: each is looked for under the names that timelines commonly use, in the segment
and one level below. Reading never fails; what can't be read is ``None``. :attr:`Draft.raw` keeps the draft as it was
received, for the render call.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from bot.nemo import lenient_json as read

MAX_TRACKS = 500
MAX_SEGMENTS = 3000
"""How many of a draft's tracks, and of all their segments, are read: 3000 stop the loop for 60 ms."""

MAX_KEPT_BYTES = 2 * 1024 * 1024
"""The largest draft that is kept as it was received."""

_NAME = ("name", "title", "label", "filename", "file_name", "fileName", "n")
_TEXT = ("text", "content", "caption", "subtitle", "txt", "tx")
_MEDIA = (
    "cdn_url", "cdnUrl", "url", "src", "media_url", "mediaUrl", "source_url", "sourceUrl", "source", "path", "u",
)  # fmt: skip
_TRACKS = ("t", "tracks")
_ID = ("id", "segment_id", "segmentId", "track_id", "trackId", "sid", "tid", "uid")
_VOLUME = ("volume", "vol", "gain", "v")


def _time_names(*names: str) -> tuple[tuple[str, float | None], ...]:
    """Return time field names, each with its unit in ms; ``None`` for those that share the draft's unit."""
    units = {"_ms": 1.0, "Ms": 1.0, "_s": 1000.0, "_sec": 1000.0, "_seconds": 1000.0, "": None}
    return tuple((f"{name}{suffix}", unit_ms) for name in names for suffix, unit_ms in units.items())


_START = _time_names("start", "st", "begin", "offset", "startTime", "start_time", "ts", "s")
_END = _time_names("end", "et", "endTime", "end_time", "e")
_DURATION = _time_names("duration", "dur", "d", "length", "len")
_SOURCE_START = _time_names("source_start", "sourceStart", "trim_start", "trimStart")
_RANGES = ("target_timerange", "targetTimerange", "timerange", "timeRange", "time_range", "ttr", "tr", "time")
_NESTED = ("m", "meta", "metadata", "material", "media", "clip", "props", "data", "audio", "style")


class TrackKind(Enum):
    """What a track holds."""

    VIDEO = "video"
    AUDIO = "audio"
    TEXT = "text"
    OTHER = "other"


_KINDS = {
    "0": TrackKind.VIDEO, "video": TrackKind.VIDEO,
    "1": TrackKind.AUDIO, "audio": TrackKind.AUDIO, "music": TrackKind.AUDIO, "bgm": TrackKind.AUDIO,
    "7": TrackKind.TEXT, "text": TrackKind.TEXT, "title": TrackKind.TEXT, "subtitle": TrackKind.TEXT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    """A clip on a track.

    Args:
        name: Its name; "clip 1" (2, 3 …) if the draft has none for it.
        named: Whether the name is from the draft.
        start_ms: Its start on the timeline: the draft's, else the end of the segment before.
        duration_ms: Its duration on the timeline.
        source_start_ms: Where it begins in its file, as far as the draft says.
        text: A title's text.
        volume: Its loudness; 1.0 is the original.
        media: The URL of its file.
        segment_id: Its id in the draft.
        raw: The segment as received.
    """

    name: str
    named: bool
    start_ms: int | None
    duration_ms: int | None
    source_start_ms: int
    text: str | None
    volume: float | None
    media: str | None
    segment_id: str | None
    raw: Any = field(repr=False)

    @property
    def end_ms(self) -> int | None:
        """The end on the timeline, in ms."""
        if self.start_ms is None or self.duration_ms is None:
            return None
        return self.start_ms + self.duration_ms


@dataclass(frozen=True, slots=True)
class Track:
    """A track of the timeline.

    Args:
        kind: What it holds.
        type_id: Its type in the draft, such as ``7``.
        name: Its name, if it has one.
        segments: Its segments in the draft's order.
        volume: The volume of the whole track, if it has one.
        track_id: Its id in the draft.
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
        tracks: Its tracks in the draft's order, including empty ones.
        duration_ms: The draft's duration field, else the end of its last segment.
        title: The project's title.
        width: The picture's width in pixels.
        height: The picture's height in pixels.
        raw: The draft as received, for the render call.
    """

    tracks: tuple[Track, ...]
    duration_ms: int | None
    title: str | None
    width: int | None
    height: int | None
    raw: Any = field(repr=False)

    @property
    def is_ready(self) -> bool:
        """Return whether there is something to export: a track with a segment."""
        return any(track.segments for track in self.tracks)

    def digest(self) -> str:
        """Return a digest of the draft as received; the order of keys does not matter."""
        return digest(self.raw)


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value's canonical form; of a constant if it is nested too deep to serialize."""
    try:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        canonical = "unwritable"
    return hashlib.sha256(canonical.encode()).hexdigest()


def read_draft(value: Any) -> Draft:
    """Read a draft from any JSON value; one that is no draft gives a draft without tracks."""
    source = _timeline_of(value)
    meta = read.mapping(read.first_of(source, ("m", "meta", "metadata")))
    declared_ms = _milliseconds(read.number_at(source, "d", "duration_ms", "durationMs", "duration"), 1.0)
    raw_tracks = list(map(read.mapping, read.items(read.first_of(source, _TRACKS))[:MAX_TRACKS]))
    raw_segments = _raw_segments(raw_tracks)
    ms_per_unit = _unit_ms(raw_segments, declared_ms)
    tracks = tuple(
        _track(track, segments, ms_per_unit) for track, segments in zip(raw_tracks, raw_segments, strict=True)
    )
    ends = [end for track in tracks for segment in track.segments if (end := segment.end_ms) is not None]
    return Draft(
        tracks=tracks,
        duration_ms=declared_ms if declared_ms is not None else max(ends, default=None),
        title=read.text_at(meta, "title", "name") or read.text_at(source, "title", "name"),
        width=read.positive(read.first_of(meta, ("width", "w"))) or read.positive(source.get("width")),
        height=read.positive(read.first_of(meta, ("height", "h"))) or read.positive(source.get("height")),
        raw=value,
    )


def _timeline_of(value: Any) -> Mapping[str, Any]:
    """Return the fields of a draft, which may be a bare list of tracks or stand one level deeper."""
    if isinstance(value, list):
        return {"t": value}
    source = read.mapping(value)
    if read.first_of(source, _TRACKS) is None:
        inner = (read.mapping(source.get(name)) for name in ("timeline", "draft", "project"))
        return next((one for one in inner if read.first_of(one, _TRACKS) is not None), source)
    return source


def _track(source: Mapping[str, Any], raw_segments: list[Any], ms_per_unit: float) -> Track:
    type_id = read.text(read.first_of(source, ("tt", "type", "track_type", "trackType", "kind")))
    kind = _KINDS.get((type_id or "").lower(), TrackKind.OTHER)
    return Track(
        kind=kind,
        type_id=type_id,
        name=_nested_text(source, _NAME),
        segments=_placed(_segment(raw, kind, n, ms_per_unit) for n, raw in enumerate(raw_segments, 1)),
        volume=_volume(source, text_track=kind is TrackKind.TEXT),
        track_id=read.text_at(source, *_ID),
    )


def _placed(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Start segments that have no start at the previous one's end, or at 0, as long as that is known."""
    placed: list[Segment] = []
    end_ms: int | None = 0
    for segment in segments:
        known = segment.start_ms is not None or segment.duration_ms is None
        placed.append(segment if known else replace(segment, start_ms=end_ms))
        end_ms = placed[-1].end_ms
    return tuple(placed)


def _raw_segments(raw_tracks: list[Mapping[str, Any]]) -> list[list[Any]]:
    """Return the segments of each track, ``MAX_SEGMENTS`` in all."""
    left = MAX_SEGMENTS
    found = []
    for track in raw_tracks:
        found.append(read.items(read.first_of(track, ("sg", "segments", "clips")))[:left])
        left -= len(found[-1])
    return found


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
        source_start_ms=_time(source, _SOURCE_START, ms_per_unit) or 0,
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
            if isinstance(value, str) and (text := read.text(value)):
                return text
    return None


def _volume(source: Mapping[str, Any], *, text_track: bool) -> float | None:
    if text_track:
        return None
    if source.get("muted") is True or source.get("mute") is True:
        return 0.0
    for level in _levels(source):
        volume = read.number_at(level, *_VOLUME)
        if volume is not None and volume >= 0:
            # Above double the original loudness it can only be a percentage.
            return round(volume / 100 if volume > 2 else volume, 4)
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


def _time(
    level: Mapping[str, Any], names: tuple[tuple[str, float | None], ...], ms_per_unit: float
) -> int | None:
    for name, unit_ms in names:
        if name in level and (time := read.number(level[name])) is not None:
            return _milliseconds(time, ms_per_unit if unit_ms is None else unit_ms)
    return None


def _milliseconds(value: float | None, factor: float) -> int | None:
    if value is None or not 0 <= value * factor <= 1e12:
        return None
    return round(value * factor)


def _unit_ms(raw_segments: list[list[Any]], declared_ms: int | None) -> float:
    """Guess the unit of times without one from the draft's duration, which is in ms."""
    ends = []
    for segments in raw_segments:
        end = 0
        for raw in segments:
            start, duration = _times(read.mapping(raw), 1000.0)  # thousandths, so that fractions survive
            if duration is not None:
                end = (end if start is None else start) + duration
                ends.append(end / 1000)
    longest = max(ends, default=0.0)
    if not longest or not declared_ms:
        return 1.0
    for factor in (1.0, 1000.0, 0.001):
        if 0.9 <= longest * factor / declared_ms <= 1.1:
            return factor
    return 1.0


def bounded_draft(draft: Draft) -> Any:
    """Return a draft as JSON that :func:`read_draft` reads, of at most ``MAX_KEPT_BYTES``.

    A larger one keeps names, times, texts, volumes and media of its segments, as many as fit, and of the rest of each a
    digest. It is for comparing and listing, and can't be rendered.
    """
    if _size(draft.raw) <= MAX_KEPT_BYTES:
        return draft.raw
    left = MAX_KEPT_BYTES - MAX_KEPT_BYTES // 4
    tracks: list[Any] = []
    for track in draft.tracks:
        known = {"tt": track.type_id, "name": track.name, "volume": track.volume, "id": track.track_id}
        segments: list[Any] = []
        left -= _size(known)
        for segment in map(_reduced_segment, track.segments):
            left -= _size(segment)
            if left < 0:
                break
            segments.append(segment)
        if left < 0 and not segments:
            break
        tracks.append({**known, "sg": segments})
    meta = {"title": draft.title, "width": draft.width, "height": draft.height}
    return {"t": tracks, "d": draft.duration_ms, "m": meta}


def _reduced_segment(segment: Segment) -> dict[str, Any]:
    known = {
        "name": segment.name if segment.named else None,
        "start_ms": segment.start_ms,
        "duration_ms": segment.duration_ms,
        "text": segment.text,
        "volume": segment.volume,
        "src": segment.media,
        "id": segment.segment_id,
        "raw": digest(segment.raw),
    }
    return {name: value for name, value in known.items() if value is not None}


def _size(value: Any) -> int:
    try:
        return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    except (ValueError, TypeError, RecursionError):  # nested too deep, or half a surrogate pair
        return MAX_KEPT_BYTES + 1
