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
        ("great, thanks", SmallTalk.THANKS),
        ("Thx a lot!!", SmallTalk.THANKS),
        ("Thank you for your help :)", SmallTalk.THANKS),
        ("That's perfect", SmallTalk.THANKS),
        ("nice work 👏", SmallTalk.THANKS),
        ("haha", SmallTalk.THANKS),
        ("谢谢啦", SmallTalk.THANKS),
        ("太棒了，谢谢你！", SmallTalk.THANKS),
        ("辛苦了", SmallTalk.THANKS),
        ("謝謝", SmallTalk.THANKS),
        ("hi bot", SmallTalk.HELLO),
        ("Good evening!", SmallTalk.HELLO),
        ("how are you?", SmallTalk.HELLO),
        ("您好呀", SmallTalk.HELLO),
        ("早上好～", SmallTalk.HELLO),
        ("ok", None),
        ("yes", None),
        ("好的", None),
        ("可以", None),
        ("make it nice", None),
        ("a great title", None),
        ("good morning as the title", None),
        ("用“你好”做标题", None),
        ("做得好看一点", None),
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
