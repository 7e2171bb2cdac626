import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words import Html, UnknownText, Words, bounded, language_of
from bot.words.texts import MAX_PARAM_CHARS

EN, ZH = Words("en"), Words("zh")


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("zh", "zh"),
        ("zh-hans", "zh"),
        ("zh-CN", "zh"),
        ("zh_CN", "zh"),
        ("zh-Hant-TW", "zh"),
        ("ZH-HK", "zh"),
        ("tlh", "en"),
        ("", "en"),
        (None, "en"),
        ("../../etc", "en"),
    ],
)
def test_language_for_a_code(code: str | None, language: str) -> None:
    assert language_of(code) == language


def test_a_language_without_a_catalogue_reads_english() -> None:
    assert Words("tlh").text("setup.working") == EN.text("setup.working")


def test_both_languages_speak() -> None:
    assert EN.text("progress.queued", position=2) == "Position 2 in the queue"
    assert ZH.text("progress.queued", position=2) == "排队中，第 2 位"


def test_a_text_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UnknownText):
        EN.text("no.such")


def test_a_placeholder_that_was_not_given_is_an_error() -> None:
    with pytest.raises(KeyError):
        EN.text("progress.queued")


@pytest.mark.parametrize(
    ("n", "text"),
    [(1, "… and 1 more change"), (2, "… and 2 more changes"), (1200, "… and 1,200 more changes")],
)
def test_plurals(n: int, text: str) -> None:
    assert EN.text("change.more", n=n) == text
    assert "处改动" in ZH.text("change.more", n=n)


def test_what_others_wrote_is_escaped_and_html_is_not() -> None:
    assert EN.text("projects.opened", name="<b>&{name}") == "📂 Opened <b>&lt;b&gt;&amp;{name}</b>."
    link = EN.link("https://nemovideo.com/?a=1&b=2", "here")
    assert link == '<a href="https://nemovideo.com/?a=1&amp;b=2">here</a>'
    assert link in EN.text("deliver.link_too_large", size="51 MB", limit="50 MB", link=link)


def test_plain_text_is_not_escaped() -> None:
    assert EN.plain("error.unknown_command", command="/a&b").startswith("There's no command /a&b.")


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "tg://user?id=1", "https://", "http://[", "https://example.com/" + "x" * 9000],
)
def test_what_is_no_web_address_becomes_no_link(url: str) -> None:
    assert EN.link(url, "<here>") == "&lt;here&gt;"


@pytest.mark.parametrize(
    ("duration_s", "en", "zh"),
    [
        (0, "0 s", "0 秒"),
        (-3, "0 s", "0 秒"),
        (59.4, "59 s", "59 秒"),
        (59.6, "1 min", "1 分钟"),
        (80, "1 min 20 s", "1 分 20 秒"),
        (3600, "1 h", "1 小时"),
        (7500, "2 h 5 min", "2 小时 5 分钟"),
    ],
)
def test_durations(duration_s: float, en: str, zh: str) -> None:
    assert (EN.duration(duration_s), ZH.duration(duration_s)) == (en, zh)


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(2.46, "2.5 s"), (3.0, "3 s"), (-1, "0 s"), (59.97, "1 min"), (61.5, "1 min 2 s")],
)
def test_durations_to_a_tenth(duration_s: float, text: str) -> None:
    assert EN.duration(duration_s, tenths=True) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 kB"),
        (1, "1 kB"),
        (300_000, "293 kB"),
        (20 * 1024**2, "20 MB"),
        (12_900_000, "12.3 MB"),
        (2000 * 1024**2, "2 GB"),
    ],
)
def test_sizes(size_bytes: int, text: str) -> None:
    assert EN.size(size_bytes) == ZH.size(size_bytes) == text


@given(st.text())
def test_no_string_breaks_out_of_a_text(value: str) -> None:
    shown = EN.text("projects.opened", name=value)
    assert re.findall(r"<[^>]*>", shown) == ["<b>", "</b>"]
    before, after = EN.text("projects.opened", name="|").split("|")
    inner = html.unescape(shown.removeprefix(before).removesuffix(after))
    assert len(inner) <= MAX_PARAM_CHARS


@given(st.text(max_size=200))
def test_bounding_twice_is_bounding_once(value: str) -> None:
    assert bounded(bounded(value)) == bounded(value)


def test_a_text_that_was_not_read_to_its_end_shows_that_it_goes_on() -> None:
    # So many controls come first that little of the text is left of what is looked at.
    assert bounded("a" + "\x00" * 100 + "b", max_chars=10) == "a…"


def test_direction_overrides_and_controls_are_left_out() -> None:
    assert bounded("a\u202egnp.exe\x00\x1b[2J") == "agnp.exe[2J"
    assert bounded("👩\u200d👧") == "👩\u200d👧"


def test_a_text_is_html_for_the_next() -> None:
    inner = EN.text("change.text", before="<", after=">")
    assert isinstance(inner, Html)
    assert inner in EN.text("projects.opened", name=inner)
