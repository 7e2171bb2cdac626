import re
import time
import unicodedata
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import MessageEntity

from bot.telegram.sending.markdown import (
    MAX_ANSWER_CHARS,
    MAX_PIECE_ENTITIES,
    MAX_PIECE_UTF16,
    Piece,
    to_pieces,
)


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
        assert piece.text == piece.text.rstrip()
        is_code = any(e.type == MessageEntity.PRE and e.offset == 0 for e in piece.entities)
        assert not piece.text[0].isspace() or (is_code and piece.text[0] != "\n")
        assert len(piece.entities) <= MAX_PIECE_ENTITIES
        for entity in piece.entities:
            assert entity.length > 0
            assert 0 <= entity.offset <= entity.offset + entity.length <= size
            piece.text.encode("utf-16-le")[entity.offset * 2 : (entity.offset + entity.length) * 2].decode(
                "utf-16-le"
            )
            if entity.type == MessageEntity.TEXT_LINK:
                assert entity.url is not None
                assert entity.url.startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("markdown", "text", "kind", "parts"),
    [
        ("**bold** move", "bold move", MessageEntity.BOLD, ["bold"]),
        ("🎬 *soft* light", "🎬 soft light", MessageEntity.ITALIC, ["soft"]),
        ("把**背景**换掉", "把背景换掉", MessageEntity.BOLD, ["背景"]),
        ("把**“字幕”**删掉", "把\u200b“字幕”\u200b删掉", MessageEntity.BOLD, ["\u200b“字幕”\u200b"]),
        ("中*（a）*文", "中\u200b（a）\u200b文", MessageEntity.ITALIC, ["\u200b（a）\u200b"]),
        ("~~《删》~~了", "《删》\u200b了", MessageEntity.STRIKETHROUGH, ["《删》\u200b"]),
        ("**`a.mp4`**已添加", "a.mp4\u200b已添加", MessageEntity.CODE, ["a.mp4"]),
        ("用 `a**（b）**c`", "用 a**（b）**c", MessageEntity.CODE, ["a**（b）**c"]),
        ("```\nx**（y）**z || w\n```", "x**（y）**z || w", MessageEntity.PRE, ["x**（y）**z || w"]),
        ("if a || b or c || d", "if a || b or c || d", MessageEntity.SPOILER, []),
        ("`a || b` || c || d", "a || b || c || d", MessageEntity.SPOILER, []),
        ("2**(n)**3", "2**(n)**3", MessageEntity.BOLD, []),
        ("see <https://a.example/x_y>", "see https://a.example/x_y", MessageEntity.ITALIC, []),
        ("> a\n>\n> > b\n> >\n> > c", "a\n\nb\n\nc", MessageEntity.BLOCKQUOTE, ["a\n\nb\n\nc"]),
        ("\u202eevil\u202c words", "evil words", MessageEntity.BOLD, []),
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
    "url",
    [
        "javascript:alert(1)", "tg://user?id=1", "file.txt", "http://[", "https://x",
        "https://nemovideo.com@evil.example/", "http://192.168.0.5/",
        "http://127.0.0.1:8080/", "https://evil.example:0/", f"https://evil.example/{'a' * 2048}",
    ],
)  # fmt: skip
def test_a_link_that_telegram_would_refuse_keeps_its_words_only(url: str) -> None:
    (piece,) = to_pieces(f"open [the page]({url})")
    assert "the page" in piece.text
    assert not [e for e in piece.entities if e.type == MessageEntity.TEXT_LINK]


@pytest.mark.parametrize(
    ("text", "url", "is_link"),
    [
        ("https://nemovideo.com", "https://evil.example/nemovideo.com", False),
        ("nemovideo.com/workspace", "https://nemovideo.com.evil.example/", False),
        ("www.nemovideo.com", "https://nemovideo.com/", True),
        ("nemovideo.com", "https://www.nemovideo.com/", True),
        ("https://nemovideo.com/a", "https://nemovideo.com/b", True),
        ("🎬 nemovideo.com", "https://evil.example/", True),
        ("the page", "https://evil.example/", True),
        ("例.中国", "https://evil.example/", False),
    ],
)
def test_a_link_whose_words_name_a_host_leads_to_no_other(text: str, url: str, is_link: bool) -> None:
    (piece,) = to_pieces(f"🎬 [{text}]({url})")
    assert text in piece.text
    assert bool([e for e in piece.entities if e.type == MessageEntity.TEXT_LINK]) is is_link


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


