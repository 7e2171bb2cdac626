import io
import os
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, Mock

import av
import pytest

from bot.media import video_conversion
from bot.media.conversion import convert_file
from bot.media.errors import FileTypeUnsupported
from bot.media.file_type import sniff
from bot.media.kinds import CONVERTED


def make(
    path: Path,
    container: str,
    video: str,
    audio: str | None = None,
    size: tuple[int, int] = (64, 48),
    pixels: str = "yuv420p",
) -> Path:
    """Make a video of two seconds, with silence if it has audio."""
    with av.open(path, "w", format=container) as output:
        stream: Any = output.add_stream(video, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        sound: Any = output.add_stream(audio, rate=44_100, layout="stereo") if audio else None
        for number in range(2 * 25):
            frame = av.VideoFrame(*size, pixels)
            for plane in frame.planes:
                plane.update(bytes([number]) * plane.buffer_size)
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            samples = sound.codec_context.frame_size
            for number in range(2 * 44_100 // samples):
                piece = av.AudioFrame(sound.codec_context.format.name, "stereo", samples)
                for part in piece.planes:
                    part.update(bytes(part.buffer_size))
                piece.sample_rate, piece.pts = 44_100, number * samples
                output.mux(sound.encode(piece))
            output.mux(sound.encode(None))
    return path


async def converted(path: Path, kind: str) -> av.container.InputContainer:
    with path.open("rb") as source, path.with_suffix(".made").open("w+b") as target:
        size = await convert_file(source, kind, target, path.name)
        content = target.read()
    assert size == len(content)
    return av.open(io.BytesIO(content), "r")


@pytest.mark.parametrize(
    ("kind", "container", "video", "audio"),
    [
        ("ts", "mpegts", "libx264", "ac3"),  # a camcorder's AVCHD
        ("mpeg", "mpeg", "mpeg2video", "mp2"),
        ("wmv", "asf", "wmv2", None),
        ("flv", "flv", "flv", None),
        ("flv", "flv", "libx264", "aac"),
        ("rm", "rm", "rv10", "ac3"),
        ("mxf", "mxf", "mpeg2video", None),
        ("swf", "swf", "flv", None),
        ("m2v", "mpeg2video", "mpeg2video", None),
        ("m2v", "mpeg1video", "mpeg1video", None),
        ("h264", "h264", "libx264", None),
        ("hevc", "hevc", "libx265", None),
    ],
)
async def test_it_becomes_an_mp4_of_the_same_length(
    tmp_path: Path, kind: str, container: str, video: str, audio: str | None
) -> None:
    assert CONVERTED[kind] == "mp4"
    path = make(tmp_path / f"clip.{kind}", container, video, audio)
    assert sniff(path.read_bytes()) in (kind, "asf")
    with await converted(path, kind) as made:
        names = [stream.codec_context.name for stream in made.streams]
        assert names == ["h264", "aac"] if audio else ["h264"]
        assert float(made.duration or 0) / av.time_base == pytest.approx(2, abs=0.15)
        assert (made.start_time or 0) / av.time_base < 0.15
        frames = list(made.decode(video=0))
        assert len(frames) == pytest.approx(50, abs=2)
        assert (frames[0].width, frames[0].height) == (64, 48)


async def test_the_tape_of_a_camcorder_keeps_its_shape(tmp_path: Path) -> None:
    path = make(tmp_path / "tape.dv", "dv", "dvvideo", size=(720, 576))
    assert sniff(path.read_bytes()) == "dv"
    with await converted(path, "dv") as made:
        frames = list(made.decode(video=0))
        assert len(frames) == pytest.approx(50, abs=2)
        # 4:3 on 720 wide pixels.
        assert frames[0].width / frames[0].height == pytest.approx(4 / 3, abs=0.02)


async def test_h264_in_colors_that_few_players_know_is_encoded_anew(tmp_path: Path) -> None:
    path = make(tmp_path / "studio.ts", "mpegts", "libx264", pixels="yuv422p")
    with await converted(path, "ts") as made:
        assert made.streams.video[0].codec_context.pix_fmt == "yuv420p"


@pytest.mark.parametrize("kind", [kind for kind, target in CONVERTED.items() if target == "mp4"])
async def test_what_holds_no_video_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"clip.{kind}"
    path.write_bytes(b"\x47" * 4000)
    with pytest.raises(FileTypeUnsupported):
        await converted(path, kind)


def test_a_video_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_conversion, "_MAX_PIXELS", 64 * 48 - 1)
    path = make(tmp_path / "large.flv", "flv", "flv")
    source, target = (
        os.open(path.with_suffix(ending), os.O_RDWR | os.O_CREAT) for ending in (".flv", ".mp4")
    )
    with pytest.raises(ValueError, match="64×48"):
        video_conversion.convert(source, target, "flv")


def test_frames_without_a_time_follow_and_those_that_come_again_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = Mock()
    monkeypatch.setattr(video_conversion, "VideoEncoder", Mock(return_value=encoder))
    track = video_conversion._EncodedVideo(
        MagicMock(),
        Mock(sample_aspect_ratio=None, codec_context=Mock(sample_aspect_ratio=None), width=64, height=48),
    )
    frames = [Mock(pts=pts, duration=2) for pts in (0, None, 1, 4, 4)]
    track.add(Mock(decode=lambda: frames))
    assert [call.args[0].pts for call in encoder.encode.call_args_list] == [0, 2, 4]
