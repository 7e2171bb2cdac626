import pytest

from bot.chats.key import ChatKey


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (ChatKey(7), "7"),
        (ChatKey(-100123), "-100123"),
        (ChatKey(-100123, 45), "-100123:45"),
        (ChatKey(-100123, 0), "-100123:0"),
    ],
)
def test_a_key_is_read_back_from_its_text(key: ChatKey, text: str) -> None:
    assert str(key) == text
    assert ChatKey.parse(text) == key


@pytest.mark.parametrize("text", ["", ":", "7:", ":7", "7:8:9", " 7", "+7", "1_000", "seven", "7:x", "٧"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ChatKey.parse(text)


def test_a_private_chat_is_told_from_a_group() -> None:
    assert ChatKey(4711).is_private
    assert not ChatKey(-100123, 45).is_private