def test_a_message_ends_before_it_has_too_many_entities() -> None:
    sentences = [f"**Sentence {n:03}** says a little more." for n in range(250)]
    pieces = to_pieces(" ".join(sentences))
    assert_sound(pieces)
    strong = [part for piece in pieces for part in marked(piece, MessageEntity.BOLD)]
    assert strong == [f"Sentence {n:03}" for n in range(250)]
    assert all(piece.text.endswith("more.") for piece in pieces)
    assert len(to_pieces("**a** " * 2000)) <= 3


def test_a_code_block_longer_than_a_message_goes_on_in_the_next() -> None:
    code = "\n".join(f"line {n}" for n in range(900))
    pieces = to_pieces(f"```python\n{code}\n```")
    assert_sound(pieces)
    assert "\n".join(piece.text for piece in pieces) == code
    assert [piece.entities[0].type for piece in pieces] == [MessageEntity.PRE] * len(pieces)
    assert pieces[1].entities[0].language == "python"


def test_code_that_goes_on_in_the_next_message_keeps_its_indentation() -> None:
    code = "\n".join(f"{'    ' * (n % 4)}line {n}" for n in range(600))
    pieces = to_pieces(f"```python\n{code}\n```")
    assert_sound(pieces)
    assert len(pieces) >= 2
    assert "\n".join(piece.text for piece in pieces) == code


@pytest.mark.parametrize(
    "emoji",
    [
        "👩\u200d👩\u200d👧",
        "🇨🇳",
        "👍🏽",
        "❤\ufe0f",
        "7\ufe0f\u20e3",
        "🏴\U000e0067\U000e0062\U000e007f",
        "e\u0301",
        "字",
    ],
)
@pytest.mark.parametrize("before", ["", "x"])
def test_what_is_one_character_to_a_reader_is_not_torn(emoji: str, before: str) -> None:
    pieces = to_pieces(before + emoji * 6000)
    assert_sound(pieces)
    assert len(pieces) >= 2
    pieces = pieces[:-1]  # The last one was cut by length.
    assert pieces[0].text.removeprefix(before).replace(emoji, "") == ""
    assert all(piece.text.replace(emoji, "") == "" for piece in pieces[1:])


def test_an_enormous_answer_is_cut_with_a_note() -> None:
    pieces = to_pieces("Some words in a row. " * 100_000, cut_note="(the rest was left out)")
    assert_sound(pieces)
    assert pieces[-1].text.endswith("(the rest was left out)")
    assert sum(len(piece.text) for piece in pieces) <= MAX_ANSWER_CHARS + 100


