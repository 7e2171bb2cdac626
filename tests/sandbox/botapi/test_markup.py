"""Markup and what Telegram finds in plain text."""

from typing import Any

import pytest

from bot.sandbox.botapi import entities, markup
from bot.sandbox.botapi.errors import ApiError

USER = {"id": 7, "is_bot": False, "first_name": "Ada"}


def parse(text: str, mode: str) -> tuple[str, list[tuple[Any, ...]]]:
    plain, found = entities.normalize(*markup.parse(text, mode, lambda number: USER if number == 7 else None))
    return plain, [
        (
            one["type"],
            one["offset"],
            one["length"],
            *(one[k] for k in ("url", "language", "user", "custom_emoji_id") if k in one),
        )
        for one in found
    ]


PARSED: list[tuple[str, str, str, list[tuple[Any, ...]]]] = [
    ("HTML", "<b>a</b> &lt;c&gt; &amp;", "a <c> &", [("bold", 0, 1)]),
    ("HTML", "😀<i>b</i>", "😀b", [("italic", 2, 1)]),
    ("HTML", "<b>a<u>b</u></b>", "ab", [("bold", 0, 2), ("underline", 1, 1)]),
    ("HTML", '<a href="http://a.org">x</a>', "x", [("text_link", 0, 1, "http://a.org/")]),
    ("HTML", '<a href="tg://user?id=7">Ada</a>', "Ada", [("text_mention", 0, 3, USER)]),
    ("HTML", '<pre><code class="language-py">x=1</code></pre>', "x=1", [("pre", 0, 3, "py")]),
    ("HTML", "<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", 0, 1)]),
    ("HTML", "<tg-spoiler>s</tg-spoiler>", "s", [("spoiler", 0, 1)]),
    ("HTML", '<tg-emoji emoji-id="5">👍</tg-emoji>', "👍", [("custom_emoji", 0, 2, "5")]),
    (
        "MarkdownV2",
        r"*a* _b_ __c__ ~d~ ||e||",
        "a b c d e",
        [
            ("bold", 0, 1),
            ("italic", 2, 1),
            ("underline", 4, 1),
            ("strikethrough", 6, 1),
            ("spoiler", 8, 1),
        ],
    ),
    ("MarkdownV2", r"1\.5 \* 2", "1.5 * 2", []),
    ("MarkdownV2", "[x](http://a.org/b)", "x", [("text_link", 0, 1, "http://a.org/b")]),
    ("MarkdownV2", "```py\nx = 1```", "x = 1", [("pre", 0, 5, "py")]),
    ("MarkdownV2", "`a*b`", "a*b", [("code", 0, 3)]),
    ("MarkdownV2", ">q\n>r\nplain", "q\nr\nplain", [("blockquote", 0, 3)]),
    ("MarkdownV2", "*a _b_*", "a b", [("bold", 0, 3), ("italic", 2, 1)]),
    ("Markdown", "*a* _b_ `c`", "a b c", [("bold", 0, 1), ("italic", 2, 1), ("code", 4, 1)]),
    ("", "  /start@a_bot go  ", "/start@a_bot go", [("bot_command", 0, 12)]),
    ("", "see youtube.com/watch?v=1, ok", "see youtube.com/watch?v=1, ok", [("url", 4, 21)]),
    (
        "",
        "@friend #tag a@b.org",
        "@friend #tag a@b.org",
        [
            ("mention", 0, 7),
            ("hashtag", 8, 4),
            ("email", 13, 7),
        ],
    ),
    ("", "a/b and/or 1/2", "a/b and/or 1/2", []),
]


@pytest.mark.parametrize(("mode", "text", "plain", "found"), PARSED)
def test_what_is_found(mode: str, text: str, plain: str, found: list[tuple[Any, ...]]) -> None:
    assert parse(text, mode) == (plain, found)


BROKEN = [
    ("HTML", "<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
    ("HTML", "é<x>", 'Unsupported start tag "x" at byte offset 2'),
    ("HTML", "x</b>", "Unexpected end tag at byte offset 1"),
    ("HTML", "<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
    ("HTML", "a < b", 'Unsupported start tag "" at byte offset 2'),
    ("HTML", "<b", "Unclosed start tag at byte offset 0"),
    ("HTML", "<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ("MarkdownV2", "a.b", r"Character '.' is reserved and must be escaped with the preceding '\'"),
    ("MarkdownV2", "a *b", "Can't find end of Bold entity at byte offset 2"),
    ("MarkdownV2", "é _b", "Can't find end of Italic entity at byte offset 3"),
    ("MarkdownV2", "`b", "Can't find end of Code entity at byte offset 0"),
    ("MarkdownV2", "[b](http://x", "Can't find end of a URL at byte offset 4"),
    ("Markdown", "a *b", "Can't find end of the entity starting at byte offset 2"),
]


@pytest.mark.parametrize(("mode", "text", "words"), BROKEN)
def test_what_is_broken(mode: str, text: str, words: str) -> None:
    with pytest.raises(ApiError) as error:
        parse(text, mode)
    assert error.value.description == f"Bad Request: can't parse entities: {words}"
