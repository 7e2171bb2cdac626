"""The tracks of a draft as lines."""

from typing import Any

import pytest

from bot.chats.key import ChatKey
from bot.jobs.messages import TimeRange
from bot.jobs.steps.timeline import timeline
from bot.nemo.drafts import read_draft
from bot.nemo.spans import spans_of


@pytest.mark.parametrize(
    ("segments", "span"),
    [
        ([{"d": 10000}], (0.0, 10.0)),
        ([{"d": 3000}, {"d": 4000}], (0.0, 7.0)),
        ([{"start": 5000, "d": 5000}, {"start": 0, "d": 2000}], (0.0, 10.0)),
        ([{}], (0.0, 10.0)),
    ],
)
def test_a_line_has_the_times_of_the_picture(
    segments: list[dict[str, Any]], span: tuple[float, float]
) -> None:
    draft = read_draft({"d": 10000, "t": [{"tt": 0, "sg": segments}]})
    _, (line,) = timeline(draft, ChatKey(1))
    assert line.params["when"] == TimeRange(*(s * 1000 for s in span))
    placed = spans_of(draft.tracks[0].segments, 10000)
    assert span == (min(s.start_ms for s in placed) / 1000, max(s.end_ms for s in placed) / 1000)
