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
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.chats.key import ChatKey
from bot.jobs.buttons import VERSION, Cancel, pack, unpack
from bot.media.file_type import SNIFF_BYTES, FileType, is_decompression_bomb, sniff
from bot.media.kinds import fitting_name, is_usable, kind_of, kind_of_name
from bot.media.links import MAX_LINKS, find_links
from bot.nemo import answers
from bot.nemo.changes import compare
from bot.nemo.drafts import read_draft
from bot.nemo.errors import code_of, message_of
from bot.nemo.events import read_event
from bot.nemo.render_answers import read_render
from bot.nemo.stream import SseReader
from bot.runtime.tokens import has_token
from bot.telegram.reading.attachments import NAME_LENGTH, safe_name
from bot.telegram.reading.request import read_links
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
    list(compare(before, after))
    assert not list(compare(before, before))


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
    has_token(text)
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
    assert kind is None or kind in get_args(FileType)
    padded = data + b"\x01" * SNIFF_BYTES
    assert sniff(padded) == sniff(padded + data)
    assert not is_decompression_bomb(data) or kind in ("png", "gif", "webp")


def unusual_heads(given: tuple[str, bytes, list[bytes]]) -> None:
    """What cameras and encoders put before the content of a good file: its kind stays the same."""
    kind, head, before = given
    assert sniff(b"".join(before) + head) == kind


def damaged_heads(given: tuple[str, bytes, list[tuple[int, int, bytes]]]) -> None:
    """A good file's first bytes with some changed: no list of bytes refuses what its name and sender claim."""
    kind, head, changes = given
    damaged = bytearray(head)
    for at, length, put in changes:
        damaged[at : at + length] = put
    found = sniff(bytes(damaged))
    for sent_as in ("document", "video", "audio"):
        usable = is_usable(kind_of(found, f"a.{kind}", "", sent_as))
        assert usable or (found is not None and not is_usable(found))


def box(name: bytes, body: bytes = b"") -> bytes:
    """A box of an ISO base media file."""
    return (8 + len(body)).to_bytes(4, "big") + name + body


def tag(body: bytes) -> bytes:
    """An ID3 tag."""
    size = bytes(len(body) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00\x00" + size + body


_MOVIE = box(b"moov", bytes(100))
HEADS: dict[str, list[bytes]] = {
    "mp4": [box(b"ftyp", brand + bytes(4) + b"isommp42") + _MOVIE for brand in (b"isom", b"XAVC", b"hvc1", b"zzzz")],
    "mov": [box(b"ftyp", b"qt  " + bytes(4) + b"qt  ") + _MOVIE, box(b"wide") + box(b"mdat", bytes(90)), _MOVIE],
    "m4a": [box(b"ftyp", b"M4A " + bytes(4) + b"M4A mp42isom") + _MOVIE],
    "heic": [box(b"ftyp", b"heic" + bytes(4) + b"mif1heic") + box(b"meta", bytes(50))],
    "avif": [box(b"ftyp", b"avif" + bytes(4) + b"avifmif1miaf") + box(b"meta", bytes(50))],
    "mp3": [b"\xff\xfb\x90\x64" + bytes(400), b"\xff\xf3\x84\xc4" + bytes(400)],
    "aac": [b"\xff\xf1\x50\x80\x2e\x7f\xfc" + bytes(300)],
    "flac": [b"fLaC\x00\x00\x00\x22" + bytes(34)],
    "wav": [b"RIFF\x24\x80\x00\x00WAVEfmt ", b"RF64\xff\xff\xff\xffWAVEds64", b"BW64\xff\xff\xff\xffWAVEds64"],
    "ogg": [b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead"],
    "mkv": [b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska"],
    "webm": [b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm"],
    "avi": [b"RIFF\x00\x10\x00\x00AVI LIST"],
    "jpg": [b"\xff\xd8\xff\xe1\x00\x10Exif"],
    "png": [b"\x89PNG\r\n\x1a\n" + bytes(30)],
    "gif": [b"GIF89a" + bytes(30)],
    "webp": [b"RIFF\x00\x00\x00\x00WEBPVP8 "],
    "mxf": [b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02\x04\x00"],
    "dv": [b"\x1f\x07\x00\xbf\x78" + bytes(75)],
    "swf": [b"FWS\x06\x8d\x0f\x00\x00"],
    "h264": [b"\x00\x00\x00\x01\x67\x64\x00\x28", b"\x00\x00\x00\x01\x09\xf0\x00\x00\x00\x01\x67\x42"],
    "hevc": [b"\x00\x00\x00\x01\x40\x01\x0c\x01"],
}  # fmt: skip
"""First bytes of good files, by their kind."""

_BOXES_BEFORE = st.lists(
    st.builds(box, st.sampled_from([b"free", b"skip", b"wide", b"uuid", b"junk"]), st.binary(min_size=16, max_size=90)),
    max_size=4,
)  # fmt: skip
_AUDIO_BEFORE = st.lists(st.integers(0, 4000).map(bytes) | st.binary(max_size=200).map(tag), max_size=1)


def _heads(kinds: list[str]) -> st.SearchStrategy[tuple[str, bytes]]:
    return st.sampled_from([(kind, head) for kind in kinds for head in HEADS[kind]])


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
        Target(
            unusual_heads,
            st.tuples(_heads(["mp4", "mov", "m4a", "heic", "avif"]), _BOXES_BEFORE).map(
                lambda one: (*one[0], one[1])
            )
            | st.tuples(_heads(["mp3", "aac", "flac"]), _AUDIO_BEFORE).map(lambda one: (*one[0], one[1])),
        ),
        Target(
            damaged_heads,
            st.tuples(
                _heads(list(HEADS)),
                st.lists(
                    st.tuples(st.integers(0, 40), st.integers(0, 8), st.binary(max_size=8)),
                    min_size=1,
                    max_size=5,
                ),
            ).map(lambda one: (*one[0], one[1])),
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
