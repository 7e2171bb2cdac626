"""Sample files that the page sends with one click, generated on first use."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from bot.sandbox import samples

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Clip:
    """A sample file.

    Attributes:
        kind: The media kind it is sent as.
        about: A short description.
        write: Generates the file.
    """

    kind: str
    about: str
    write: Callable[[Path], object]


def make(name: str, directory: Path) -> Path:
    """Return a sample's file, generated if necessary.

    Raises:
        KeyError: There is no such sample.
    """
    clip = CLIPS[name]
    path = directory / name
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        half = directory / f"half-{name}"
        clip.write(half)
        half.rename(path)
    return path


def _beach(at: float, width: int, height: int) -> Image.Image:
    """Draw a beach: the sun sets, waves come in, a sail passes."""
    picture = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(picture)
    horizon, shore = height * 0.55, height * 0.82
    for line in range(int(horizon) + 1):
        part = line / horizon
        draw.line(
            (0, line, width, line), fill=(int(60 + 190 * part), int(90 + 80 * part), int(150 - 50 * part))
        )
    sun_x, sun_y, radius = width * 0.68, horizon * (0.45 + 0.35 * at), height * 0.1
    draw.ellipse((sun_x - radius, sun_y - radius, sun_x + radius, sun_y + radius), fill=(255, 226, 150))
    draw.rectangle((0, horizon, width, height), fill=(26, 84, 120))
    for row in range(7):
        y = horizon + (shore - horizon) * (row + 0.5) / 7
        length = width * (0.03 + 0.012 * row)
        for column in range(9):
            x = width * ((column / 8 + 0.13 * row + 0.06 * math.sin(2 * math.pi * (at + row / 7))) % 1)
            draw.line((x, y, x + length, y), fill=(90, 150, 170), width=max(1, height // 180))
    sail = width * (0.1 + 0.3 * at)
    draw.polygon(
        [(sail, horizon + 2), (sail + height * 0.07, horizon + 2), (sail + height * 0.03, horizon * 0.72)],
        fill=(250, 248, 240),
    )
    swell = height * 0.02 * math.sin(4 * math.pi * at)
    points = [
        (x, shore + swell + height * 0.015 * math.sin(6 * math.pi * x / width + 6 * at))
        for x in range(0, width + 8, 8)
    ]
    draw.polygon([*points, (width, height), (0, height)], fill=(233, 203, 150))
    draw.line(points, fill=(250, 250, 250), width=max(2, height // 60))
    return picture


def _street(at: float, width: int, height: int) -> Image.Image:
    """Draw a street at night: lit windows, and a car's lights."""
    picture = Image.new("RGB", (width, height), (18, 22, 44))
    draw = ImageDraw.Draw(picture)
    count = 5
    for house in range(count):
        left, right = width * house / count, width * (house + 0.92) / count
        top = height * (0.2 + 0.1 * ((house * 37) % 4))
        draw.rectangle((left, top, right, height * 0.8), fill=(38 + 6 * (house % 3), 42, 74))
        for row in range(8):
            for column in range(2):
                lit = (house * 31 + row * 17 + column * 7 + int(at * 6)) % 3 > 0
                x = left + (right - left) * (0.2 + 0.4 * column)
                y = top + height * 0.03 + row * height * 0.07
                if y < height * 0.74:
                    colour = (255, 214, 120) if lit else (54, 58, 92)
                    draw.rectangle((x, y, x + width * 0.05, y + height * 0.035), fill=colour)
    draw.rectangle((0, height * 0.8, width, height), fill=(30, 30, 38))
    car = width * (1.2 * at - 0.2)
    draw.rounded_rectangle((car, height * 0.83, car + width * 0.3, height * 0.9), 8, fill=(200, 60, 70))
    draw.ellipse((car + width * 0.28, height * 0.85, car + width * 0.33, height * 0.88), fill=(255, 250, 210))
    return picture


CLIPS: dict[str, Clip] = {
    "beach.mp4": Clip(
        "video",
        "A beach, 6 seconds",
        lambda path: samples.make_video(path, 6, 640, 360, picture=_beach),
    ),
    "phone.mp4": Clip(
        "video",
        "A street, filmed upright",
        lambda path: samples.make_video(path, 4, 360, 640, picture=_street),
    ),
    "photo.jpg": Clip("photo", "A photo", lambda path: _beach(0.4, 1280, 720).save(path, quality=88)),
    "music.mp3": Clip(
        "audio", "Ten seconds of a tone", lambda path: samples.make_audio(path, 10, frequency_hz=220)
    ),
    "voice.ogg": Clip("voice", "A voice message", lambda path: samples.make_audio(path, 3)),
    "prompt.txt": Clip(
        "document",
        "A request in a text file",
        lambda path: path.write_text('make a 3 second video of a cat, with the title "Meow"\n', "utf-8"),
    ),
    "large.mp4": Clip(
        "video",
        "A video of 25 MB",
        lambda path: samples.make_video(path, 2, size_bytes=25 * MEBIBYTE),
    ),
    "broken.mp4": Clip(
        "video", "A file that is no video", lambda path: path.write_bytes(b"not a video" * 99)
    ),
}
"""Samples by file name, in the order of the page's menu."""
