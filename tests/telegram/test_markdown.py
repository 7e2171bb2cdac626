import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram import MessageEntity

from bot.telegram.markdown import MAX_ANSWER_CHARS, MAX_PIECE_ENTITIES, MAX_PIECE_UTF16, Piece, to_pieces


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def marked(piece: Piece, kind: str) -> list[str]:
    raw = piece.text.encode("utf-16-le")
    return [
        raw[e.offset * 2 : (e.offset + e.length) * 2].decode("utf-16-le")
        for e in piece.entities
        if e.type == kind
    ]


def assert_sound(pieces: tuple[Piece, ...]) -> None:
    for piece in pieces:
        size = utf16(piece.text)
        assert 0 < size <= MAX_PIECE_UTF16
        assert piece.text == piece.text.strip()
        assert len(piece.entities) <= MAX_PIECE_ENTITIES
        for entity in piece.entities:
            assert entity.length > 0
            assert 0 <= entity.offset <= entity.offset + entity.length <= size
            if entity.type == MessageEntity.TEXT_LINK:
                assert entity.url is not None
                assert entity.url.startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("markdown", "text", "kind", "parts"),
    [
        ("**bold** move", "bold move", MessageEntity.BOLD, ["bold"]),
        ("🎬 *soft* light", "🎬 soft light", MessageEntity.ITALIC, ["soft"]),
        ("把**背景**换掉", "把背景换掉", MessageEntity.BOLD, ["背景"]),
        ("# Result\n\nDone", "Result\n\nDone", MessageEntity.BOLD, ["Result"]),
        ("a `b<c` d", "a b<c d", MessageEntity.CODE, ["b<c"]),
        ("- one\n- two", "• one\n• two", MessageEntity.BOLD, []),
        ("[see](https://nemovideo.com/a?b=1&c=2)", "see", MessageEntity.TEXT_LINK, ["see"]),
    ],
)
def test_markup_becomes_entities(markdown: str, text: str, kind: str, parts: list[str]) -> None:
    (piece,) = to_pieces(markdown)
    assert piece.text == text
    assert marked(piece, kind) == parts


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "tg://user?id=1", "file.txt", "http://[", "https://x"]
)
def test_a_link_that_telegram_would_refuse_keeps_its_words_only(url: str) -> None:
    (piece,) = to_pieces(f"open [the page]({url})")
    assert "the page" in piece.text
    assert not [e for e in piece.entities if e.type == MessageEntity.TEXT_LINK]


@pytest.mark.parametrize(
    "markdown", ["<div>kept</div>", "a <b>kept</b>", "<script>kept", "1 <2 kept", "&lt;b> kept"]
)
def test_what_looks_like_html_is_text(markdown: str) -> None:
    (piece,) = to_pieces(markdown)
    assert "kept" in piece.text
    assert "<" in piece.text


@pytest.mark.parametrize("nothing", ["", "  \n\t ", "\u200b\u200d", "\x00\x07", "\ufe0f"])
def test_nothing_to_see_makes_no_message(nothing: str) -> None:
    assert to_pieces(nothing) == ()


@pytest.mark.parametrize(
    ("unit", "ending"),
    [
        ("A sentence of some length stands here. " * 40 + "\n\n", "."),
        ("One line without a stop\n", "stop"),
        ("A sentence in one endless paragraph! ", "!"),
        ("word ", "word"),
        ("这是一个相当长的句子。", "。"),
    ],
)
def test_long_text_ends_its_messages_where_it_reads_well(unit: str, ending: str) -> None:
    pieces = to_pieces(unit * (9000 // len(unit)))
    assert_sound(pieces)
    assert len(pieces) >= 2
    assert all(piece.text.endswith(ending) for piece in pieces)


def test_no_short_entity_is_cut() -> None:
    pieces = to_pieces(" ".join(f"**strong words {n:04} here**" for n in range(400)))
    assert_sound(pieces)
    assert len(pieces) >= 2
    for piece in pieces:
        strong = marked(piece, MessageEntity.BOLD)
        assert all(re.fullmatch(r"strong words \d{4} here", part) for part in strong)


def test_a_code_block_longer_than_a_message_goes_on_in_the_next() -> None:
    code = "\n".join(f"line {n}" for n in range(900))
    pieces = to_pieces(f"```python\n{code}\n```")
    assert_sound(pieces)
    assert "\n".join(piece.text for piece in pieces) == code
    assert [piece.entities[0].type for piece in pieces] == [MessageEntity.PRE] * len(pieces)
    assert pieces[1].entities[0].language == "python"


def test_emoji_are_not_torn() -> None:
    family = "👩\u200d👩\u200d👧"
    pieces = to_pieces(family * 1000)
    assert_sound(pieces)
    assert all(piece.text.startswith("👩") and not piece.text.endswith("\u200d") for piece in pieces)


def test_an_enormous_answer_is_cut_with_a_note() -> None:
    pieces = to_pieces("Some words in a row. " * 100_000, cut_note="(the rest was left out)")
    assert_sound(pieces)
    assert pieces[-1].text.endswith("(the rest was left out)")
    assert sum(len(piece.text) for piece in pieces) <= MAX_ANSWER_CHARS + 100


@pytest.mark.parametrize(
    "unit", [">", "*", "_", "[", "`", "$1", "~", "||", "- ", "![", "|a", "<", "**a", "\\", "#\n"]
)
def test_hostile_repetition_takes_no_time(unit: str) -> None:
    started_s = time.perf_counter()
    assert_sound(to_pieces(unit * (MAX_ANSWER_CHARS // len(unit))))
    assert time.perf_counter() - started_s < 5


@given(st.text(max_size=400))
@settings(deadline=None)
def test_no_string_breaks_it(text: str) -> None:
    assert_sound(to_pieces(text))


@given(
    st.text("ab*_`~|>#-+[]()!<>&$\\:.\n \t1😀字\u200d\ufe0f", max_size=300),
    st.integers(min_value=1, max_value=60),
)
@settings(deadline=None)
def test_no_markup_breaks_it(text: str, times: int) -> None:
    assert_sound(to_pieces(text * times))


@given(st.text("abc 字😀.!。\n*_", max_size=200), st.integers(min_value=1, max_value=50))
@settings(deadline=None)
def test_no_word_is_lost(text: str, times: int) -> None:
    markdown = text * times

    def words(of: str) -> str:
        return "".join(c for c in of if unicodedata.category(c)[0] in "L" or c == "😀")

    assert words("".join(piece.text for piece in to_pieces(markdown))) == words(markdown)
