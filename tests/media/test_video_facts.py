import contextlib
import io
import random
from pathlib import Path

import av
import pytest
from PIL import Image, ImageStat

from bot.media.cover import MAX_THUMBNAIL_BYTES, make_cover
from bot.media.video_facts import NotAVideo, read_video_facts
from bot.sandbox import samples


def frame_of(picture: Image.Image) -> av.VideoFrame:
    frame: av.VideoFrame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]  # PyAV has no annotation
    return frame


def make_video(
    path: Path,
    pictures: list[Image.Image],
    *,
    fps: int = 10,
    rotation: int = 0,
    faststart: bool = True,
    sound: bool = False,
    codec: str = "libx264",
) -> Path:
    options = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        tone = container.add_stream("aac", rate=44100) if sound else None
        for picture in pictures:
            container.mux(stream.encode(frame_of(picture)))
        container.mux(stream.encode())
        if tone is not None:
            assert isinstance(tone, av.AudioStream)
            frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
            frame.sample_rate = 44100
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux(tone.encode(frame))
            container.mux(tone.encode())
    return path


def plain(color: str, size: tuple[int, int] = (320, 180)) -> Image.Image:
    return Image.new("RGB", size, color)


def opened(jpeg: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.format == "JPEG"
    return picture.convert("RGB")


def red_blue(picture: Image.Image, box: tuple[int, int, int, int]) -> tuple[float, float]:
    red, _, blue = ImageStat.Stat(picture.crop(box)).mean
    return red, blue


async def test_facts_of_an_ordinary_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [plain("teal")] * 20, sound=True)
    facts = await read_video_facts(path)
    assert (facts.width, facts.height) == (320, 180)
    assert facts.duration_s == pytest.approx(2.0, abs=0.1)
    assert facts.faststart
    assert facts.is_playable


async def test_a_silent_video_with_its_moov_at_the_end(tmp_path: Path) -> None:
    facts = await read_video_facts(make_video(tmp_path / "a.mp4", [plain("teal")] * 5, faststart=False))
    assert not facts.faststart
    assert facts.is_playable


@pytest.mark.parametrize("suffix", ["mkv", "webm", "avi", "mov"])
async def test_other_containers(tmp_path: Path, suffix: str) -> None:
    codec = "libvpx" if suffix == "webm" else "libx264"
    facts = await read_video_facts(make_video(tmp_path / f"a.{suffix}", [plain("teal")] * 5, codec=codec))
    assert (facts.width, facts.height) == (320, 180)
    assert not facts.is_playable


async def test_rotation_turns_facts_and_thumbnail(tmp_path: Path) -> None:
    picture = plain("blue")
    picture.paste("red", (160, 0, 320, 180))
    path = make_video(tmp_path / "a.mp4", [picture] * 3, rotation=90)
    facts = await read_video_facts(path)
    assert (facts.width, facts.height) == (180, 320)
    chosen = await make_cover(path)
    assert chosen is not None
    thumbnail = opened(chosen.thumbnail)
    assert thumbnail.size == (180, 320)
    # Rotated counter-clockwise by 90 degrees, the right half is on top.
    red, blue = red_blue(thumbnail, (20, 20, 160, 140))
    assert red > 200 > 50 > blue
    red, blue = red_blue(thumbnail, (20, 180, 160, 300))
    assert blue > 200 > 50 > red


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"\xff\xd8\xff\xe0 a picture",
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\x00" * 500,
        b"\x1aE\xdf\xa3\x9fB\x82\x84webm" + b"\xff" * 500,
    ],
)
async def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(NotAVideo):
        await read_video_facts(path)
    with pytest.raises(NotAVideo):
        await make_cover(path)


async def test_a_missing_file_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(NotAVideo):
        await read_video_facts(tmp_path / "gone.mp4")


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
async def test_a_truncated_video_is_refused_or_read(tmp_path: Path, keep: float) -> None:
    path = make_video(tmp_path / "a.mp4", [plain("teal")] * 30)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    try:
        facts = await read_video_facts(path)
    except NotAVideo:
        return
    assert (facts.width, facts.height) == (320, 180)


@pytest.mark.parametrize("seed", range(30))
async def test_a_damaged_video_is_refused_or_read(tmp_path: Path, seed: int) -> None:
    path = make_video(tmp_path / "a.mp4", [plain("teal")] * 5)
    damaged = bytearray(path.read_bytes())
    chance = random.Random(seed)  # noqa: S311 - the same damage each time, nothing secret
    for _ in range(15):
        damaged[chance.randrange(8, len(damaged))] = chance.randrange(256)
    path.write_bytes(damaged)
    # Whatever else is raised fails the test.
    with contextlib.suppress(NotAVideo):
        await read_video_facts(path)
    with contextlib.suppress(NotAVideo):
        chosen = await make_cover(path)
        assert chosen is None or len(chosen.thumbnail) <= MAX_THUMBNAIL_BYTES


async def test_audio_alone_is_no_video(tmp_path: Path) -> None:
    path = samples.make_audio(tmp_path / "a.m4a", 0.5)
    with pytest.raises(NotAVideo):
        await read_video_facts(path)
