"""Generate small media files for the sandbox and the tests with PyAV and Pillow.

```python
make_video(Path("clip.mp4"))  # 3 s, 320x180, H.264 and AAC
make_video(Path("phone.mov"), rotation=90, text="hello")
make_photo(Path("cat.png"), 800, 600, colour="orange")
make_audio(Path("voice.ogg"), 2.0)
```
"""

from __future__ import annotations  # array takes its type in annotations only

import functools
import math
from array import array
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from PIL import Image, ImageDraw, ImageFont

SAMPLE_RATE = 48_000  # Opus doesn't support 44.1 kHz

_VIDEO_CODECS = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".avi": "mpeg4", ".webm": "libvpx"}
_AUDIO_CODECS = {
    ".aac": "aac",
    ".amr": "libopencore_amrnb",
    ".avi": "libmp3lame",
    ".caf": "alac",
    ".flac": "flac",
    ".m4a": "aac",
    ".mka": "aac",
    ".mkv": "aac",
    ".mov": "aac",
    ".mp3": "libmp3lame",
    ".mp4": "aac",
    ".oga": "libopus",
    ".ogg": "libopus",
    ".w64": "pcm_s16le",
    ".wav": "pcm_s16le",
    ".webm": "libopus",
    ".wma": "wmav2",
    ".wv": "wavpack",
}
_CONTAINERS = {
    ".aac": "adts",
    ".m4a": "ipod",
    ".mka": "matroska",
    ".mkv": "matroska",
    ".oga": "ogg",
    ".wma": "asf",
}
_RATES = {".amr": 8000}
_CODEC_OPTIONS = {
    "libx264": {"preset": "ultrafast", "tune": "zerolatency", "threads": "1"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
}
_FREE_BOX_HEADER_BYTES = 16

_ENCODED: dict[tuple[object, ...], bytes] = {}
"""Files by all that they were made of: the tests make the same few hundreds of times."""


def make_video(
    path: Path,
    seconds: float = 3.0,
    width: int = 320,
    height: int = 180,
    fps: int = 24,
    *,
    audio: bool = True,
    rotation: int = 0,
    moov: Literal["front", "end"] = "front",
    colour: str = "steelblue",
    text: str = "",
    picture: Callable[[float, int, int], Image.Image] | None = None,
    size_bytes: int | None = None,
) -> Path:
    """Generate a playable video: a white bar moves over a plain background, with a 440 Hz tone.

    Args:
        path: The file to write; its suffix decides the kind: mp4, mov, mkv, avi or webm.
        seconds: Its length in seconds.
        width: Width of the stored picture in pixels, even.
        height: Height of the stored picture in pixels, even.
        fps: Frames per second.
        audio: Whether there is a sound track.
        rotation: Degrees, clockwise, by which a player has to turn the picture: a phone held upright
            stores 90. MP4 and MOV only.
        moov: Whether an MP4 or MOV has its index at the front or the end.
        colour: Background color, any name or ``#rrggbb`` that Pillow knows.
        text: Text in the middle.
        picture: Draws each frame instead, by its position in the clip (0 to 1), width and height.
        size_bytes: Size to pad an MP4 or MOV to with a sparse ``free`` box, which players skip and
            which takes no time and no disk.

    Returns:
        The path.

    Raises:
        ValueError: ``size_bytes`` is too small for the clip.
        KeyError: An ending that is not known.
    """
    suffix = path.suffix.lower()
    options = {"movflags": "+faststart"} if moov == "front" and suffix in {".mp4", ".mov"} else {}

    def encode() -> None:
        with av.open(path, "w", format=_CONTAINERS.get(suffix), options=options) as out:
            codec = _VIDEO_CODECS[suffix]
            video = cast(VideoStream, out.add_stream(codec, rate=fps, options=_CODEC_OPTIONS.get(codec)))
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            if rotation:
                video.set_display_rotation(-rotation)
            sound = _audio_stream(out, suffix) if audio else None
            draw = picture or _wandering_bar(_ground(width, height, colour, text))
            frames = max(1, round(seconds * fps))
            for index in range(frames):
                drawn = draw(index / frames, width, height)
                frame = av.VideoFrame.from_image(drawn)  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
                frame.pts, frame.time_base = index, Fraction(1, fps)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
            if sound is not None:
                _encode_tone(out, sound, seconds, 440)

    _write_once(path, encode, seconds, width, height, fps, audio, rotation, moov, colour, text, picture)
    if size_bytes is not None:
        pad(path, size_bytes)
    return path


def _write_once(path: Path, encode: Callable[[], None], *key: object) -> None:
    """Encode a file, or write the one again that was encoded with the same key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = (path.suffix.lower(), *key)
    if key in _ENCODED:
        path.write_bytes(_ENCODED[key])
    else:
        encode()
        _ENCODED[key] = path.read_bytes()


def _wandering_bar(ground: Image.Image) -> Callable[[float, int, int], Image.Image]:
    def draw(at: float, width: int, height: int) -> Image.Image:
        drawn = ground.copy()
        bar = Image.new("RGB", (max(2, width // 20), height // 4), "white")
        drawn.paste(bar, (int((width - bar.width) * at), height - bar.height))
        return drawn

    return draw


def make_photo(
    path: Path, width: int = 640, height: int = 480, *, colour: str = "darkorange", text: str = ""
) -> Path:
    """Generate a picture of one color with a lighter disc, and a text if given.

    Args:
        path: The file to write; its suffix decides the kind: jpg, png, gif or webp.
        width: Width in pixels.
        height: Height in pixels.
        colour: Background color.
        text: Text in the middle.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = _ground(width, height, colour, text)
    radius = min(width, height) // 8
    ImageDraw.Draw(picture).ellipse((radius, radius, 3 * radius, 3 * radius), fill="white")
    picture.save(path)
    return path


def make_audio(
    path: Path, seconds: float = 2.0, *, frequency_hz: int = 440, layout: Literal["mono", "stereo"] = "mono"
) -> Path:
    """Generate a tone.

    Args:
        path: The file to write; its suffix decides the kind, such as mp3, m4a, aac, wav, flac, or ogg (Opus, as in
            a voice message).
        seconds: Its length in seconds.
        frequency_hz: Its pitch; an integer, so that a second of it repeats without a click.
        layout: Its channels.

    Returns:
        The path.

    Raises:
        KeyError: The suffix is unknown.
    """
    suffix = path.suffix.lower()

    def encode() -> None:
        with av.open(path, "w", format=_CONTAINERS.get(suffix)) as out:
            _encode_tone(out, _audio_stream(out, suffix, layout), seconds, frequency_hz)

    _write_once(path, encode, seconds, frequency_hz, layout)
    return path


def _audio_stream(out: OutputContainer, suffix: str, layout: str = "mono") -> AudioStream:
    rate = _RATES.get(suffix, SAMPLE_RATE)
    stream = cast(AudioStream, out.add_stream(_AUDIO_CODECS[suffix], rate=rate, layout=layout))
    if suffix == ".wma":
        stream.bit_rate = 64_000  # This encoder has no default.
    return stream


@functools.cache
def _second(frequency_hz: int) -> array[int]:
    step = 2 * math.pi * frequency_hz / SAMPLE_RATE
    return array("h", (int(9000 * math.sin(step * index)) for index in range(SAMPLE_RATE)))


def _encode_tone(out: OutputContainer, stream: AudioStream, seconds: float, frequency_hz: int) -> None:
    second = _second(frequency_hz)
    total, done = round(seconds * SAMPLE_RATE), 0
    while done < total:
        piece = second[: min(SAMPLE_RATE, total - done)]
        frame = av.AudioFrame("s16", "mono", len(piece))
        frame.planes[0].update(piece.tobytes())
        frame.sample_rate = SAMPLE_RATE
        frame.pts, frame.time_base = done, Fraction(1, SAMPLE_RATE)
        out.mux(stream.encode(frame))
        done += len(piece)
    out.mux(stream.encode(None))


def _ground(width: int, height: int, colour: str, text: str) -> Image.Image:
    picture = Image.new("RGB", (width, height), colour)
    if text:
        font = ImageFont.load_default(max(12, height // 8))
        ImageDraw.Draw(picture).text((width / 2, height / 2), text, fill="white", font=font, anchor="mm")
    return picture


def pad(path: Path, size_bytes: int) -> None:
    """Pad an MP4 or MOV to a size with a sparse box, which players skip and which takes no disk.

    Raises:
        ValueError: The file is already as large.
    """
    missing = size_bytes - path.stat().st_size
    if missing < _FREE_BOX_HEADER_BYTES:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes already, {size_bytes} is too few")
    with path.open("ab") as file:
        # Size 1 means that the real size follows in 64 bits.
        file.write((1).to_bytes(4, "big") + b"free" + missing.to_bytes(8, "big"))
        file.truncate(size_bytes)
