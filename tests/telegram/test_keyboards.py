import pytest

from bot.jobs.ports import Button
from bot.telegram.sending.keyboards import ButtonAction, ButtonPress, keyboard, pack_button, unpack_button
from bot.words import Words


@pytest.mark.parametrize("action", list(ButtonAction))
def test_what_a_button_carries_is_read_back(action: ButtonAction) -> None:
    assert unpack_button(pack_button(action, "0123456789abcdef")) == ButtonPress(action, "0123456789abcdef")


@pytest.mark.parametrize(
    "data", [None, "", "1", "0:cancel:x", "2:cancel:x", "1:explode:x", ":::", "cancel:x", "1::"]
)
def test_what_no_release_has_written_is_nothing(data: str | None) -> None:
    assert unpack_button(data) is None


def test_an_argument_may_hold_anything_short() -> None:
    assert unpack_button(pack_button(ButtonAction.CANCEL, "a:b:c")) == ButtonPress(
        ButtonAction.CANCEL, "a:b:c"
    )
    with pytest.raises(ValueError, match="too long"):
        pack_button(ButtonAction.CANCEL, "x" * 64)


def test_buttons_stand_two_in_a_row() -> None:
    buttons = [Button("button.cancel", "cancel", "x")] * 3 + [
        Button("button.register", url="https://a.example")
    ]
    drawn = keyboard(buttons, Words("en"))
    assert drawn is not None
    assert [len(row) for row in drawn.inline_keyboard] == [2, 2]
    assert drawn.inline_keyboard[1][1].url == "https://a.example"
    assert keyboard([], Words("en")) is None
