import json
from dataclasses import replace
from typing import Any

from bot.nemo.changes import SegmentAdded, TextChanged, compare
from bot.nemo.drafts import MAX_KEPT_BYTES, Draft, bounded_draft, read_draft


def large(*clips: dict[str, Any], padding: int = MAX_KEPT_BYTES) -> Draft:
    """A draft of clips, and of much that nobody reads."""
    return read_draft(
        {"t": [{"tt": 0, "sg": list(clips)}], "d": 3000, "m": {"width": 64}, "x": "a" * padding}
    )


def clip(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"s{number}", "name": f"clip {number}", "start": 0, "duration": 1000, **fields}


def test_an_ordinary_draft_is_kept_as_it_is() -> None:
    draft = large(clip(1), padding=10)
    assert bounded_draft(draft) is draft.raw


def test_of_a_large_one_is_kept_what_lists_and_comparisons_show() -> None:
    draft = large(clip(1, volume=0.5), clip(2, effects=["blur"]))
    kept = bounded_draft(draft)
    assert len(json.dumps(kept)) < 1000
    read = read_draft(kept)
    assert [replace(one, raw=None) for one in read.tracks[0].segments] == [
        replace(one, raw=None) for one in draft.tracks[0].segments
    ]
    assert (read.duration_ms, read.width, read.is_ready) == (3000, 64, True)


def test_changes_between_large_drafts_are_named() -> None:
    def changes(*after: dict[str, Any]) -> list[type]:
        kept = [read_draft(bounded_draft(large(*clips))) for clips in ((clip(1),), after)]
        return [type(change) for change in compare(*kept)]

    assert changes(clip(1)) == []
    assert changes(clip(1), clip(2)) == [SegmentAdded]
    assert changes(clip(1, effects=["blur"])) == []
    assert TextChanged not in changes(clip(1))


def test_nothing_that_is_kept_is_large() -> None:
    clips = [clip(number, name="n" * 5000, text="t" * 5000) for number in range(2000)]
    assert len(json.dumps(bounded_draft(large(*clips)))) <= MAX_KEPT_BYTES
    deep: Any = []
    for _ in range(50_000):
        deep = [deep]
    assert len(json.dumps(bounded_draft(read_draft({"t": [{"sg": [clip(1)]}], "x": deep})))) < 1000
