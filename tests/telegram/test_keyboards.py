from bot.jobs.buttons import Cancel
from bot.jobs.generation_choice import choice_buttons
from bot.jobs.messages import Button
from bot.telegram.sending.keyboards import keyboard
from bot.words import Words


def test_buttons_stand_two_in_a_row() -> None:
    buttons = [Button("button.export", Cancel("x"))] * 3 + [
        Button("button.register", url="https://a.example.com")
    ]
    drawn = keyboard(buttons, Words("en"))
    assert drawn is not None
    assert [len(row) for row in drawn.inline_keyboard] == [2, 2]
    assert drawn.inline_keyboard[1][1].url == "https://a.example.com"
    assert keyboard([], Words("en")) is None


def test_three_short_buttons_stand_in_a_row() -> None:
    for language, length_s, shown in (
        ("en", "5", [["✅ 9:16", "1:1", "16:9"], ["✅ 5 s", "10 s", "15 s"], ["🎬 Generate"]]),
        ("zh", "15", [["✅ 9:16", "1:1", "16:9"], ["5 秒", "10 秒", "✅ 15 秒"], ["🎬 开始生成"]]),
    ):
        drawn = keyboard(choice_buttons("0123456789abcdef", length_s=length_s), Words(language))
        assert drawn is not None
        assert [[button.text for button in row] for row in drawn.inline_keyboard] == shown


def test_a_style_colors_a_button() -> None:
    drawn = keyboard([Button("button.cancel", Cancel("x"), style="danger")], Words("en"))
    assert drawn is not None
    assert drawn.inline_keyboard[0][0].style == "danger"


def test_a_button_that_leads_nowhere_good_is_left_out() -> None:
    buttons = [Button("button.download", url="http://localhost:3000/x"), Button("button.cancel", Cancel("x"))]
    drawn = keyboard(buttons, Words("en"))
    assert drawn is not None
    assert [[button.text for button in row] for row in drawn.inline_keyboard] == [["✖ Cancel"]]
    assert keyboard(buttons[:1], Words("en")) is None
