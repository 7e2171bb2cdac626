"""The layout of a timeline's picture: nothing lies outside, nothing covers anything."""

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given

from bot.nemo.drafts import Draft, TrackKind, read_draft
from bot.pictures import lettering
from bot.pictures.boxes import Block, Box, Layout, Line, TimelineLabels, TrackBox
from bot.pictures.layout import MAX_ROWS, WIDTH_PX, lay_out
from tests.pictures.drafts import ANY, CHINESE, DRAFTS, ENGLISH, LIKELY, segment

MIN_TEXT_PX = 36
"""Eleven pixels high if the picture is 390 wide, as on a phone."""


def lines_of(layout: Layout) -> Iterator[Line]:
    yield from layout.heading
    yield from (tick.line for tick in layout.ticks)
    for track in layout.tracks:
        yield from (line for line in (track.name, track.hidden) if line)
        yield from (line for block in track.blocks for line in block.lines)
    if layout.hidden:
        yield layout.hidden


def contains(outer: Box, inner: Box) -> bool:
    across = outer.left <= inner.left and inner.right <= outer.right
    return across and outer.top <= inner.top and inner.bottom <= outer.bottom


def overlap(one: Box, other: Box) -> bool:
    across = one.left < other.right and other.left < one.right
    return across and one.top < other.bottom and other.top < one.bottom


def assert_apart(boxes: list[Box]) -> None:
    for one, other in combinations(boxes, 2):
        assert not overlap(one, other), (one, other)


def assert_sound(layout: Layout, draft: Draft) -> None:
    picture = Box(0, 0, layout.width, layout.height)
    assert layout.width == WIDTH_PX
    assert WIDTH_PX / 20 < layout.height <= WIDTH_PX
    lines = list(lines_of(layout))
    for line in lines:
        assert line.text
        assert line.size_px >= MIN_TEXT_PX
        assert lettering.width(line.text, line.size_px) <= line.box.width
        assert contains(picture, line.box)
    assert_apart([line.box for line in lines])
    assert_apart([track.box for track in layout.tracks])
    for one, other in pairwise(layout.ticks):
        assert one.at_ms < other.at_ms
        assert one.x < other.x
    for tick in layout.ticks:
        assert all(track.box.left <= tick.x <= track.box.right for track in layout.tracks)
    hidden = int(layout.hidden.text) if layout.hidden else 0
    assert len(layout.tracks) + hidden == len(draft.tracks)
    for box, track in zip(layout.tracks, draft.tracks, strict=False):
        assert_track_sound(box, picture)
        hidden = int(box.hidden.text) if box.hidden else 0
        assert sum(block.count for block in box.blocks) + hidden == len(track.segments)


def assert_track_sound(track: TrackBox, picture: Box) -> None:
    assert contains(picture, track.box)
    signs = [track.icon, *(line.box for line in (track.name, track.hidden) if line)]
    assert_apart([track.box, *signs])
    for sign in signs:
        assert contains(picture, sign)
        assert track.box.top <= sign.top
        assert sign.bottom <= track.box.bottom
    assert_apart([block.box for block in track.blocks])
    for block in track.blocks:
        assert contains(track.box, block.box)
        assert block.box.width > 0
        assert block.level is None or 0 <= block.level <= 1
        for line in block.lines:
            assert contains(track.box, line.box)
            others = (
                other.box for other in track.blocks if not contains(block.box, line.box) or other is not block
            )
            assert not any(overlap(line.box, other) for other in others)


@pytest.mark.parametrize("labels", [ENGLISH, CHINESE], ids=["en", "zh"])
@pytest.mark.parametrize("name", DRAFTS)
def test_everything_has_its_place(name: str, labels: TimelineLabels) -> None:
    draft = read_draft(DRAFTS[name])
    assert_sound(lay_out(draft, labels), draft)


@given(LIKELY)
def test_whatever_a_timeline_holds_has_its_place(value: Any) -> None:
    draft = read_draft(value)
    assert_sound(lay_out(draft, CHINESE), draft)


@given(ANY)
def test_any_json_has_a_layout(value: Any) -> None:
    draft = read_draft(value)
    assert_sound(lay_out(draft, ENGLISH), draft)


def tracks_of(*tracks: dict[str, Any], duration_ms: int | None = None) -> tuple[TrackBox, ...]:
    return lay_out(read_draft({"t": list(tracks), "d": duration_ms}), ENGLISH).tracks


def texts(block: Block) -> list[str]:
    return [line.text for line in block.lines]


def test_a_block_says_name_times_and_volume() -> None:
    (track,) = tracks_of({"tt": 1, "sg": [segment(0, 10_000, name="Lo-fi", volume=0.35)]})
    (block,) = track.blocks
    assert texts(block) == ["Lo-fi", "0–10 s   35%"]
    assert block.level == 0.35
    assert track.kind is TrackKind.AUDIO
    assert track.name
    assert track.name.text == "Music"


def test_a_video_as_loud_as_it_was_has_no_meter() -> None:
    (track,) = tracks_of({"tt": 0, "sg": [segment(0, 5_000, volume=1), segment(5_000, 5_000, volume=0)]})
    assert [block.level for block in track.blocks] == [None, 0]
    assert [texts(block) for block in track.blocks] == [["Clip 1", "0–5 s"], ["Clip 2", "5–10 s   0%"]]


def test_a_title_is_called_by_its_text() -> None:
    (track,) = tracks_of({"tt": 7, "sg": [segment(0, 10_000, name="text_1", text="Urban Dreams")]})
    assert texts(track.blocks[0]) == ["Urban Dreams", "0–10 s"]


