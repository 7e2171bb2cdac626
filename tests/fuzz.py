"""Anything at all for the parsers of what strangers write.

    python -m tests.fuzz --minutes 10 [--only markdown]

Each target gets an equal share of the time, and other inputs each time. What breaks one is printed as small as it can
be made, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.chats.key import ChatKey
from bot.jobs.buttons import VERSION, Cancel, pack, unpack
from bot.media.file_type import SNIFF_BYTES, is_decompression_bomb, sniff
from bot.media.links import MAX_LINKS, find_links
from bot.nemo import answers
from bot.nemo.changes import compare
from bot.nemo.drafts import read_draft
from bot.nemo.errors import code_of, message_of
from bot.nemo.events import read_event
from bot.nemo.render_answers import read_render
from bot.nemo.stream import SseReader
from bot.telegram.handlers.login import token_in
from bot.telegram.reading.attachments import NAME_LENGTH, fitting_name, kind_of_name, safe_name
from bot.telegram.reading.links import read_links
from bot.telegram.sending.markdown import MAX_PIECE_ENTITIES, MAX_PIECE_UTF16, to_pieces
from bot.telegram.sending.private_messages import read_payload
from bot.words.phrases import action_for

_ROUND = 200
MAX_EVENT_BYTES = 300

# Names that the documents give to fields: among others, they are what leads deep into a reader.
_FIELDS = [
    "t", "tracks", "tt", "sg", "d", "m", "title", "width", "start", "end", "duration", "start_s",
    "volume", "v", "name", "text", "id", "url", "target_timerange", "state", "draft", "data", "files",
    "status", "progress", "output", "error", "code", "expires_at", "token", "content", "parts", "type",
    "actions", "stateDelta", "functionCall", "functionResponse", "args", "partial", "author", "thought",
    "errorCode", "errorMessage", "detail", "message"
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.dictionaries(st.sampled_from(_FIELDS) | st.text(max_size=8), inner, max_size=8)
    ),
    max_leaves=40,
)
_TURNING = "\u202e\u2066\u200d\u200b\ufeff\x00"
_MARKUP = st.text("ab*_`~|>#-+[]()!<>&$\\:./ \n\t1😀字\u200d\ufe0f" + _TURNING, max_size=300)
_ADDRESSES = st.lists(
    st.sampled_from(
        [
            "http://",
            "https:",
            "//",
            "user@",
            "127.1",
            "[::1]",
            "0x7f.1",
            "a.example",
            "例子.example",
            "/a.mp4",
            "?x=",
            "#",
            " ",
            "\n",
            ":22",
            "%00",
            "nmv_",
            "/edit",
            "@",
            ")",
            "。",
        ]
    )
    | st.text(max_size=6),
    max_size=14,
)
_FRAMES = st.lists(
    st.sampled_from(
        [b"data: ", b"data:{", b"event: ", b"id: 1", b": ", b"\n", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf"]
    )
    | st.binary(max_size=40),
    max_size=30,
)


def sse(chunks: list[bytes]) -> None:
    """Bytes of an event stream: however they are cut, the same comes out, and no event is larger than allowed."""

    def read(pieces: list[bytes]) -> list[tuple[str, str] | None]:
        reader = SseReader(MAX_EVENT_BYTES)
        frames = [frame for piece in pieces for frame in reader.feed(piece)]
        frames.extend(reader.close())
        return [None if frame is None else (frame.event, frame.data) for frame in frames]

    frames = read(chunks)
    assert frames == read([b"".join(chunks)])
    assert all(frame is None or len(frame[1]) <= MAX_EVENT_BYTES for frame in frames)


def events(value: Any) -> None:
    """Events of the agent."""
    assert read_event(json.dumps(value))
    assert read_event(str(value), str(value)[:20])


def drafts(values: list[Any]) -> None:
    """Drafts, and what changed between two."""
    before, after = (read_draft({"t": [{"sg": value, "tt": 0}], "d": value}) for value in values)
    compare(before, after)
    assert not compare(before, before)


def service_answers(value: Any) -> None:
    """Every other answer of the service."""
    for payload in (value, {"data": value}, {"data": {"state": value, "files": [value], "token": value}}):
        read_render(payload, "r")
        answers.read_anonymous_token(payload)
        answers.read_claim_token(payload)
        answers.read_session(payload)
        answers.read_credits(payload)
        answers.read_state(payload)
        answers.read_upload(payload)
        code_of(payload)
        assert len(message_of(payload)) <= 500


def callback_data(data: str) -> None:
    """What a button carries, forged: it is read as one of ours or not at all."""
    for given_data in (data, f"{VERSION}:{data}", f"{VERSION}:{Cancel.name}:{data}"):
        action = unpack(given_data)
        if action is not None and len(given_data.encode("utf-8", "replace")) <= 64:
            assert unpack(pack(action)) == action


def start_payloads(text: str) -> None:
    """What ``/start`` brings along."""
    for payload in (text, f"see_{text}"):
        seen = read_payload(payload)
        assert seen is None or ChatKey.parse(seen.chat)


def markdown(text: str) -> None:
    """The agent's words: nothing that Telegram would refuse."""
    for piece in to_pieces(text):
        size = len(piece.text.encode("utf-16-le", "surrogatepass")) // 2
        assert 0 < size <= MAX_PIECE_UTF16
        assert len(piece.entities) <= MAX_PIECE_ENTITIES
        assert all(0 <= e.offset < e.offset + e.length <= size for e in piece.entities)
        assert all(e.url is None or e.url.startswith(("http://", "https://")) for e in piece.entities)


