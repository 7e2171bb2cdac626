from pathlib import Path
from unittest.mock import AsyncMock

import av
import pytest

from bot.media.extracts import GIF_SIDE, ROUND_SIDE, CannotExtract, Extract, extract
from bot.media.file_type import sniff
from bot.sandbox.samples import make_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clips") / "clip.mp4", 2, 640, 360, 30, audio=True)


async def made(what: Extract, clip: Path) -> Path:
    path = clip.with_name(f"made.{what}")
    path.write_bytes(await extract(what, clip))
    return path


async def test_an_animation_is_silent_and_small(clip: Path) -> None:
    with av.open(await made(Extract.GIF, clip)) as container:
        assert not container.streams.audio
        video = container.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", GIF_SIDE, 270)
        assert container.duration is not None
        assert 1.8 <= container.duration / av.time_base <= 2.2


async def test_a_round_message_is_square_with_its_audio(clip: Path) -> None:
    with av.open(await made(Extract.ROUND, clip)) as container:
        video = container.streams.video[0]
        assert (video.width, video.height) == (ROUND_SIDE, ROUND_SIDE)
        assert container.streams.audio[0].codec_context.name == "aac"


async def test_the_audio_alone(clip: Path) -> None:
    with av.open(await made(Extract.AUDIO, clip)) as container:
        assert not container.streams.video
        audio = container.streams.audio[0]
        assert audio.codec_context.name.startswith("mp3")
        assert sum(frame.samples for frame in container.decode(audio)) / audio.rate == pytest.approx(
            2, abs=0.2
        )


async def test_a_still_frame_is_a_picture(clip: Path) -> None:
    assert sniff(await extract(Extract.STILL, clip)) == "jpg"


async def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    silent = make_video(tmp_path / "silent.mp4", 1, 160, 90, 10, audio=False)
    with pytest.raises(CannotExtract):
        await extract(Extract.AUDIO, silent)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(silent.read_bytes()[:60])
    for what in Extract:
        with pytest.raises(CannotExtract):
            await extract(what, broken)


async def test_an_empty_file_is_no_result(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.media.extracts.run", AsyncMock())
    with pytest.raises(CannotExtract, match="0 bytes"):
        await extract(Extract.AUDIO, clip)


async def test_what_is_too_large_to_be_held_in_memory_is_not_read(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(await extract(Extract.AUDIO, clip))
    monkeypatch.setattr("bot.media.extracts.MAX_BYTES", size - 1)
    with pytest.raises(CannotExtract):
        await extract(Extract.AUDIO, clip)
