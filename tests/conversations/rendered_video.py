"""What a finished video shows, and whether it shows what a button promised."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageChops, ImageStat

from bot.nemo.drafts import Draft

LOOK_AT_S = 0.5
"""Where the picture is looked at: early enough for every clip, late enough for titles."""

_RATE = 8_000


@dataclass(frozen=True, slots=True)
class Look:
    """What a video shows and sounds like.

    Args:
        seconds: Its length.
        picture: Its picture at ``LOOK_AT_S``.
        sound: Its samples, 8000 a second.
    """

    seconds: float
    picture: Image.Image
    sound: array[int]

    @property
    def ratio(self) -> float:
        """Width by height."""
        return self.picture.width / self.picture.height

    @property
    def loudness(self) -> float:
        """The mean size of its samples."""
        return sum(map(abs, self.sound)) / max(1, len(self.sound))


def nothing() -> Look:
    """Return what an empty project shows."""
    return Look(0.0, Image.new("RGB", (16, 9)), array("h"))


def look_at(path: Path) -> Look:
    """Decode a video."""
    with av.open(str(path)) as file:
        seconds = float(file.duration or 0) / av.time_base
        picture = None
        for frame in file.decode(video=0):
            if picture is None or (frame.time or 0) <= min(LOOK_AT_S, seconds / 2):
                picture = frame.to_image()  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
        assert picture is not None
    sound = array("h")
    with av.open(str(path)) as file:
        resampler = av.AudioResampler("s16", "mono", _RATE)
        for part in file.decode(audio=0) if file.streams.audio else ():
            for piece in resampler.resample(part):
                sound.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
    return Look(seconds, picture, sound)


def _lasts(look: Look, seconds: float) -> bool:
    return abs(look.seconds - seconds) < 0.2


def _difference(was: Look, now: Look, upper: float, lower: float) -> float:
    """Return how different two pictures are between two heights, 0 to 255."""
    one, other = (
        look.picture.convert("L").crop(
            (0, int(upper * look.picture.height), look.picture.width, int(lower * look.picture.height))
        )
        for look in (was, now)
    )
    return ImageStat.Stat(ImageChops.difference(one, other.resize(one.size))).mean[0]


def _words_differ(was: Look, now: Look) -> bool:
    """Return whether what is written differs, above an unchanged picture."""
    return _difference(was, now, 0.45, 1) > 2 > _difference(was, now, 0, 0.3)


def _white(look: Look) -> float:
    """Return how much of the picture is white, as the inside of letters is."""
    counts = look.picture.convert("L").histogram()
    return sum(counts[235:]) / sum(counts)


def _sounds_different(was: Look, now: Look) -> bool:
    length = min(len(was.sound), len(now.sound))
    gap = sum(abs(one - other) for one, other in zip(was.sound, now.sound, strict=False))
    return gap > 100 * max(1, length)


def _is_quieter(was: Look, now: Look) -> bool:
    return _sounds_different(was, now) and now.loudness < was.loudness


Check = Callable[[Look, Look], bool]

SUGGESTIONS: Mapping[str, Check] = {
    "add_title": _words_differ,
    "subtitles": _words_differ,
    "bigger_title": lambda was, now: _words_differ(was, now) and _white(now) > _white(was),
    "calm_music": _sounds_different,
    "other_music": _sounds_different,
    "as_music": _sounds_different,
    "softer_music": _is_quieter,
    "short_cut": lambda was, now: was.seconds > 16 and _lasts(now, 15),
    "faster": lambda was, now: _lasts(now, was.seconds / 1.25),
    "vertical": lambda was, now: was.ratio > 1 > now.ratio and _is(now, 9 / 16) and _lasts(now, was.seconds),
    "vertical_anew": lambda was, now: _is(now, 9 / 16),
    "square": lambda was, now: not _is(was, 1) and _is(now, 1) and _lasts(now, was.seconds),
    "blur_background": lambda was, now: _difference(was, now, 0, 1) > 2,
    "next_scene": lambda was, now: now.seconds > was.seconds + 1,
    "video_for_audio": lambda was, now: _difference(was, now, 0, 1) > 20,
}
"""What each suggestion has to change."""

SAMPLE: Check = lambda _, now: _lasts(now, 3) and now.loudness > 100  # noqa: E731 - a row as those above
PLACED: Check = lambda was, now: now.seconds > was.seconds + 0.5  # noqa: E731 - likewise

EXTRAS: Mapping[str, Check] = {
    "audio": lambda was, now: _is_quieter(was, now) and _lasts(now, was.seconds),
    "text": _words_differ,
}
"""What the removal of what the agent added has to change."""


def _is(look: Look, ratio: float) -> bool:
    return abs(look.ratio - ratio) < 0.02


EXAMPLES: Sequence[tuple[str, Check]] = (
    (r"^trim it to 5 seconds$|^剪到 5 秒$", lambda _, now: _lasts(now, 5)),
    (r"^add calm (?:piano )?music|^配上舒缓的(?:钢琴)?音乐$|^给这段视频加上安静", _sounds_different),
    (r"^add title|^加标题", _words_differ),
    (r"^(?:change|make|blur) (?:the|my) background|^把?(?:我身后的)?背景", SUGGESTIONS["blur_background"]),
)
"""Examples of cards that edit the video at hand, as patterns, and what each has to change."""


def of_form(ratio: str, length_s: float, promised: Check | None) -> Check:
    """Return the check of a clip that is generated in a format and length, alone or after what is there.

    Args:
        ratio: Its format, such as ``9x16``.
        length_s: Its length in seconds.
        promised: What the button that led to the choice of the format promised, if it did.
    """
    width, height = map(int, ratio.split("x"))

    def check(was: Look, now: Look) -> bool:
        is_long = _lasts(now, length_s) or _lasts(now, was.seconds + length_s)
        return is_long and _is(now, width / height) and (promised is None or promised(was, now))

    return check


def as_drafted(draft: Draft) -> Check:
    """Return the check of a version that the project goes back to."""
    ratio, seconds = (draft.width or 0) / (draft.height or 1), (draft.duration_ms or 0) / 1000
    return lambda _, now: _is(now, ratio) and _lasts(now, seconds)


def describe(look: Look) -> str:
    """Describe a look, for failures."""
    size: Any = look.picture.size
    return (
        f"{look.seconds:.2f} s, {size[0]} × {size[1]}, loudness {look.loudness:.0f}, white {_white(look):.3f}"
    )
