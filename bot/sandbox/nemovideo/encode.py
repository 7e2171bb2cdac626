"""Encode an MP4 from a `Spec`, in a thread of the stand-in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from PIL import Image, ImageOps

from bot.sandbox.nemovideo import paint, sound

_BEHIND = 0.8  # size of a clip in front of its replaced background


@dataclass(frozen=True, slots=True)
class Clip:
    """A visible or audible segment.

    Attributes:
        kind: What it shows; ``generated`` is painted from its name.
        name: Its words.
        start_s: Its start in the video.
        duration_s: Its length in the video.
        path: Its file; ``None`` for generated content.
        source_start_s: Its start in the file.
        speed: Playback speed; above 1 is faster.
        volume: Its volume; 1 leaves it as it is.
        background: Words of its replaced background, if any.
        mood: The music's mood.
        piece: Which piece of music of that mood, from 0.
        scale: The title's size; 1 is the usual one.
    """

    kind: Literal["video", "image", "audio", "generated", "music", "title"]
    name: str
    start_s: float
    duration_s: float
    path: str | None = None
    source_start_s: float = 0.0
    speed: float = 1.0
    volume: float = 1.0
    background: str = ""
    mood: str = ""
    piece: int = 0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole video.

    Attributes:
        out: Path of the file to write.
        width: Width in pixels, even.
        height: Height in pixels, even.
        fps: Frames per second.
        duration_s: Length in seconds.
        moov: Whether the index is at the front or the end of the file.
        clips: The segments.
    """

    out: str
    width: int
    height: int
    fps: int
    duration_s: float
    moov: Literal["front", "end"]
    clips: list[Clip] = field(default_factory=list)


class _Pictures:
    """The pictures of a clip, read in order."""

    def __init__(self, clip: Clip, width: int, height: int) -> None:
        self._clip, self._size = clip, (width, height)
        self._frames = _video_frames(clip, self._size) if clip.kind == "video" else iter(())
        self._next: tuple[float, Image.Image] | None = None
        self._shown: Image.Image | None = None
        if clip.kind == "image":
            with Image.open(cast(str, clip.path)) as picture:
                self._shown = _boxed(ImageOps.exif_transpose(picture).convert("RGB"), clip, self._size)

    def at(self, into_s: float) -> Image.Image:
        """Return the picture at some seconds into the clip."""
        clip = self._clip
        if clip.kind == "generated":
            return paint.generated(clip.name, min(1.0, into_s / clip.duration_s), *self._size)
        wanted_s = clip.source_start_s + into_s * clip.speed
        while clip.kind == "video":
            self._next = self._next or next(self._frames, None)
            # Show the first frame even if it comes late, rather than black.
            if self._next is None or (self._shown is not None and self._next[0] > wanted_s + 1e-3):
                break
            self._shown, self._next = self._next[1], None
        return (self._shown or Image.new("RGB", self._size)).copy()


def encode(spec: Spec, progress: Callable[[int], None]) -> None:
    """Encode the video. Blocking.

    Args:
        spec: The video to encode.
        progress: Called after each frame with 0 to 100; an exception it raises ends the encoding.
    """
    options = {"movflags": "+faststart"} if spec.moov == "front" else {}
    with av.open(spec.out, "w", format="mp4", options=options) as out:
        video = out.add_stream("libx264", rate=spec.fps, options={"preset": "ultrafast", "threads": "1"})
        video.width, video.height, video.pix_fmt = spec.width, spec.height, "yuv420p"
        audio = out.add_stream("aac", rate=sound.RATE, layout="mono")
        pictures = {
            index: _Pictures(clip, spec.width, spec.height)
            for index, clip in enumerate(spec.clips)
            if clip.kind in {"video", "image", "generated"}
        }
        parts = [_part(clip) for clip in spec.clips if clip.kind in {"video", "audio", "music"}]
        total = max(1, round(spec.duration_s * spec.fps))
        for index in range(total):
            frame = av.VideoFrame.from_image(_compose(spec, pictures, index / spec.fps))  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
            frame.pts, frame.time_base = index, Fraction(1, spec.fps)
            out.mux(video.encode(frame))
            if (index + 1) % spec.fps == 0 or index + 1 == total:
                end = round(min(index + 1, total) * sound.RATE / spec.fps)
                _encode_sound(out, audio, parts, index // spec.fps * sound.RATE, end)
            progress(100 * (index + 1) // total)
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def _encode_sound(
    out: OutputContainer, stream: AudioStream, parts: list[sound.Part], start: int, end: int
) -> None:
    samples = sound.mix(parts, start, end - start)
    frame = av.AudioFrame("s16", "mono", len(samples))
    frame.planes[0].update(samples.tobytes())
    frame.sample_rate = sound.RATE
    frame.pts, frame.time_base = start, Fraction(1, sound.RATE)
    out.mux(stream.encode(frame))


def _compose(spec: Spec, pictures: dict[int, _Pictures], at_s: float) -> Image.Image:
    picture = None
    for index, source in pictures.items():
        clip = spec.clips[index]
        if clip.start_s <= at_s + 1e-6 < clip.start_s + clip.duration_s:
            picture = source.at(at_s - clip.start_s)
    picture = picture or Image.new("RGB", (spec.width, spec.height), "#202028")
    titles = [
        clip
        for clip in spec.clips
        if clip.kind == "title" and clip.start_s <= at_s + 1e-6 < clip.start_s + clip.duration_s
    ]
    lower_edge = 0.92
    for clip in reversed(titles):
        lower_edge = paint.title(picture, clip.name, clip.scale, lower_edge)
    return picture


def _part(clip: Clip) -> sound.Part:
    source: sound.Source
    if clip.path is None:
        source = sound.Music(clip.mood, clip.piece)
    else:
        source = sound.FileSound(Path(clip.path), clip.source_start_s, clip.speed)
    start, length = round(clip.start_s * sound.RATE), round(clip.duration_s * sound.RATE)
    return sound.Part(source, start, length, clip.volume)


def _video_frames(clip: Clip, size: tuple[int, int]) -> Iterator[tuple[float, Image.Image]]:
    with av.open(cast(str, clip.path)) as file:
        stream = file.streams.video[0]
        if clip.source_start_s > 1:
            file.seek(int(clip.source_start_s * av.time_base))
        for frame in file.decode(stream):
            if (frame.time or 0.0) + 1.5 / float(stream.average_rate or 24) < clip.source_start_s:
                continue
            small = frame
            scale = min(1.0, max(size) / max(frame.width, frame.height))
            if scale < 1:
                width, height = max(2, int(frame.width * scale)), max(2, int(frame.height * scale))
                small = frame.reformat(width=width, height=height)
            picture: Image.Image = small.to_image()  # type: ignore[no-untyped-call]  # PyAV leaves it untyped
            if frame.rotation:
                picture = picture.rotate(frame.rotation, expand=True)
            yield frame.time or 0.0, _boxed(picture, clip, size)


def _boxed(picture: Image.Image, clip: Clip, size: tuple[int, int]) -> Image.Image:
    """Fit a picture into the canvas, over its background."""
    if clip.background:
        behind = paint.background(clip.background, picture, *size)
        inner = ImageOps.contain(picture, (int(size[0] * _BEHIND), int(size[1] * _BEHIND)))
    else:
        inner = ImageOps.contain(picture, size)
        if inner.size == size:
            return inner
        behind = Image.new("RGB", size)
    behind.paste(inner, ((size[0] - inner.width) // 2, (size[1] - inner.height) // 2))
    return behind
