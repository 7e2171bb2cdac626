"""Each text is shown once, in order, and without the meaningless final apology."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.nemo.events import AgentText, Completeness, Event, Thought, ToolCall, ToolResult, read_event
from bot.nemo.turn_text import MAX_CHARS, TurnText
from tests.nemo.test_events import STREAMS

ISSUE = "I encountered a temporary issue. Please try again."


def collect(*events: Event) -> TurnText:
    turn = TurnText()
    for event in events:
        turn.add(event)
    return turn


def piece(text: str, author: str = "a") -> AgentText:
    return AgentText(text, Completeness.PARTIAL, author)


def whole(text: str, author: str = "a") -> AgentText:
    return AgentText(text, Completeness.COMPLETE, author)


def loose(text: str) -> AgentText:
    return AgentText(text, Completeness.UNMARKED)


TOOL = (ToolCall("trim", {}), ToolResult("trim", None))


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        ("whole_turn", "Hello 🎬 你好\nline2\n\nAll done"),
        ("error_event", ""),
        ("failure_after_text", "before error"),
        ("silence", "first\n\nlast"),
    ],
)
def test_the_streams_of_a_real_server(stream: str, text: str) -> None:
    events = [event for line in STREAMS[stream] for event in read_event(line.removeprefix("data:"))]
    assert collect(*events).text == text


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([piece("Hel"), piece("lo")], "Hello"),
        ([piece("Hel"), piece("lo"), whole("Hello")], "Hello"),
        ([piece("Hel"), piece("lo"), whole("Hello there")], "Hello there"),  # a piece was lost
        ([piece("Hel"), *TOOL, piece("lo"), whole("Hello")], "Hello"),
        ([piece("a"), whole("a"), piece("b"), whole("b")], "a\n\nb"),
        ([piece("x", "one"), piece("y", "two"), whole("x", "one"), whole("y", "two")], "x\n\ny"),
        ([piece("one"), whole("something else")], "one\n\nsomething else"),
        ([whole("Done."), whole("Done.")], "Done."),
        ([whole("Done."), loose("Done.")], "Done."),
        ([whole("I cut it."), whole("I cut it. The music is in.")], "I cut it. The music is in."),
        ([whole("One."), *TOOL, whole("Two."), whole("One.Two.")], "One.\n\nTwo."),
        ([piece("Hel"), piece("lo!!"), loose("Hello!!")], "Hello!!"),
        # a server that does not mark its texts: pieces …
        ([loose("Hel"), loose("lo")], "Hello"),
        ([loose("ha"), loose("ha")], "haha"),
        ([loose("Hello."), loose(" World")], "Hello. World"),
        # … pieces that are repeated, each time longer, or once whole
        ([loose("Hel"), loose("lo you"), loose("Hello you")], "Hello you"),
        ([loose("I cut"), loose("I cut the"), loose("I cut the clip")], "I cut the clip"),
        # … or paragraphs
        ([loose("I cut it."), loose("Now the music.")], "I cut it.\nNow the music."),
        ([loose("I cut it"), *TOOL, loose("All done")], "I cut it\n\nAll done"),
        # … with blanks and numbers between them
        ([loose("I have"), loose(" "), loose("3"), loose(" clips.")], "I have 3 clips."),
        ([loose("."), loose("."), loose("12")], ""),
        ([piece('{"a":'), piece(" 1}"), whole("Done.")], "Done."),
        # not shown
        ([Thought("hm"), *TOOL], ""),
        # one emoji in two pieces
        ([piece("\ud83c"), piece("\udfac ok")], "🎬 ok"),
        ([piece("\ud83c")], "\ufffd"),
    ],
)
def test_each_text_once(events: list[Event], text: str) -> None:
    assert collect(*events).text == text


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([whole("All done"), whole(ISSUE)], "All done"),
        ([whole(f"All done. {ISSUE}")], "All done."),
        ([whole("All done"), piece("Sorry, I've encountered a temporary issue"), piece("!")], "All done"),
        ([whole(ISSUE)], ISSUE),
        *(
            ([whole(f"I trimmed it.{apology}")], "I trimmed it.")
            for apology in (
                " I'm sorry, but I encountered a temporary issue.",
                "\n\nUnfortunately, I've encountered a temporary issue. Please try again.",
                " I apologize, I encountered a temporary error.",
                " It seems I encountered a temporary problem!",
                " ⚠️ I seem to have encountered a temporary issue",
                " However, I ran into a temporary issue while finishing up.",
                " I encountered a temporary issue. The team was notified. I apologize for that.",
                " 抱歉，我遇到了临时问题，请稍后再试。",
                "系统似乎出现了一个临时的错误。",
            )
        ),
        ([whole("I trimmed it, but I encountered a temporary issue.")], "I trimmed it"),
        *(
            ([whole(report)], report)
            for report in (
                "I trimmed it, but I hit a temporary issue with the music, so I used another track. It's Lo-fi.",
                "Done! I ran into a temporary problem with the first song. I replaced it with Lo-fi.",
                "我已剪掉开头，出现短暂的异常画面也删掉了。",
                "字幕已加好，音乐遇到临时问题，已换成舒缓的。",
                "I added music. However, I encountered a temporary issue with the title. It was not added.",
                "I added music, but I hit a temporary problem with the title, so it is missing.",
                "视频已剪好。抱歉，我遇到了临时问题，字幕没有加上。",
            )
        ),
        ([whole("I added the words “We hit a glitch”.")], "I added the words “We hit a glitch”."),
        (
            [whole("The temporary issue with the sound is gone.")],
            "The temporary issue with the sound is gone.",
        ),
        ([whole("临时标题已删除，没有问题。")], "临时标题已删除，没有问题。"),
        ([whole(ISSUE), whole("Now it works")], f"{ISSUE}\n\nNow it works"),
    ],
)
def test_the_apology_after_a_normal_answer_is_dropped(events: list[Event], text: str) -> None:
    assert collect(*events).text == text


def test_partial_texts_that_repeat_what_came_before_are_shown_once() -> None:
    turn = collect(piece("I cut"), piece("I cut the clip"), piece("I cut the clip to two"))
    assert turn.text == "I cut the clip to two"
    assert collect(piece("ha"), piece("haha")).text == "hahaha"


def test_the_text_is_bounded() -> None:
    turn = collect(*(piece("x" * 50_000) for _ in range(40)))
    assert len(turn.text) == 200_000


def test_add_tells_whether_there_is_something_new_to_show() -> None:
    turn = TurnText()
    assert turn.add(piece("a"))
    assert not turn.add(Thought("b"))
    assert not turn.add(TOOL[0])


@given(st.text(alphabet=st.characters(codec="utf-8")), st.lists(st.integers(0, 30)))
def test_pieces_and_their_whole_are_the_whole(text: str, cuts: list[int]) -> None:
    ends = sorted(min(cut, len(text)) for cut in cuts)
    pieces = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    parts = [piece(part) for part in pieces if part]
    expected = collect(whole(text)).text
    assert collect(*parts, whole(text)).text == expected
    assert json.dumps(expected)


def test_what_is_too_much_is_dropped() -> None:
    turn = TurnText()
    assert [turn.add(whole(f"{number}{'x' * MAX_CHARS}"[:MAX_CHARS])) for number in range(3)] == [
        True,
        True,
        False,
    ]
    assert len(turn.text) == MAX_CHARS


@pytest.mark.parametrize("run", [".", "\n", " \n", "，", "```"])
def test_long_runs_of_dots_and_empty_lines_take_no_time(run: str) -> None:
    text = f"Intro{run * 5000}end"
    began_s = time.process_time()
    assert collect(whole(text)).text == text
    assert time.process_time() - began_s < 0.5
