"""The reader of event streams, against the specification and against anything at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.nemo.stream import OVERSIZED, SseReader

Frame = tuple[str, str] | None


def read(*chunks: bytes, max_event_bytes: int = 10_000) -> list[Frame]:
    reader = SseReader(max_event_bytes)
    frames = [frame for chunk in chunks for frame in reader.feed(chunk)]
    frames.extend(reader.close())
    return [None if frame is None else (frame.event, frame.data) for frame in frames]


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # the specification's own examples
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10")]),
        (b": test stream\n\ndata: first event\nid: 1\n\n", [None, ("message", "first event")]),
        (b"data\n\ndata\ndata\n\n", [("message", ""), ("message", "\n")]),
        (b"data:test\n\ndata: test\n\n", [("message", "test"), ("message", "test")]),
        (b"data:  two\n\n", [("message", " two")]),
        # keep-alives of every kind are seen
        (b":\n\n", [None]),
        (b": ping\n: ping\n", [None, None]),
        (b"data:\n\n", [("message", "")]),
        (b"event: heartbeat\n\n", [("heartbeat", "")]),
        (b"event: heartbeat\ndata: {}\n\n", [("heartbeat", "{}")]),
        (b"data: a\n: ping\ndata: b\n\n", [None, ("message", "a\nb")]),
        # line ends
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [("message", "a"), ("message", "b"), ("message", "c")]),
        ("data: a\u2028b\u0085c\x0bd\x1ce\n\n".encode(), [("message", "a\u2028b\u0085c\x0bd\x1ce")]),
        # encoding
        ("data: 🎬 你好\n\n".encode(), [("message", "🎬 你好")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("message", "a")]),
        (b"data: \xff\xfe\n\n", [("message", "\ufffd\ufffd")]),
        # ends
        (b"data: a", [("message", "a")]),
        (b"data: a\n", [("message", "a")]),
        (b"data: a\r", [("message", "a")]),
        (b"", []),
        (b"\n\n\n", []),
        # fields that are not for us
        (b"id: 1\nretry: 5\n\n", []),
        (b"foo: bar\ndata: a\n\n", [("message", "a")]),
        (b"Hello\n", []),
        # servers that do not name the field in each line
        (b'{"a":1}\n{"b":2}\n', [("message", '{"a":1}'), ("message", '{"b":2}')]),
        (b"data: Hello\nworld\n\nBye: now\n\n", [("message", "Hello\nworld"), ("message", "Bye: now")]),
        (b'data: {\n"a":1\n}\n\n', [("message", '{\n"a":1\n}')]),
    ],
)
def test_streams(data: bytes, expected: list[Frame]) -> None:
    assert read(data) == expected
    assert read(*bytewise(data)) == expected


def test_an_event_shows_as_soon_as_its_blank_line_is_there() -> None:
    reader = SseReader()
    assert [e and e.data for e in reader.feed(b"data: a\r\n\r")] == ["a"]
    assert [e and e.data for e in reader.feed(b"\ndata: b\n\n")] == ["b"]


@pytest.mark.parametrize(
    "large",
    [b"data: " + b"x" * 300 + b"\n\n", b"data: xxxxxxxxxxxx\n" * 20 + b"\n"],
    ids=["one line", "many lines"],
)
def test_an_event_too_large_is_passed_over(large: bytes) -> None:
    stream = b"data: before\n\n" + large + b"data: after\n\n"
    expected = [("message", "before"), (OVERSIZED, ""), ("message", "after")]
    assert read(stream, max_event_bytes=100) == expected
    assert read(*bytewise(stream), max_event_bytes=100) == expected


def test_memory_is_bounded_by_the_largest_event() -> None:
    reader = SseReader(1000)
    for _ in range(1000):
        assert list(reader.feed(b"x" * 1000)) == []
    assert sum(map(len, reader._tail)) <= 1100


def test_an_endless_comment_is_no_event() -> None:
    assert read(b": " + b"x" * 300, b"\n\ndata: a\n\n", max_event_bytes=100)[-1] == ("message", "a")


@given(st.lists(st.binary()))
def test_no_bytes_break_it_and_chunks_do_not_matter(chunks: list[bytes]) -> None:
    assert read(*chunks) == read(b"".join(chunks))


LINES = st.lists(
    st.sampled_from(
        [b"data: \xe4\xbd\xa0", b"data:", b"event: x", b": c", b"", b"id: 1", b"\xef\xbb\xbf", b"d"]
    )
)


@given(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.integers(1, 7))
def test_line_ends_and_chunks_do_not_matter(lines: list[bytes], end: bytes, size: int) -> None:
    data = end.join(lines)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert read(*chunks) == read(b"\n".join(lines))