@pytest.mark.parametrize(
    "unit", [">", "*", "_", "[", "`", "$1", "~", "||", "- ", "![", "|a", "<", "**a", "\\", "#\n"]
)
def test_hostile_repetition_takes_no_time(unit: str) -> None:
    started_s = time.process_time()
    assert_sound(to_pieces(unit * (MAX_ANSWER_CHARS // len(unit))))
    assert time.process_time() - started_s < 5


@given(st.text(max_size=400))
def test_no_string_breaks_it(text: str) -> None:
    assert_sound(to_pieces(text))


@given(
    st.text("ab*_`~|>#-+[]()!<>&$\\:.\n \t1😀字\u200d\ufe0f", max_size=300),
    st.integers(min_value=1, max_value=60),
)
def test_no_markup_breaks_it(text: str, times: int) -> None:
    assert_sound(to_pieces(text * times))


@given(st.text("abc 字😀.!。\n*_", max_size=200), st.integers(min_value=1, max_value=50))
def test_no_word_is_lost(text: str, times: int) -> None:
    markdown = text * times

    def words(of: str) -> str:
        return "".join(c for c in of if unicodedata.category(c)[0] in "L" or c == "😀")

    assert words("".join(piece.text for piece in to_pieces(markdown))) == words(markdown)


@dataclass(frozen=True)
class Written:
    """Markdown, with what has to come of it."""

    markdown: str
    words: tuple[str, ...] = ()  # in their order
    marked: tuple[tuple[str, str], ...] = ()  # kind of entity and its words, whole in one piece
    code: tuple[str, ...] = ()  # blocks, line for line


EMOJI = ("", "😀", "🇨🇳", "👩\u200d👩\u200d👧", "字幕", "é", "，", "。", "!")
INLINE = {
    MessageEntity.BOLD: "**{}**",
    MessageEntity.ITALIC: "*{}*",
    MessageEntity.STRIKETHROUGH: "~~{}~~",
    MessageEntity.CODE: "`{}`",
    MessageEntity.TEXT_LINK: "[{}](https://a.example/x?y=(1)&z=2)",
}


def numbered(number: int) -> str:
    return f"w{number:04}"


@st.composite
def paragraphs(draw: st.DrawFn, first: int) -> Written:
    parts: list[str] = []
    words: list[str] = []
    marks: list[tuple[str, str]] = []
    for number in range(first, first + draw(st.integers(1, 25))):
        word = numbered(number) + draw(st.sampled_from(EMOJI[:6]))
        words.append(numbered(number))
        kind = draw(st.sampled_from([None, None, *INLINE]))
        if kind is not None:
            marks.append((kind, word))
            word = INLINE[kind].format(word)
        parts.append(word + draw(st.sampled_from(["", ".", "。", "，", "!", "?"])))
    # A space around each: what CommonMark makes of emphasis without one is looked at above.
    return Written(" ".join(parts), tuple(words), tuple(marks))


@st.composite
def lists(draw: st.DrawFn, first: int) -> Written:
    lines, words, depth = [], [], 0
    for number in range(first, first + draw(st.integers(1, 12))):
        depth = draw(st.integers(0, min(depth + 1, 4)))
        lines.append(f"{'    ' * depth}- {numbered(number)}")
        words.append(numbered(number))
    return Written("\n".join(lines), tuple(words))


@st.composite
def code_blocks(draw: st.DrawFn, first: int) -> Written:
    count = draw(st.sampled_from([1, 5, 40, 400]))
    indents = draw(st.lists(st.sampled_from(["", "  ", "    ", "\t"]), min_size=1, max_size=5))
    ends = draw(st.sampled_from([" = a || b", " ** (x) ** y", " <b> [z](u) `", " # 注释（*）*文 😀"]))
    lines = [f"{indents[n % len(indents)]}{numbered(first + n)}{ends}" for n in range(count)]
    lines[0] = lines[0].lstrip()
    code = "\n".join(lines)
    words = tuple(numbered(first + n) for n in range(count))
    return Written(f"```{draw(st.sampled_from(['', 'python']))}\n{code}\n```", words, code=(code,))


@st.composite
def tables(draw: st.DrawFn, first: int) -> Written:
    columns, rows = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    words = [numbered(first + n) for n in range(columns * (rows + 1))]
    cells = [word + draw(st.sampled_from(EMOJI)) for word in words]
    lines = [f"| {' | '.join(cells[row * columns : (row + 1) * columns])} |" for row in range(rows + 1)]
    lines.insert(1, "|" + "---|" * columns)
    return Written("\n".join(lines), tuple(words))


@st.composite
def quotes(draw: st.DrawFn, first: int) -> Written:
    inner = draw(paragraphs(first))
    depth = draw(st.integers(1, 3))
    return Written("> " * depth + inner.markdown, inner.words, inner.marked)


@st.composite
def documents(draw: st.DrawFn) -> Written:
    blocks: list[Written] = []
    for place in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from([paragraphs, paragraphs, lists, code_blocks, tables, quotes]))
        blocks.append(draw(kind(place * 1000)))
    markdown = ""
    for block in blocks:
        if len(markdown) + len(block.markdown) > MAX_ANSWER_CHARS - 100:
            break
        markdown += block.markdown + "\n\n"
    kept = [block for block in blocks if block.markdown + "\n\n" in markdown]
    return Written(
        markdown,
        tuple(word for block in kept for word in block.words),
        tuple(mark for block in kept for mark in block.marked),
        tuple(code for block in kept for code in block.code),
    )


@given(documents())
def test_whatever_is_written_arrives_whole_and_in_order(written: Written) -> None:
    pieces = to_pieces(written.markdown)
    assert_sound(pieces)
    text = "\n".join(piece.text for piece in pieces)
    assert re.findall(r"w\d{4}", text) == list(written.words)
    for kind, words in written.marked:
        assert any(words in marked(piece, kind) for piece in pieces), (kind, words)
    blocks = [
        line for piece in pieces for block in marked(piece, MessageEntity.PRE) for line in block.splitlines()
    ]
    lines = [line for code in written.code for line in code.splitlines()]
    assert [line for line in blocks if line in set(lines)] == lines


@given(documents())
def test_what_telegram_does_not_allow_inside_each_other_is_not(written: Written) -> None:
    for piece in to_pieces(written.markdown):
        for kind in (
            MessageEntity.BLOCKQUOTE,
            MessageEntity.TEXT_LINK,
            MessageEntity.PRE,
            MessageEntity.CODE,
        ):
            ends = 0
            for entity in sorted((e for e in piece.entities if e.type == kind), key=lambda e: e.offset):
                assert entity.offset >= ends
                ends = entity.offset + entity.length
