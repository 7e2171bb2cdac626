import pytest
from rich.cells import cell_len

from bot.commands.check_findings import ok, wrong
from bot.commands.printing import one_line, print_findings, print_table


def test_columns_are_aligned_by_their_width_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("ID", "REQUEST", "END"), ("短片", "[b]cut[/b] :smile:", "x"), ("a", "", "y")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "短片  [b]cut[/b] :smile:  x"
    assert [cell_len(line[: line.rindex(line.split()[-1])]) for line in lines] == [26, 26, 26]


def test_a_row_is_one_line_where_no_terminal_limits_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("long", "word " * 100), ("short", "")])
    assert capsys.readouterr().out == f"long   {'word ' * 100}".rstrip() + "\nshort\n"


def test_advice_stands_below_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    print_findings([ok("disk", "free"), wrong("Telegram", "refused", "Get a token")])
    assert capsys.readouterr().out.splitlines() == [
        "✓ disk      free",
        "✗ Telegram  refused",
        "            → Get a token",
        "Problems to fix: 1",
    ]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a\x1b[2J\nb\u202ec", "a [2J b c"),
        ("take nmv_usr_0123456789 for this", "take *** for this"),
        ("x" * 61, "x" * 59 + "…"),
    ],
)
def test_what_people_wrote_is_made_harmless(text: str, printed: str) -> None:
    assert one_line(text) == printed
