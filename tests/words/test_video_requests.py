"""Which requests most likely generate a video."""

import pytest

from bot.words import asks_for_generation, names_format_or_length
from bot.words.video_requests import names_only_format_or_length


@pytest.mark.parametrize(
    "text",
    [
        "make a 1 second video of a cat",
        "Generate a 10-second clip of a sunset",
        "create me another short film about trains",
        "text-to-video: a dog in the rain",
        "animate this photo",
        "生成一个10秒的海上日落视频",
        "帮我做一段小猫的短片",
    ],
)
def test_a_new_video_is_a_generation(text: str) -> None:
    assert asks_for_generation(text)


@pytest.mark.parametrize(
    "text",
    [
        "make the video brighter",
        "trim it to 2 seconds",
        "generate a free background music track that matches the mood of my video",
        "create a title for the clip",
        "add subtitles",
        "生成一段与我的视频情绪匹配的免费背景音乐",
        "给视频生成字幕",
        "把视频剪到 2 秒",
    ],
)
def test_an_edit_is_none(text: str) -> None:
    assert not asks_for_generation(text)


@pytest.mark.parametrize(
    "text",
    [
        "make a 10 second video of a cat",
        "a five-second clip",
        "9:16, a paper boat",
        "a square video of a cat",
        "生成一段5秒的视频",
        "生成一段竖屏视频",
        "十秒的短片",
        "make a four second video of a cat",
        "a cat, half a minute long",
        "a half-minute clip",
        "a minute of waves",
        "thirty seconds of rain",
        "12 secs of a cat",
        "四秒的小猫",
        "二十秒的视频",
        "半分钟的视频",
        "一分半的视频",
    ],
)
def test_a_request_that_names_format_or_length_is_known(text: str) -> None:
    assert names_format_or_length(text)


@pytest.mark.parametrize(
    "text",
    [
        "make a video of a cat",
        "a clip of three friends",
        "生成一段小猫的视频",
        "a second cat",
        "一个有分寸的人",
    ],
)
def test_a_request_that_names_neither_is_known(text: str) -> None:
    assert not names_format_or_length(text)


@pytest.mark.parametrize(
    ("text", "is_only"),
    [
        ("16:9", True),
        ("Square, 15 seconds please", True),
        ("横屏10秒", True),
        ("make it vertical", False),
        ("trim it to 5 s", False),
        ("改成竖屏", False),
        ("2", False),
    ],
)
def test_a_format_alone(text: str, is_only: bool) -> None:
    assert names_only_format_or_length(text) is is_only