def test_an_unnamed_segment_alone_is_called_as_its_track() -> None:
    (track,) = tracks_of({"tt": 1, "name": "Rain", "sg": [segment(0, 10_000)]})
    assert texts(track.blocks[0]) == ["Rain", "0–10 s"]


def test_a_long_name_is_cut_to_its_block() -> None:
    (track,) = tracks_of(
        {"tt": 0, "sg": [segment(0, 4_000, name="囧" * 50), segment(4_000, 6_000, name="b")]}
    )
    name, when = track.blocks[0].lines
    assert name.text.startswith("囧囧")
    assert name.text.endswith("…")
    assert contains(track.blocks[0].box, name.box)
    assert when.text == "0–4 s"


def test_a_name_that_two_lines_hold_is_not_cut() -> None:
    sg = [segment(0, 11_000, name="the lagoon below the glacier"), segment(11_000, 18_000, name="b")]
    (track,) = tracks_of({"tt": 0, "sg": sg})
    assert " ".join(texts(track.blocks[0])) == "the lagoon below the glacier"


def test_a_short_segment_has_its_name_in_the_gap_beside_it() -> None:
    sg = [segment(0, 2_000, text="Beginning"), segment(58_000, 2_000, text="The end")]
    (track,) = tracks_of({"tt": 7, "sg": sg})
    first, last = track.blocks
    assert texts(first) == ["Beginning", "0:00–0:02"]
    assert first.lines[0].box.left > first.box.right
    assert texts(last) == ["The end", "0:58–1:00"]
    assert last.lines[0].box.right < last.box.left


def test_a_gap_is_a_gap_and_neighbours_touch_nearly() -> None:
    sg = [segment(0, 3_000), segment(3_000, 2_000), segment(7_000, 3_000)]
    first, second, third = tracks_of({"tt": 0, "sg": sg})[0].blocks
    assert 0 < second.box.left - first.box.right < 8
    assert third.box.left - second.box.right == pytest.approx(second.box.width, abs=12)


def test_overlapping_segments_lie_on_rows_of_their_own() -> None:
    (track,) = tracks_of({"tt": 0, "sg": [segment(0, 5_000), segment(2_000, 5_000), segment(6_000, 4_000)]})
    tops = [block.box.top for block in sorted(track.blocks, key=lambda block: block.box.left)]
    assert tops[0] == tops[2] < tops[1]


def test_what_finds_no_row_is_counted() -> None:
    (track,) = tracks_of({"tt": 0, "sg": [segment(n, 5_000) for n in range(9)]})
    assert track.hidden
    assert track.hidden.text == "+6"


def test_a_long_count_of_hidden_segments_lies_below_the_name_of_its_track() -> None:
    draft = read_draft({"t": [{"tt": 0, "sg": [segment(n, 5_000) for n in range(20)]}]})
    assert_sound(lay_out(draft, CHINESE), draft)


def test_segments_too_short_to_be_told_apart_share_a_block() -> None:
    (track,) = tracks_of(
        {"tt": 0, "sg": [segment(30_000 + n, 1, name="x") for n in range(30)]}, duration_ms=60_000
    )
    assert sum(block.count for block in track.blocks) == 30
    assert len(track.blocks) < 5
    assert track.hidden is None


def test_tracks_beyond_the_last_row_are_counted() -> None:
    layout = lay_out(read_draft({"t": [{"tt": 0, "sg": [segment(0, 9)]}] * 20}), ENGLISH)
    assert len(layout.tracks) == MAX_ROWS
    assert layout.hidden
    assert layout.hidden.text == "+12"


def test_untimed_segments_share_what_is_free_and_claim_no_time() -> None:
    sg = [segment(0, 4_000, name="a"), {"name": "b"}, {"name": "c"}, segment(8_000, 2_000, name="d")]
    (track,) = tracks_of({"tt": 0, "sg": sg}, duration_ms=10_000)
    widths = [block.box.width for block in track.blocks]
    assert widths[1] == pytest.approx(widths[2], abs=2)
    assert widths[1] + widths[2] == pytest.approx(widths[0], abs=8)
    assert [texts(block) for block in track.blocks] == [["a", "0–4 s"], ["b"], ["c"], ["d", "8–10 s"]]


def test_without_any_time_there_is_no_ruler() -> None:
    layout = lay_out(read_draft({"t": [{"tt": 0, "sg": [{"name": "a"}, {"name": "b"}]}]}), ENGLISH)
    assert layout.ticks == ()
    assert [texts(block) for block in layout.tracks[0].blocks] == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("duration_ms", "expected"),
    [
        (400, ["0 s", "0.05 s", "0.1 s"]),
        (10_000, ["0 s", "2 s", "4 s"]),
        (45_000, ["0 s", "5 s", "10 s"]),
        (60_000, ["0:00", "0:10", "0:20"]),
        (600_000, ["0:00", "2:00", "4:00"]),
        (7_200_000, ["0:00:00", "0:30:00", "1:00:00"]),
    ],
)
def test_the_ruler_has_round_marks(duration_ms: int, expected: list[str]) -> None:
    layout = lay_out(read_draft({"d": duration_ms, "t": []}), ENGLISH)
    assert [tick.line.text for tick in layout.ticks[:3]] == expected
    assert 4 <= len(layout.ticks) <= 12


def test_the_heading_tells_title_length_and_size() -> None:
    draft = read_draft({"d": 95_000, "m": {"title": "Iceland", "width": 1920, "height": 1080}})
    assert [line.text for line in lay_out(draft, ENGLISH).heading] == ["Iceland", "1:35   1920×1080"]
