"""Clips of a draft that another didn't have."""

from typing import Any

import pytest

from bot.jobs.checkpoints import KeptDraft
from bot.jobs.steps.turn_draft import new_videos
from bot.nemo import drafts
from bot.nemo.drafts import Draft, read_draft

CAT, DOG = {"src": "https://m/cat.mp4"}, {"src": "https://m/dog.mp4"}
PART = {"src": "https://m/cat.mp4", "start_ms": 500, "duration_ms": 500}
UNNAMED = {"start_ms": 0, "duration_ms": 500}


def a_draft(*clips: dict[str, Any], padding: str = "") -> Draft:
    draft = read_draft({"t": [{"tt": 0, "sg": [dict(clip, note=padding) for clip in clips]}], "d": 1000})
    assert draft is not None
    return draft


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ([], [CAT, DOG], 2),
        ([CAT], [DOG, CAT], 1),
        ([CAT], [DOG], 1),
        ([CAT], [CAT, PART], 0),  # It was split.
        ([UNNAMED], [UNNAMED, UNNAMED], 1),
    ],
)
def test_a_clip_is_new_once(before: list[dict[str, Any]], after: list[dict[str, Any]], new: int) -> None:
    assert new_videos(a_draft(*before), a_draft(*after)) == new


def test_a_clip_of_a_draft_that_is_kept_in_parts_is_not_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MAX_KEPT_BYTES", 600)
    draft = a_draft(UNNAMED, padding="x" * 1000)
    assert new_videos(KeptDraft.of(draft).read(), draft) == 0