def words(pieces: list[str]) -> None:
    """Requests and captions: addresses, tokens and bare phrases in them."""
    text = "".join(pieces)
    found = find_links(text)
    assert len(found.media) <= MAX_LINKS
    assert all(link.isascii() and link.startswith(("http://", "https://")) for link in found.media)
    read_links(text)
    token_in(text)
    action_for(text)


def file_names(name: str) -> None:
    """Names of files: one plain name is left, without anything that leads elsewhere."""
    safe = safe_name(name, "mp4")
    for one in (safe, fitting_name(safe, "mov")):
        assert one not in ("", ".", "..")
        assert not set(one) & set("/\\\x00\r\n\"'")
    assert len(safe) <= NAME_LENGTH
    kind_of_name(name)


def content(data: bytes) -> None:
    """The kind of media by its first bytes; what follows changes nothing."""
    kind = sniff(data)
    assert kind == sniff(data + b"\x00" * SNIFF_BYTES) or len(data) < SNIFF_BYTES
    assert not is_decompression_bomb(data) or kind in ("png", "gif", "webp")


@dataclass(frozen=True)
class Target:
    """A parser under fire.

    Args:
        check: Gives it an input, and raises where it does wrong.
        inputs: Where those come from.
    """

    check: Callable[[Any], None]
    inputs: st.SearchStrategy[Any]


_LONG_NAMES = st.lists(
    st.tuples(st.sampled_from([".", "a", "字", " ", "/", "\u0301"]), st.integers(1, 120)).map(
        lambda one: one[0] * one[1]
    ),
    max_size=5,
).map("".join)
_MAGICS = st.sampled_from(
    [
        b"",
        b"RIFF",
        b"FORM",
        b"\x1aE\xdf\xa3",
        b"\x00\x00\x00\x20ftyp",
        b"\xff\xfb",
        b"GIF89a",
        b"RIFF____WEBPVP8X",
    ]
)
TARGETS = {
    target.check.__name__: target
    for target in (
        Target(sse, _FRAMES),
        Target(events, JSON),
        Target(drafts, st.lists(JSON, min_size=2, max_size=2)),
        Target(service_answers, JSON),
        Target(callback_data, st.text(":_-.abc01\n😀", max_size=70) | st.text(max_size=70)),
        Target(start_payloads, st.text("see_-01234:", max_size=64) | st.text(max_size=64)),
        Target(markdown, _MARKUP | st.text(max_size=400)),
        Target(words, _ADDRESSES),
        Target(
            file_names,
            _LONG_NAMES | st.text("./\\:\"'<>|?*a字. \n" + _TURNING, max_size=200) | st.text(max_size=200),
        ),
        Target(content, st.builds(bytes.__add__, _MAGICS, st.binary(max_size=100))),
    )
}


def run(target: Target, *, for_s: float = 0.0, examples: int = _ROUND) -> int:
    """Give a target inputs in rounds, until the time is over; at least one round.

    Args:
        target: Which.
        for_s: Seconds.
        examples: Inputs a round.

    Returns:
        How many inputs it saw.

    Raises:
        Exception: What the check raised, for the smallest input that does.
    """
    seen = 0

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(target.inputs)
    def one_round(value: Any) -> None:
        nonlocal seen
        seen += 1
        target.check(value)

    ends_s = time.monotonic() + for_s
    one_round()
    while time.monotonic() < ends_s:
        one_round()
    return seen


def main() -> int:
    """Run from a command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="for all targets together")
    parser.add_argument("--only", choices=sorted(TARGETS), help="one target")
    chosen = parser.parse_args()
    names = [chosen.only] if chosen.only else list(TARGETS)
    broken = 0
    for name in names:
        try:
            seen = run(TARGETS[name], for_s=chosen.minutes * 60 / len(names))
        except Exception:
            traceback.print_exc()
            print(f"{name:18} BROKEN", flush=True)
            broken += 1
        else:
            print(f"{name:18} {seen:>10,} inputs", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
