from bot.jobs.buttons import Cancel
from bot.jobs.messages import Button
from bot.telegram.sending.keyboards import keyboard
from bot.words import Words


def test_buttons_stand_two_in_a_row() -> None:
    buttons = [Button("button.cancel", Cancel("x"))] * 3 + [
        Button("button.register", url="https://a.example")
    ]
    drawn = keyboard(buttons, Words("en"))
    assert drawn is not None
    assert [len(row) for row in drawn.inline_keyboard] == [2, 2]
    assert drawn.inline_keyboard[1][1].url == "https://a.example"
    assert keyboard([], Words("en")) is None
