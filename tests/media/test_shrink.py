import asyncio
import contextlib
import tempfile
from pathlib import Path

import av
import pytest
from PIL import Image

from bot.media import shrink
from bot.media.shrink import CannotShrink, plan, shrink_video
from bot.media.video_facts import read_video_facts
from bot.sandbox.samples import make_video
from tests.media.test_video_facts import frame_of

MB = 1_000_000


@pytest.mark.parametrize(
    ("seconds", "width", "height"),
    [
        (30, 1920, 1080),
        (180, 1280, 720),
        (420, 854, 480),
        (1500, 426, 240),
    ],
)
def test_the_picture_is_as_large_as_the_bit_rate_allows(seconds: float, width: int, height: int) -> None:
    encoding = plan(1920, 1080, 30, seconds, 50 * MB, has_audio=True)
    assert encoding is not None
    assert (encoding.width, encoding.height) == (width, height)
    assert (encoding.video_bps + encoding.audio_bps) * seconds / 8 < 50 * MB


def test_an_upright_picture_stays_upright() -> None:
    encoding = plan(1080, 1920, 30, 180, 50 * MB, has_audio=False)
    assert encoding is not None
    assert (encoding.width, encoding.height, encoding.audio_bps) == (720, 1280, 0)


@pytest.mark.parametrize("has_audio", [True, False])
def test_what_would_be_mush_is_not_planned(has_audio: bool) -> None:
    assert plan(1920, 1080, 30, 4 * 3600, 50 * MB, has_audio=has_audio) is None


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def noise(path: Path, seconds: int = 2) -> Path:
    """A video that hardly compresses, with sound."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=12, options={"crf": "10", "preset": "ultrafast"})
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        for _ in range(12 * seconds):
            picture = Image.effect_noise((320, 180), 90).convert("RGB")
            out.mux(video.encode(frame_of(picture)))
        out.mux(video.encode(None))
    return path


async def test_a_video_fits_afterwards_and_plays_at_once(tmp_path: Path) -> None:
    source = await asyncio.to_thread(noise, tmp_path / "large.mp4", 6)
    size, limit = source.stat().st_size, 1_000_000
    assert size > 2 * limit
    progress: list[float] = []
    await shrink_video(source, tmp_path / "small.mp4", limit, progress.append)
    assert limit / 4 < (tmp_path / "small.mp4").stat().st_size <= limit
    facts = await read_video_facts(tmp_path / "small.mp4")
    assert (facts.is_playable, facts.faststart, round(facts.duration_s)) == (True, True, 6)
    assert names(tmp_path) == ["large.mp4", "small.mp4"]
    assert all(0 <= done <= 1 for done in progress)


async def test_sound_stays_and_times_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_video(tmp_path / "clip.mp4", 3, 160, 90, 10)
    await shrink_video(source, tmp_path / "small.mp4", shrink.MIN_BYTES, lambda _: None)
    with av.open(str(tmp_path / "small.mp4")) as made:
        assert [stream.type for stream in made.streams] == ["video", "audio"]
        assert float(made.duration or 0) / av.time_base == pytest.approx(3, abs=0.15)


async def test_a_turned_video_is_left_as_it_is(tmp_path: Path) -> None:
    source = make_video(tmp_path / "clip.mp4", 1, 160, 90, 10, rotation=90)
    with pytest.raises(CannotShrink, match="turned"):
        await shrink_video(source, tmp_path / "small.mp4", shrink.MIN_BYTES, lambda _: None)


@pytest.mark.parametrize("content", [b"", b"no video at all"])
async def test_what_can_not_be_decoded_can_not_be_shrunk(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "broken.mp4"
    source.write_bytes(content)
    with pytest.raises(CannotShrink):
        await shrink_video(source, tmp_path / "small.mp4", shrink.MIN_BYTES, lambda _: None)
    assert names(tmp_path) == ["broken.mp4"]


@pytest.mark.parametrize("max_bytes", [1000, shrink.MIN_BYTES - 1])
async def test_nothing_is_made_that_a_server_would_not_take_either(tmp_path: Path, max_bytes: int) -> None:
    with pytest.raises(CannotShrink):
        await shrink_video(
            make_video(tmp_path / "clip.mp4", 1, 160, 90), tmp_path / "s.mp4", max_bytes, lambda _: None
        )


async def test_a_full_disk_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrink, "has_room", lambda directory, size: False)
    clip = make_video(tmp_path / "clip.mp4", 1, 160, 90)
    with pytest.raises(CannotShrink):
        await shrink_video(clip, tmp_path / "s.mp4", shrink.MIN_BYTES, lambda _: None)


@pytest.mark.parametrize(
    ("needed", "aims", "fits"),
    [([900], [1000], True), ([2000, 990], [1000, 465], True), ([2000, 1001], [1000, 465], False)],
)
async def test_a_second_pass_aims_as_much_lower_as_the_first_was_over(
    monkeypatch: pytest.MonkeyPatch, needed: list[float], aims: list[float], fits: bool
) -> None:
    aimed: list[float] = []

    async def run(work: object, max_bytes: int, aim: float, **_: object) -> float:
        aimed.append(round(aim))
        return needed[len(aimed) - 1]

    monkeypatch.setattr(shrink, "run", run)
    expected = contextlib.nullcontext() if fits else pytest.raises(CannotShrink)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as made, expected:
        await shrink._shrink(given, made, 5000, 1000, lambda _: None)
    assert aimed == aims
