"""Drafts to be drawn, and the words that go with them."""

from typing import Any

from hypothesis import strategies as st

from bot.nemo.drafts import TrackKind
from bot.pictures.boxes import TimelineLabels


def labels(video: str, audio: str, text: str, other: str, unnamed: str) -> TimelineLabels:
    kinds = {TrackKind.VIDEO: video, TrackKind.AUDIO: audio, TrackKind.TEXT: text, TrackKind.OTHER: other}
    return TimelineLabels(lambda track: kinds[track.kind], unnamed.format)


ENGLISH = labels("Video", "Music", "Title", "Track", "Clip {}")
CHINESE = labels("视频", "音乐", "标题", "轨道", "片段 {}")


def segment(start_ms: int, duration_ms: int, **more: object) -> dict[str, Any]:
    return {"start": start_ms, "duration": duration_ms, **more}


URBAN = {
    "d": 10_000,
    "m": {"title": "夜晚的城市 🌃 City at night", "width": 1080, "height": 1920},
    "t": [
        {
            "tt": 0,
            "sg": [
                segment(0, 6_000, name="city timelapse"),
                segment(6_500, 3_500, name="海边日落 sunset.mp4"),
            ],
        },
        {"tt": 1, "sg": [segment(0, 10_000, name="Lo-fi", volume=0.35)]},
        {
            "tt": 7,
            "sg": [
                segment(0, 3_000, text="“城市之梦” Don’t stop me now"),
                segment(8_000, 2_000, text="再见 👋"),
            ],
        },
        {
            "tt": 9,
            "sg": [segment(2_000, 100, name="Fade to black"), segment(9_900, 100, name="Âgé, Zoë: jqpy Ếǧ")],
        },
    ],
}
EIGHT = {
    "d": 95_000,
    "t": [
        {"tt": 0, "sg": [segment(n * 5_000, 5_000, name=f"take {n}") for n in range(19)]},
        {"tt": 1, "sg": [segment(0, 95_000, name="Voice", volume=1.5), segment(10_000, 20_000, volume=0)]},
        {"tt": 7, "sg": [segment(n * 2_000, 1_800, text=f"word {n}") for n in range(40)]},
        {"tt": 7, "sg": [segment(1_000, 3_000, text="مرحبا שלום ไทย हिन्दी"), segment(91_000, 4_000, text="❤️👨‍👩‍👧🇨🇳")]},
        {"tt": 7, "sg": [segment(0, 0, text="flash"), segment(95_000, 0, text="end"), segment(95_000, 1, text="past")]},
        {"tt": 0, "sg": []},
        {"tt": 1, "sg": [{}, {"name": "untimed"}, segment(60_000, 5_000), {"start": 70_000}, {"duration": 9_000}]},
        {"tt": 0, "sg": [{"end": 5, "duration": 500, "name": "from before the beginning"}]},
    ],
}  # fmt: skip
OVERLAPPING = {"t": [{"tt": 0, "sg": [segment(n * 300, 7_000, name=f"shot number {n}") for n in range(9)]}]}
UNTIMED = {
    "t": [{"tt": 0, "sg": [{"x": 1}, {"name": "海边"}, {}]}, {"tt": 1, "name": "轻音乐", "sg": [{"x": 1}]}]
}
HUGE = {
    "d": 10**12,
    "m": {"title": "W" * 100_000, "width": 10**9, "height": 1},
    "t": [
        {"tt": n % 9, "sg": [segment(k * n * 7, k * n % 99, name="囧" * 999, volume=10**9) for k in range(2_000)]}
        for n in range(8)
    ]
    + [{"tt": 5, "sg": [segment(0, 1)]}] * 492,
}  # fmt: skip

DRAFTS: dict[str, Any] = {
    "a usual one": URBAN,
    "eight tracks": EIGHT,
    "overlapping segments": OVERLAPPING,
    "no times": UNTIMED,
    "far too much": HUGE,
    "less than a second": {"d": 800, "t": [{"tt": 0, "sg": [segment(0, 300), segment(350, 450)]}]},
    "more than an hour": {"t": [{"tt": 0, "sg": [segment(0, 7_384_000, name="lecture")]}]},
    "only zeros": {"d": 0, "t": [{"tt": 0, "sg": [segment(0, 0)] * 5}]},
    "nothing": {},
}

_TIMES = st.none() | st.integers(-10, 20_000) | st.sampled_from([0, 1, 10**6, 10**12, -(10**12), 0.5])
_SEGMENTS = st.fixed_dictionaries(
    {},
    optional={
        "start": _TIMES,
        "duration": _TIMES,
        "end": _TIMES,
        "name": st.text(),
        "text": st.text(),
        "volume": st.floats(),
    },
)
_TRACKS = st.fixed_dictionaries(
    {"tt": st.sampled_from([0, 1, 7, 3]), "sg": st.lists(_SEGMENTS, max_size=30)},
    optional={"name": st.text(), "volume": st.floats()},
)
_META = st.fixed_dictionaries({"title": st.text(), "width": st.integers(), "height": st.integers()})
LIKELY = st.fixed_dictionaries({"t": st.lists(_TRACKS, max_size=12)}, optional={"d": _TIMES, "m": _META})
_KEYS = st.text() | st.sampled_from(["t", "tt", "sg", "d", "m", "title", "start", "end", "duration", "name"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner),
    max_leaves=30,
)
