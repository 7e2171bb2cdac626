"""Files of a project that are on no track."""

from typing import Any

import pytest
from hypothesis import given

from bot.nemo.answers import read_state
from bot.nemo.project_files import unplaced_files
from tests.nemo.test_drafts import JSON

CDN = "https://cdn.example/u/1"


def names(draft: Any, video_infos: Any = None, generated_media: Any = None) -> list[str | None]:
    state = read_state(
        {"data": {"state": {"draft": draft, "video_infos": video_infos, "generated_media": generated_media}}}
    )
    assert state is not None
    return list(unplaced_files(state))


def draft_of(**segment: Any) -> dict[str, Any]:
    return {"t": [{"tt": 0, "sg": [{"d": 1000, **segment}]}], "d": 1000}


@pytest.mark.parametrize("draft", [None, {}, {"t": [], "d": 0}, {"t": [{"tt": 0, "sg": []}]}])
def test_in_an_empty_draft_all_are_on_no_track(draft: Any) -> None:
    infos = [
        {"filename": "beach.mp4", "cdn_url": f"{CDN}/beach.mp4"},
        {"cdn_url": f"{CDN}/%E6%B5%B7.mov?x=1"},
    ]
    generated = [
        {"prompt": "a cat", "url": f"{CDN}/g.mp4"},
        {"status": "failed", "prompt": "a dog"},
        {"duration": 3},
        {},
        3,
    ]
    assert names(draft, infos, generated) == ["beach.mp4", "海.mov", "a cat", None]


@pytest.mark.parametrize(
    "segment",
    [
        {"media_url": f"{CDN}/beach.mp4"},
        {"url": "/mnt/userdata/beach.mp4"},
        {"path": "beach.mp4"},
        {"src": "https://other.example/x.mp4", "name": "beach.mp4"},
        {"src": "https://other.example/x.mp4", "material": {"hash": "abc"}},
    ],
)
def test_a_file_that_a_segment_shows_is_on_a_track(segment: dict[str, Any]) -> None:
    beach = {"filename": "beach.mp4", "cdn_url": f"{CDN}/beach.mp4", "hash": "abc"}
    forest = {"filename": "forest.mp4", "cdn_url": f"{CDN}/forest.mp4", "hash": "def"}
    assert names(draft_of(**segment), [beach, forest]) == ["forest.mp4"]


def test_a_draft_that_tells_no_files_tells_nothing_of_them() -> None:
    assert names(draft_of(name="city timelapse"), [{"filename": "beach.mp4"}]) == []


def test_files_may_be_listed_by_their_names() -> None:
    infos = {"beach.mp4": {"cdn_url": f"{CDN}/1"}, "forest.mp4": {"cdn_url": f"{CDN}/2"}}
    assert names(None, infos) == ["beach.mp4", "forest.mp4"]


@given(JSON, JSON, JSON)
def test_whatever_the_state_holds_nothing_breaks(draft: Any, infos: Any, generated: Any) -> None:
    names(draft, infos, generated)
    names(draft_of(media_url=f"{CDN}/a.mp4", m=draft), infos, generated)
