"""The language of a new project."""

import pytest

from bot.words import session_language


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("en", "en"),
        ("en-US", "en"),
        ("de", "de"),
        ("pt-br", "pt"),
        ("fil", "fil"),
        ("zh", "zh-CN"),
        ("zh-hans", "zh-CN"),
        ("zh-CN", "zh-CN"),
        ("zh-hant", "zh-TW"),
        ("zh-TW", "zh-TW"),
        ("zh_HK", "zh-HK"),
        ("zh-hant-hk", "zh-HK"),
        ("", "en"),
        ("x", "en"),
        ("../..", "en"),
        ("éé", "en"),
    ],
)
def test_without_words_the_client_tells(code: str, language: str) -> None:
    assert session_language("", code) == language


@pytest.mark.parametrize(
    ("text", "code", "language"),
    [
        ("把它剪到两秒", "en", "zh-CN"),
        ("生成一段 lo-fi chill hip-hop 音乐", "en", "zh-CN"),
        ("导出 1080p MP4", "de", "zh-CN"),
        ("把它剪到两秒", "zh-hant", "zh-TW"),
        ("把影片剪短，加標題", "en", "zh-TW"),
        ("把影片剪短，加標題", "zh-hans", "zh-CN"),
        ("把影片剪短，加標題", "zh-hk", "zh-HK"),
        ("剪短 https://samples.example.com/a/long/clip.mp4", "en", "zh-CN"),
        ("動画を短くして", "en", "ja"),
        ("動画短縮", "ja", "ja"),
        ("영상을 짧게 잘라줘", "en", "ko"),
        ("make it shorter", "zh-hans", "zh-CN"),
        ("make it shorter", "de", "de"),
        ("add the title “你好，世界，早上好” at the top", "en", "en"),
        ("title “我爱北京天安门广场”", "en", "en"),
        ("write 你 on it", "en", "en"),
        ("🎬 2", "fr", "fr"),
    ],
)
def test_words_tell_more_than_the_client(text: str, code: str, language: str) -> None:
    assert session_language(text, code) == language
