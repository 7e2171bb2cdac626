"""What an edit did, told from the drafts before and after."""

import copy
from typing import Any

import pytest
from hypothesis import given

from bot.nemo.changes import (
    DurationChanged,
    Renamed,
    SegmentAdded,
    SegmentMoved,
    SegmentRemoved,
    SegmentReplaced,
    SegmentRetimed,
    SizeChanged,
    TextChanged,
    TrackAdded,
    TrackRemoved,
    VolumeChanged,
    compare,
)
from bot.nemo.drafts import read_draft
from tests.nemo.test_drafts import JSON

BASE: dict[str, Any] = {
    "t": [
        {
            "tt": 0,
            "sg": [
                {"name": "beach", "url": "https://m/1.mp4", "start": 0, "duration": 4000},
                {"name": "city", "url": "https://m/2.mp4", "start": 4000, "duration": 6000},
            ],
        },
        {"tt": 1, "sg": [{"name": "Lo-fi", "start": 0, "duration": 10000, "volume": 0.8}]},
        {"tt": 7, "sg": [{"text": "Hello", "start": 0, "duration": 3000}]},
    ],
    "d": 10000,
    "m": {"title": "Trip", "width": 1920, "height": 1080},
}
RAIN = {"name": "rain", "url": "https://m/3.mp4", "start": 10000, "duration": 1000}


def facts(change: Any) -> tuple[Any, ...]:
    """A change without the tracks and segments it is about."""
    before, after = getattr(change, "before", None), getattr(change, "after", None)
    return (type(change), *(() if (before, after) == (None, None) else (before, after)))


def edited(path: list[Any], value: Any) -> dict[str, Any]:
    draft = copy.deepcopy(BASE)
    place: Any = draft
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return draft


SEGMENT = ["t", 0, "sg", 0]


@pytest.mark.parametrize("ids", [False, True], ids=["without ids", "with new ids"])
@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (["t", 1, "sg", 0, "volume"], 0.35, [(VolumeChanged, 0.8, 0.35)]),
        (["t", 2, "sg", 0, "text"], "Bye", [(TextChanged, "Hello", "Bye")]),
        ([*SEGMENT, "name"], "sea", [(Renamed, "beach", "sea")]),
        ([*SEGMENT, "url"], "https://m/9.mp4", []),
        ([*SEGMENT, "duration"], 3000, [(SegmentRetimed, (0, 4000), (0, 3000))]),
        (["t", 0, "sg", 1, "start"], 3000, [(SegmentMoved, 4000, 3000)]),
        (["t", 1, "name"], "Music", [(Renamed, None, "Music")]),
        (["t", 1, "volume"], 0.5, [(VolumeChanged, None, 0.5)]),
        (["d"], 8000, [(DurationChanged, 10000, 8000)]),
        (["m", "title"], "Tour", []),
        (["m", "width"], 1080, [(SizeChanged, (1920, 1080), (1080, 1080))]),
        (["m", "colour"], "red", []),
        (["t", 0, "sg"], [*BASE["t"][0]["sg"], RAIN], [(SegmentAdded,)]),
        (["t", 0, "sg"], BASE["t"][0]["sg"][1:], [(SegmentRemoved,)]),
        (["t", 0, "sg"], BASE["t"][0]["sg"][::-1], []),
        (["t"], [*BASE["t"], {"tt": 7, "sg": [{"text": "New", "start": 5000}]}], [(TrackAdded,)]),
        (["t"], BASE["t"][:2], [(TrackRemoved,)]),
        (["t"], BASE["t"][1:], [(TrackRemoved,)]),
        (["t"], [BASE["t"][1], BASE["t"][0], BASE["t"][2]], []),
    ],
)
def test_one_edit_is_one_change(
    path: list[Any], value: Any, expected: list[tuple[Any, ...]], ids: bool
) -> None:
    draft = edited(path, value)
    before = copy.deepcopy(BASE)
    if ids:
        number_all(before, "old")
        number_all(draft, "new")
    assert [facts(change) for change in compare(read_draft(before), read_draft(draft))] == expected


def number_all(draft: dict[str, Any], prefix: str) -> None:
    for at, track in enumerate(draft["t"]):
        draft["t"][at] = track = {**track, "id": f"{prefix}-{at}"}
        track["sg"] = [{**segment, "id": f"{prefix}-{at}-{n}"} for n, segment in enumerate(track["sg"])]


def test_lasting_ids_count_more_than_content() -> None:
    def draft(first: str, second: str) -> Any:
        return {"t": [{"tt": 7, "sg": [{"id": first, "text": "A"}, {"id": second, "text": "B"}]}]}

    changes = compare(read_draft(draft("1", "2")), read_draft(draft("2", "1")))
    assert [facts(change) for change in changes] == [(TextChanged, "B", "A"), (TextChanged, "A", "B")]


def test_another_file_in_a_segments_place_is_no_renamed_one() -> None:
    segment = {"id": "old", "name": "photo.jpg", "url": "https://m/1.jpg", "start": 0, "duration": 3000}
    other = {"id": "new", "name": "beach.mp4", "url": "https://m/2.mp4", "start": 0, "duration": 2000}
    before, after = ({"t": [{"id": "1", "tt": 0, "sg": [one]}]} for one in (segment, other))
    replaced, *_ = compare(read_draft(before), read_draft(after))
    assert isinstance(replaced, SegmentReplaced)
    assert (replaced.earlier.name, replaced.segment.name) == ("photo.jpg", "beach.mp4")
    assert Renamed not in map(type, compare(read_draft(before), read_draft(after)))


def test_what_has_no_name_is_left_out() -> None:
    changes = compare(read_draft(BASE), read_draft(edited([*SEGMENT, "filter"], "sepia")))
    assert list(changes) == []


def test_an_added_track_says_what_is_on_it() -> None:
    (change,) = compare(read_draft({"t": [], "d": 1}), read_draft({"t": [BASE["t"][1]], "d": 1}))
    assert isinstance(change, TrackAdded)
    assert [segment.name for segment in change.track.segments] == ["Lo-fi"]


@given(JSON, JSON)
def test_no_json_values_break_it_and_equal_drafts_have_no_changes(before: Any, after: Any) -> None:
    one, two = read_draft(before), read_draft(after)
    list(compare(one, two))
    assert list(compare(one, read_draft(before))) == []
