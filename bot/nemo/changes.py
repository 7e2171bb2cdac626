"""The changes between two drafts as data; ``jobs/steps/change_list.py`` describes them in words.

>>> from bot.nemo.drafts import read_draft
>>> before = read_draft({"t": [{"tt": 1, "sg": [{"name": "Lo-fi", "volume": 0.8}]}]})
>>> after = read_draft({"t": [{"tt": 1, "sg": [{"name": "Lo-fi", "volume": 0.35}]}]})
>>> [(type(change).__name__, change.before, change.after) for change in compare(before, after)]
[('VolumeChanged', 0.8, 0.35)]
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bot.nemo.drafts import Draft, Segment, Track

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TrackAdded:
    """A new track with its segments."""

    track: Track


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    """A removed track with its segments."""

    track: Track


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
class Renamed:
    """A track or a segment has another name."""

    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class TextChanged:
    """A title has another text."""

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
class SegmentReplaced:
    """Another file, with another name, is where a segment was."""

    earlier: Segment
    segment: Segment


@dataclass(frozen=True, slots=True)
class DurationChanged:
    """The timeline has another length, in ms."""

    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class SizeChanged:
    """The picture has another width and height, in pixels."""

    before: tuple[int | None, int | None]
    after: tuple[int | None, int | None]


Change = (
    TrackAdded
    | TrackRemoved
    | SegmentAdded
    | SegmentRemoved
    | SegmentMoved
    | SegmentRetimed
    | Renamed
    | TextChanged
    | VolumeChanged
    | SegmentReplaced
    | DurationChanged
    | SizeChanged
)


def compare(before: Draft, after: Draft) -> Iterator[Change]:
    """Yield what differs between two drafts and has a name here, in the order of the timeline.

    Effects, the order of tracks and the project's title have none, nor has another file under the same name. Tracks and
    segments are matched by their ids, else by their content, else by their position: a server may assign new ids with
    each edit.
    """
    pairs, removed, added = _match(before.tracks, after.tracks, _track_keys)
    for old_at, new_at in pairs:
        old, track = before.tracks[old_at], after.tracks[new_at]
        if old.name != track.name:
            yield Renamed(old.name, track.name)
        if old.volume != track.volume:
            yield VolumeChanged(track, None, old.volume, track.volume)
        yield from _track_changes(old, track)
    for at in added:
        yield TrackAdded(after.tracks[at])
    for at in removed:
        yield TrackRemoved(before.tracks[at])
    if before.duration_ms != after.duration_ms:
        yield DurationChanged(before.duration_ms, after.duration_ms)
    old_size, new_size = (before.width, before.height), (after.width, after.height)
    if old_size != new_size:
        yield SizeChanged(old_size, new_size)


def _track_changes(old: Track, new: Track) -> Iterator[Change]:
    pairs, removed, added = _match(old.segments, new.segments, _segment_keys)
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
        # Another file took the place of the earlier one.
        yield SegmentReplaced(old, new)
        return
    if old.duration_ms != new.duration_ms:
        yield SegmentRetimed(track, new, (old.start_ms, old.end_ms), (new.start_ms, new.end_ms))
    elif old.start_ms != new.start_ms:
        yield SegmentMoved(track, new, old.start_ms, new.start_ms)
    if old.text != new.text:
        yield TextChanged(old.text, new.text)
    if old_name != new_name:
        yield Renamed(old_name, new_name)
    if old.volume != new.volume:
        yield VolumeChanged(track, new, old.volume, new.volume)


def _track_keys(track: Track) -> tuple[Hashable, ...]:
    """Return what pairs two versions of a track, the surest first; ``None`` where it has nothing of that kind."""
    kind = (track.kind, track.type_id)
    return (
        (track.track_id, track.kind) if track.track_id else None,
        (kind, track.name) if track.name else None,
        (kind, frozenset(map(_content, track.segments))) if track.segments else None,
        (kind, _content(track.segments[0])) if track.segments else None,
        kind,
    )


def _segment_keys(segment: Segment) -> tuple[Hashable, ...]:
    """Return what pairs two versions of a segment, the surest first; ``None`` where it has nothing of that kind."""
    return (
        segment.segment_id,
        (_content(segment), segment.start_ms, segment.duration_ms),
        segment.media,
        segment.text,
        segment.name if segment.named else None,
        segment.start_ms,
        "untimed" if segment.start_ms is None else None,
    )


def _content(segment: Segment) -> Hashable:
    return (segment.media, segment.text, segment.name)


def _match(
    before: Sequence[_T], after: Sequence[_T], keys_of: Callable[[_T], tuple[Hashable, ...]]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair the same items, by the surest key first; return pairs in the order of ``after``, and the unpaired rest."""
    pairs: list[tuple[int, int]] = []
    removed, added = list(range(len(before))), list(range(len(after)))
    old_keys, new_keys = zip(*map(keys_of, before), strict=True), zip(*map(keys_of, after), strict=True)
    for old, new in zip(
        old_keys, new_keys, strict=False
    ):  # One of them is empty if there is nothing to pair.
        unpaired: dict[Hashable, list[int]] = {}
        for at in reversed(removed):
            if old[at] is not None:
                unpaired.setdefault(old[at], []).append(at)
        rest = []
        for at in added:
            if new[at] is not None and unpaired.get(new[at]):
                pairs.append((unpaired[new[at]].pop(), at))
            else:
                rest.append(at)
        added = rest
        paired = {old_at for old_at, _ in pairs}
        removed = [at for at in removed if at not in paired]
    return sorted(pairs, key=lambda pair: pair[1]), removed, added
