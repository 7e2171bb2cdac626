import pytest

from bot.jobs.ports import Button
from bot.telegram.buttons import Action, Press, keyboard, pack, unpack
from bot.words import Words


@pytest.mark.parametrize("action", list(Action))
def test_what_a_button_carries_is_read_back(action: Action) -> None:
    assert unpack(pack(action, "0123456789abcdef")) == Press(action, "0123456789abcdef")


@pytest.mark.parametrize(
    "data", [None, "", "1", "0:cancel:x", "2:cancel:x", "1:explode:x", ":::", "cancel:x", "1::"]
)
def test_what_no_release_has_written_is_nothing(data: str | None) -> None:
    assert unpack(data) is None


def test_an_argument_may_hold_anything_short() -> None:
    assert unpack(pack(Action.CANCEL, "a:b:c")) == Press(Action.CANCEL, "a:b:c")
    with pytest.raises(ValueError, match="too long"):
        pack(Action.CANCEL, "x" * 64)


def test_buttons_stand_two_in_a_row() -> None:
    buttons = [Button("button.cancel", "cancel", "x")] * 3 + [
        Button("button.register", url="https://a.example")
    ]
    drawn = keyboard(buttons, Words("en"))
    assert drawn is not None
    assert [len(row) for row in drawn.inline_keyboard] == [2, 2]
    assert drawn.inline_keyboard[1][1].url == "https://a.example"
    assert keyboard([], Words("en")) is None
