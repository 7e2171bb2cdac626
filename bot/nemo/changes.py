"""The changes between two drafts as data, to be described in any language.

>>> from bot.nemo.drafts import read_draft
>>> before = read_draft({"t": [{"tt": 1, "sg": [{"name": "Lo-fi", "volume": 0.8}]}]})
>>> after = read_draft({"t": [{"tt": 1, "sg": [{"name": "Lo-fi", "volume": 0.35}]}]})
>>> [(type(change).__name__, change.before, change.after) for change in compare(before, after)]
[('VolumeChanged', 0.8, 0.35)]
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bot.nemo.drafts import Draft, Segment, Track, digest

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrackAdded:
    """A new track with its segments; ``position`` counts from 0."""

    track: Track
    position: int


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    """A removed track with its segments; ``position`` is its former one."""

    track: Track
    position: int


@dataclass(frozen=True, slots=True)
class TrackMoved:
    """A track changed its position among the others."""

    track: Track
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class TrackRenamed:
    """A track has another name."""

    track: Track
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class SegmentAdded:
    """A new segment."""

    track: Track
    segment: Segment


@dataclass(frozen=True, slots=True)
class SegmentRemoved:
    """A segment removed from a track that stays."""

    track: Track
    segment: Segment


@dataclass(frozen=True, slots=True)
class SegmentMoved:
    """A segment of unchanged length starts at another time; ``before`` and ``after`` in ms."""

    track: Track
    segment: Segment
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class SegmentRetimed:
    """A segment has another length, perhaps also another start: (start, end) in ms before and after."""

    track: Track
    segment: Segment
    before: tuple[int | None, int | None]
    after: tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class SegmentRenamed:
    """A segment has another name."""

    track: Track
    segment: Segment
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class TextChanged:
    """A title has another text."""

    track: Track
    segment: Segment
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class VolumeChanged:
    """Another volume; 1.0 is the original loudness. ``segment`` is None for a whole track."""

    track: Track
    segment: Segment | None
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class MediaReplaced:
    """A segment shows another file. The URLs are internal to the service."""

    track: Track
    segment: Segment
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class SegmentReplaced:
    """Another file, with another name, is where a segment was."""

    track: Track
    earlier: Segment
    segment: Segment


@dataclass(frozen=True, slots=True)
class SegmentChanged:
    """A segment changed in a way that this library can't name, such as an effect."""

    track: Track
    segment: Segment


@dataclass(frozen=True, slots=True)
class DurationChanged:
    """The timeline has another length, in ms."""

    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class TitleChanged:
    """The project has another title."""

    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class SizeChanged:
    """The picture has another width and height, in pixels."""

    before: tuple[int | None, int | None]
    after: tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class OtherChange:
    """The drafts differ only in a way that this library can't name."""


Change = (
    TrackAdded
    | TrackRemoved
    | TrackMoved
    | TrackRenamed
    | SegmentAdded
    | SegmentRemoved
    | SegmentMoved
    | SegmentRetimed
    | SegmentRenamed
    | TextChanged
    | VolumeChanged
    | MediaReplaced
    | SegmentReplaced
    | SegmentChanged
    | DurationChanged
    | TitleChanged
    | SizeChanged
    | OtherChange
)


def compare(before: Draft, after: Draft) -> tuple[Change, ...]:
    """Compare two drafts track by track.

    Tracks and segments are matched by their ids, else by their content, else by their position: a server may assign
    new ids with each edit.

    Returns:
        Changes in the order of the timeline; empty only if nothing changed.
    """
    if before.digest() == after.digest():
        return ()
    return tuple(_draft_changes(before, after)) or (OtherChange(),)


def _draft_changes(before: Draft, after: Draft) -> Iterator[Change]:
    pairs, removed, added = _match(before.tracks, after.tracks, _TRACK_KEYS)
    moved = _moved(pairs)
    for old_at, new_at in pairs:
        old, track = before.tracks[old_at], after.tracks[new_at]
        if new_at in moved:
            yield TrackMoved(track, old_at, new_at)
        if old.name != track.name:
            yield TrackRenamed(track, old.name, track.name)
        if old.volume != track.volume:
            yield VolumeChanged(track, None, old.volume, track.volume)
        yield from _track_changes(old, track)
    for at in added:
        yield TrackAdded(after.tracks[at], at)
    for at in removed:
        yield TrackRemoved(before.tracks[at], at)
    if before.duration_ms != after.duration_ms:
        yield DurationChanged(before.duration_ms, after.duration_ms)
    if before.title != after.title:
        yield TitleChanged(before.title, after.title)
    old_size, new_size = (before.width, before.height), (after.width, after.height)
    if old_size != new_size:
        yield SizeChanged(old_size, new_size)


