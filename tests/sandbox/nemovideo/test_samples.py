from pathlib import Path

import av
import pytest
from PIL import Image

from bot.sandbox.samples import make_audio, make_photo, make_video


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi", "a.webm"])
def test_a_video_of_each_kind_plays(tmp_path: Path, name: str) -> None:
    with av.open(make_video(tmp_path / name, 1.5)) as file:
        assert file.duration is not None
        assert file.duration / 1e6 == pytest.approx(1.5, abs=0.15)
        assert (file.streams.video[0].width, file.streams.video[0].height) == (320, 180)
        assert sum(1 for _ in file.decode(video=0)) == 36
        assert len(file.streams.audio) == 1


def test_a_phone_s_video_is_turned_and_can_be_silent(tmp_path: Path) -> None:
    with av.open(make_video(tmp_path / "a.mp4", 0.5, rotation=90, audio=False)) as file:
        assert next(file.decode(video=0)).rotation == -90
        assert not file.streams.audio


def test_the_index_lies_where_asked(tmp_path: Path) -> None:
    front = make_video(tmp_path / "front.mp4", 0.5).read_bytes()
    end = make_video(tmp_path / "end.mp4", 0.5, moov="end").read_bytes()
    assert front.index(b"moov") < front.index(b"mdat")
    assert end.index(b"moov") > end.index(b"mdat")


def test_a_padded_video_has_the_size_and_plays(tmp_path: Path) -> None:
    path = make_video(tmp_path / "large.mp4", 0.5, size_bytes=300_000_000)
    assert path.stat().st_size == 300_000_000
    with av.open(path) as file:
        assert sum(1 for _ in file.decode(video=0)) == 12
    with pytest.raises(ValueError, match="too few"):
        make_video(tmp_path / "small.mp4", 0.5, size_bytes=10)


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.aac", "a.wav", "a.ogg"])
def test_a_tone_of_each_kind_plays(tmp_path: Path, name: str) -> None:
    with av.open(make_audio(tmp_path / name, 1.0)) as file:
        frames = list(file.decode(audio=0))
    assert sum(frame.samples / frame.sample_rate for frame in frames) == pytest.approx(1.0, abs=0.1)
    assert any(any(bytes(frame.planes[0])) for frame in frames)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.webp"])
def test_a_photo_of_each_kind_opens(tmp_path: Path, name: str) -> None:
    with Image.open(make_photo(tmp_path / name, 80, 60, text="hi")) as picture:
        assert picture.size == (80, 60)
