import pytest

from bot.words.small_talk import SmallTalk, small_talk


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thanks!", SmallTalk.THANKS),
        ("thank you so much 🙏", SmallTalk.THANKS),
        ("谢谢！", SmallTalk.THANKS),
        ("Hello", SmallTalk.HELLO),
        ("你好。", SmallTalk.HELLO),
        ("👍", SmallTalk.EMOJI),
        ("❤️ 🎉", SmallTalk.EMOJI),
        ("👍🏽", SmallTalk.EMOJI),
        ("👨‍👩‍👧", SmallTalk.EMOJI),
        ("thanks, now trim it", None),
        ("add the title Hello", None),
        ("谢谢，再剪短一点", None),
        ("trim it 👍", None),
        ("?", None),
        ("1", None),
        ("", None),
    ],
)
def test_only_a_whole_message_is_small_talk(text: str, expected: SmallTalk | None) -> None:
    assert small_talk(text) is expected
