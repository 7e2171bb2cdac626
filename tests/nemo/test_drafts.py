"""Timelines, read from whatever the service calls one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.nemo.drafts import Draft, Segment, TrackKind, read_draft

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([
        "t", "tracks", "tt", "sg", "d", "m", "title", "width", "start", "end", "duration", "start_s", "volume", "v",
        "name", "text", "id", "url", "target_timerange", "state", "draft", "data", "files", "status", "progress",
        "output", "error", "code", "expires_at", "token",
    ]), inner),
    max_leaves=40,
)  # fmt: skip

URBAN = {
    "t": [
        {"tt": 0, "sg": [{"name": "city timelapse", "start": 0, "duration": 10000}]},
        {"tt": 1, "sg": [{"name": "Lo-fi", "start": 0, "duration": 10000, "volume": 0.35}]},
        {"tt": 7, "sg": [{"text": "Urban Dreams", "start": 0, "duration": 3000}]},
    ],
    "d": 10000,
    "m": {"title": "Urban", "width": 1920, "height": 1080},
}


def described(draft: Draft) -> str:
    return "; ".join(
        f"{track.kind.value}: {', '.join(map(described_segment, track.segments))}".rstrip(": ")
        for track in draft.tracks
    )


def described_segment(segment: Segment) -> str:
    facts = [segment.text or segment.name]
    if segment.start_ms is not None or segment.duration_ms is not None:
        facts.append(f"{segment.start_ms}-{segment.end_ms}")
    return " ".join([*facts, *([] if segment.volume is None else [str(segment.volume)])])


def test_the_contracts_own_example() -> None:
    draft = read_draft(URBAN)
    assert (
        described(draft)
        == "video: city timelapse 0-10000; audio: Lo-fi 0-10000 0.35; text: Urban Dreams 0-3000"
    )
    assert draft.is_ready
    assert (draft.duration_ms, draft.title, draft.width, draft.height) == (10000, "Urban", 1920, 1080)
    assert [track.kind for track in draft.tracks] == [TrackKind.VIDEO, TrackKind.AUDIO, TrackKind.TEXT]
    assert draft.raw is URBAN


@pytest.mark.parametrize(
    "segment",
    [
        {"start": 1000, "duration": 2500},
        {"start": 1000, "end": 3500},
        {"duration": 2500, "end": 3500},
        {"start_ms": 1000, "duration_ms": 2500},
        {"startMs": 1000, "endMs": 3500},
        {"start_s": 1, "duration_s": 2.5},
        {"startTime": 1000, "endTime": 3500},
        {"s": 1000, "d": 2500},
        {"target_timerange": {"start": 1000, "duration": 2500}},
        {"m": {"start": 1000, "duration": 2500}},
        {"start": "1000", "duration": "2500"},
    ],
)
def test_times_under_any_likely_name(segment: dict[str, Any]) -> None:
    (track,) = read_draft({"t": [{"tt": 0, "sg": [segment]}]}).tracks
    (found,) = track.segments
    assert (found.start_ms, found.duration_ms, found.end_ms) == (1000, 2500, 3500)


@pytest.mark.parametrize("scale", [0.001, 1, 1000], ids=["s", "ms", "µs"])
def test_the_unit_is_told_by_the_drafts_duration(scale: float) -> None:
    segments = [{"start": 0, "duration": 4000 * scale}, {"start": 4000 * scale, "duration": 2500 * scale}]
    draft = read_draft({"d": 6500, "t": [{"tt": 0, "sg": segments}]})
    assert [(s.start_ms, s.end_ms) for s in draft.tracks[0].segments] == [(0, 4000), (4000, 6500)]


@pytest.mark.parametrize(
    ("segments", "spans"),
    [
        ([{"d": 10000}], [(0, 10000)]),
        ([{"d": 4000}, {"d": 6000}], [(0, 4000), (4000, 10000)]),
        ([{"start": 1000, "d": 4000}, {"d": 5000}], [(1000, 5000), (5000, 10000)]),
        ([{"d": 4}, {"d": 6}], [(0, 4000), (4000, 10000)]),
        ([{}, {"d": 10000}], [(None, None), (None, None)]),
    ],
)
def test_a_segment_with_only_a_duration_starts_where_the_one_before_ended(
    segments: list[dict[str, int]], spans: list[tuple[int | None, int | None]]
) -> None:
    (track,) = read_draft({"d": 10000, "t": [{"tt": 0, "sg": segments}]}).tracks
    assert [(s.start_ms, s.end_ms) for s in track.segments] == spans


@pytest.mark.parametrize(
    ("segment", "name"),
    [
        ({}, "clip 1"),
        ({"title": "A"}, "A"),
        ({"m": {"title": "A"}}, "A"),
        ({"material": {"name": "A"}}, "A"),
        ("a.mp4", "a.mp4"),
        (None, "clip 1"),
        ({"name": 7, "n": 3}, "clip 1"),
    ],
)
def test_names_and_the_fallback(segment: Any, name: str) -> None:
    draft = read_draft({"t": [{"tt": 0, "sg": [segment]}]})
    (found,) = draft.tracks[0].segments
    assert (found.name, found.named) == (name, name != "clip 1")
    assert draft.is_ready


@pytest.mark.parametrize(
    ("fields", "volume"),
    [
        ({"volume": 0.35}, 0.35),
        ({"volume": 35}, 0.35),
        ({"vol": "35%"}, 0.35),
        ({"v": 1}, 1.0),
        ({"volume": 2}, 2.0),  # double loudness, not 2 %
        ({"volume": 2.5}, 0.025),
        ({"m": {"volume": 0.5}}, 0.5),
        ({"volume": 1, "muted": True}, 0.0),
        ({"volume": "loud"}, None),
        ({"volume": -1}, None),
        ({}, None),
    ],
)
def test_volumes(fields: dict[str, Any], volume: float | None) -> None:
    (track,) = read_draft({"t": [{"tt": 1, "sg": [fields]}]}).tracks
    assert track.segments[0].volume == volume


@pytest.mark.parametrize(
    ("value", "tracks"),
    [
        (None, ""),
        ({"t": []}, ""),
        ({"t": [{"tt": 0, "sg": []}]}, "video"),
        ({"t": [{"tt": 0}, {"tt": 99, "sg": [{}]}]}, "video; other: clip 1"),
        ({"tracks": [{"type": "video", "segments": [{"start": 0, "duration": 5}]}]}, "video: clip 1 0-5"),
        (json.dumps({"t": [{"tt": "1", "sg": {"a": {}}}]}), "audio: clip 1"),
        ({"t": [{"tt": 0, "sg": [{}] * 3}]}, "video: clip 1, clip 2, clip 3"),
    ],
)
def test_odd_drafts(value: Any, tracks: str) -> None:
    assert described(read_draft(value)) == tracks


def test_the_digest_is_of_the_content() -> None:
    shuffled = dict(reversed(URBAN.items()))
    assert read_draft(shuffled).digest() == read_draft(URBAN).digest()
    assert read_draft({**URBAN, "d": 1}).digest() != read_draft(URBAN).digest()


@given(JSON | st.fixed_dictionaries({"t": st.lists(st.fixed_dictionaries({"tt": JSON, "sg": JSON}))}))
def test_no_json_value_breaks_it(value: Any) -> None:
    draft = read_draft(value)
    assert draft.digest()
    assert draft.raw is value
    assert draft.is_ready in (True, False)


def test_depth_does_not_break_it() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"t": [{"sg": [deep]}]}
    draft = read_draft(deep)
    assert draft.is_ready
    assert draft.digest()
    while deep:  # taken apart by hand: freeing it in one go would go as deep
        deep = deep["t"][0]["sg"].pop()


def test_the_segments_of_all_tracks_together_are_bounded() -> None:
    tracks = [{"tt": 0, "sg": [{}] * 2000} for _ in range(50)]
    read = read_draft({"t": tracks})
    assert [len(track.segments) for track in read.tracks] == [2000, 1000] + [0] * 48
    assert read.digest() != read_draft({"t": tracks[:-1]}).digest(), "the digest is of the whole draft"