def _track_changes(old: Track, new: Track) -> Iterator[Change]:
    pairs, removed, added = _match(old.segments, new.segments, _SEGMENT_KEYS)
    for old_at, new_at in pairs:
        yield from _segment_changes(old.segments[old_at], new.segments[new_at], new)
    for at in added:
        yield SegmentAdded(new, new.segments[at])
    for at in removed:
        yield SegmentRemoved(new, old.segments[at])


def _segment_changes(old: Segment, new: Segment, track: Track) -> Iterator[Change]:
    old_name, new_name = (old.name if old.named else None), (new.name if new.named else None)
    is_other_file = (old.media or old.segment_id) != (new.media or new.segment_id)
    if is_other_file and old_name and new_name and old_name != new_name:
        # Only their place on the track paired them.
        yield SegmentReplaced(track, old, new)
        return
    is_named = False
    if old.duration_ms != new.duration_ms:
        is_named = True
        yield SegmentRetimed(track, new, (old.start_ms, old.end_ms), (new.start_ms, new.end_ms))
    elif old.start_ms != new.start_ms:
        is_named = True
        yield SegmentMoved(track, new, old.start_ms, new.start_ms)
    if old.text != new.text:
        is_named = True
        yield TextChanged(track, new, old.text, new.text)
    if old_name != new_name:
        is_named = True
        yield SegmentRenamed(track, new, old_name, new_name)
    if old.volume != new.volume:
        is_named = True
        yield VolumeChanged(track, new, old.volume, new.volume)
    if old.media != new.media:
        is_named = True
        yield MediaReplaced(track, new, old.media, new.media)
    if not is_named and old.segment_id == new.segment_id and digest(old.raw) != digest(new.raw):
        yield SegmentChanged(track, new)


_TRACK_KEYS: tuple[Callable[[Track], Hashable], ...] = (
    lambda track: (track.track_id, track.kind) if track.track_id else None,
    lambda track: (track.kind, track.type_id, track.name) if track.name else None,
    lambda track: (
        (track.kind, track.type_id, frozenset(map(_content, track.segments))) if track.segments else None
    ),
    lambda track: (track.kind, track.type_id, _content(track.segments[0])) if track.segments else None,
    lambda track: (track.kind, track.type_id),
)
_SEGMENT_KEYS: tuple[Callable[[Segment], Hashable], ...] = (
    lambda segment: segment.segment_id,
    lambda segment: (_content(segment), segment.start_ms, segment.duration_ms),
    lambda segment: segment.media,
    lambda segment: segment.text,
    lambda segment: segment.name if segment.named else None,
    lambda segment: segment.start_ms,
    lambda segment: segment.start_ms is None or None,
)


def _content(segment: Segment) -> Hashable:
    return (segment.media, segment.text, segment.name)


def _match(
    before: Sequence[_T], after: Sequence[_T], keys: Sequence[Callable[[_T], Hashable]]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair the same items, by the surest key first; return pairs in the order of ``after``, and the unpaired rest."""
    pairs: list[tuple[int, int]] = []
    removed, added = list(range(len(before))), list(range(len(after)))
    for key in keys:
        unpaired: dict[Hashable, list[int]] = {}
        for at in reversed(removed):
            if (value := key(before[at])) is not None:
                unpaired.setdefault(value, []).append(at)
        rest = []
        for at in added:
            value = key(after[at])
            if value is not None and unpaired.get(value):
                pairs.append((unpaired[value].pop(), at))
            else:
                rest.append(at)
        added = rest
        paired = {old_at for old_at, _ in pairs}
        removed = [at for at in removed if at not in paired]
    return sorted(pairs, key=lambda pair: pair[1]), removed, added


def _moved(pairs: list[tuple[int, int]]) -> set[int]:
    """Return the new positions of tracks whose order changed; an added or removed track moves no other."""
    ranks = {old_at: rank for rank, old_at in enumerate(sorted(old_at for old_at, _ in pairs))}
    return {new_at for rank, (old_at, new_at) in enumerate(pairs) if ranks[old_at] != rank}
