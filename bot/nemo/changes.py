"""What an edit did to a draft, as data: for telling it in any language.

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
    """A track that was not there before, with all that is on it; ``position`` counts from 0."""

    track: Track
    position: int


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    """A track that is gone, with all that was on it; ``position`` is where it was."""

    track: Track
    position: int


@dataclass(frozen=True, slots=True)
class TrackMoved:
    """A track changed places with others."""

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
    """A clip that was not there before."""

    track: Track
    segment: Segment


@dataclass(frozen=True, slots=True)
class SegmentRemoved:
    """A clip that is gone from a track that stays."""

    track: Track
    segment: Segment


@dataclass(frozen=True, slots=True)
class SegmentMoved:
    """A clip begins elsewhere, as long as it was. ``before`` and ``after`` in ms."""

    track: Track
    segment: Segment
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class SegmentRetimed:
    """A clip has another length (and perhaps start): (start, end) in ms before and after."""

    track: Track
    segment: Segment
    before: tuple[int | None, int | None]
    after: tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class SegmentRenamed:
    """A clip has another name."""

    track: Track
    segment: Segment
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class TextChanged:
    """A title says something else."""

    track: Track
    segment: Segment
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class VolumeChanged:
    """Louder or softer; 1.0 is the original loudness. ``segment`` is None for a whole track."""

    track: Track
    segment: Segment | None
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class MediaReplaced:
    """A clip shows another file. The addresses are the service's, not for people."""

    track: Track
    segment: Segment
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class SegmentChanged:
    """Something of a clip changed that this library can't name, such as an effect."""

    track: Track
    segment: Segment


@dataclass(frozen=True, slots=True)
class DurationChanged:
    """The whole timeline is longer or shorter, in ms."""

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
    """The drafts differ in something that this library can't name, and in nothing else."""


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
    | SegmentChanged
    | DurationChanged
    | TitleChanged
    | SizeChanged
    | OtherChange
)


def compare(before: Draft, after: Draft) -> tuple[Change, ...]:
    """Tell two drafts apart, track by track.

    Tracks and clips are recognised by their ids, else by what they hold, else by their place, so that a
    server that makes new ids at each edit is understood as well.

    Returns:
        Changes in the order of the timeline; empty exactly when nothing changed.
    """
    if before.digest() == after.digest():
        return ()
    return tuple(_draft_changes(before, after)) or (OtherChange(),)


def _draft_changes(before: Draft, after: Draft) -> Iterator[Change]:
    pairs, gone, new = _match(before.tracks, after.tracks, _TRACK_KEYS)
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
    for at in new:
        yield TrackAdded(after.tracks[at], at)
    for at in gone:
        yield TrackRemoved(before.tracks[at], at)
    if before.duration_ms != after.duration_ms:
        yield DurationChanged(before.duration_ms, after.duration_ms)
    if before.title != after.title:
        yield TitleChanged(before.title, after.title)
    old_size, new_size = (before.width, before.height), (after.width, after.height)
    if old_size != new_size:
        yield SizeChanged(old_size, new_size)


def _track_changes(old: Track, new: Track) -> Iterator[Change]:
    pairs, gone, added = _match(old.segments, new.segments, _SEGMENT_KEYS)
    for old_at, new_at in pairs:
        yield from _segment_changes(old.segments[old_at], new.segments[new_at], new)
    for at in added:
        yield SegmentAdded(new, new.segments[at])
    for at in gone:
        yield SegmentRemoved(new, old.segments[at])


def _segment_changes(old: Segment, new: Segment, track: Track) -> Iterator[Change]:
    told = False
    if old.duration_ms != new.duration_ms:
        told = True
        yield SegmentRetimed(track, new, (old.start_ms, old.end_ms), (new.start_ms, new.end_ms))
    elif old.start_ms != new.start_ms:
        told = True
        yield SegmentMoved(track, new, old.start_ms, new.start_ms)
    if old.text != new.text:
        told = True
        yield TextChanged(track, new, old.text, new.text)
    old_name, new_name = (old.name if old.named else None), (new.name if new.named else None)
    if old_name != new_name:
        told = True
        yield SegmentRenamed(track, new, old_name, new_name)
    if old.volume != new.volume:
        told = True
        yield VolumeChanged(track, new, old.volume, new.volume)
    if old.media != new.media:
        told = True
        yield MediaReplaced(track, new, old.media, new.media)
    if not told and old.segment_id == new.segment_id and digest(old.raw) != digest(new.raw):
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
    """Pair what is the same, by the surest key first: pairs in the order of ``after``, and what is left."""
    pairs: list[tuple[int, int]] = []
    gone, new = list(range(len(before))), list(range(len(after)))
    for key in keys:
        waiting: dict[Hashable, list[int]] = {}
        for at in reversed(gone):
            if (found := key(before[at])) is not None:
                waiting.setdefault(found, []).append(at)
        left = []
        for at in new:
            found = key(after[at])
            if found is not None and waiting.get(found):
                pairs.append((waiting[found].pop(), at))
            else:
                left.append(at)
        new = left
        taken = {old_at for old_at, _ in pairs}
        gone = [at for at in gone if at not in taken]
    return sorted(pairs, key=lambda pair: pair[1]), gone, new


def _moved(pairs: list[tuple[int, int]]) -> set[int]:
    """Those that are out of order among the pairs that stayed; an added or removed track moves nobody."""
    ranks = {old_at: rank for rank, old_at in enumerate(sorted(old_at for old_at, _ in pairs))}
    return {new_at for rank, (old_at, new_at) in enumerate(pairs) if ranks[old_at] != rank}
