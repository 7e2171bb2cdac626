"""The changes between two drafts as a chat reads them."""

from typing import Any

import pytest

from bot.jobs.clip_names import track_label
from bot.jobs.steps.change_list import change_lines
from bot.nemo.drafts import read_draft
from bot.telegram.sending.formatting import format_lines
from bot.words import Words


def clip(name: str | None, start: int, duration: int) -> dict[str, Any]:
    named = {} if name is None else {"name": name, "media_url": f"https://cdn/{name}"}
    return {**named, "start": start, "duration": duration}


def lines(language: str, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    one, two = (read_draft({"d": 9000, "t": [{"tt": 0, "sg": sg}]}) for sg in (before, after))
    return format_lines(Words(language), change_lines(one, two)).split("\n")


@pytest.mark.parametrize(
    ("language", "only", "second", "when"),
    [("en", "your photo", "photo 2", "(3–6 s)"), ("zh", "你的照片", "照片 2", "（3–6 秒）")],
)
def test_a_file_without_a_name_is_called_as_people_would(
    language: str, only: str, second: str, when: str
) -> None:
    first, other = clip("photo_104.jpg", 0, 3000), clip("photo_109.jpg", 3000, 3000)
    (line,) = lines(language, [first], [clip("photo_104.jpg", 0, 2000)])
    assert only in line
    (line,) = lines(language, [first], [first, other])
    assert when in line
    assert second in line
    (line,) = lines(language, [first, clip("beach.mp4", 3000, 3000)], [first, other])
    assert line.startswith("🔁 beach.mp4")
    assert line.endswith(second)
    assert "photo_" not in line


@pytest.mark.parametrize(("language", "name"), [("en", "clip 2"), ("zh", "片段 2")])
def test_a_clip_without_a_name_has_one_in_the_chats_language(language: str, name: str) -> None:
    (line,) = lines(
        language, [clip(None, 0, 3000), clip(None, 3000, 2000)], [clip(None, 0, 3000), clip(None, 3000, 1000)]
    )
    assert name in line


@pytest.mark.parametrize(
    ("track", "label"),
    [
        ({"sg": [{"name": "Calm BGM"}]}, "track.music"),
        ({"name": "Music", "sg": [{"name": "voice_12.ogg"}]}, "track.voice"),
        ({"name": "旁白", "sg": [{}]}, "track.voice"),
        ({"tt": "bgm", "sg": [{"name": "take 2"}]}, "track.music"),
        ({"sg": [{"name": "invoice.mp3"}]}, "track.audio"),
        ({"sg": [{"name": "voice_12.ogg"}, {"name": "music.mp3"}]}, "track.audio"),
    ],
)
def test_an_audio_track_is_called_what_it_is(track: dict[str, Any], label: str) -> None:
    (found,) = read_draft({"t": [{"tt": 1, **track}]}).tracks
    assert track_label(found).key == label
