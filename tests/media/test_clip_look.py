"""How clips look on a timeline."""

import wave
from pathlib import Path

import pytest
from PIL import Image

from bot.media.clip_look import FRAME_PX, MAX_FRAMES, ClipLook, read_clip_look
from bot.media.decoder_process import NotDecoded
from bot.sandbox.samples import make_audio
from tests.media.test_video_facts import make_video, plain


async def look(path: Path) -> ClipLook:
    with path.open("rb") as file:
        return await read_clip_look(file)


async def test_a_video_has_frames_from_beginning_to_end(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make_video(path, [plain("red")] * 10 + [plain("blue")] * 10)
    found = await look(path)
    assert len(found.frames) == MAX_FRAMES
    assert found.duration_s > 0
    for frame in found.frames:
        assert len(frame.rgb) == frame.width * FRAME_PX * 3
    first, last = found.frames[0].rgb[:3], found.frames[-1].rgb[:3]
    assert first[0] > first[2]
    assert last[2] > last[0]


async def test_a_picture_is_its_only_frame(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (40, 20), "green").save(path)
    (frame,) = (await look(path)).frames
    assert frame.width == 2 * FRAME_PX


async def test_audio_has_its_loudness(tmp_path: Path) -> None:
    path = tmp_path / "tone.mp3"
    make_audio(path, seconds=2)
    found = await look(path)
    assert found.frames == ()
    assert found.duration_s == pytest.approx(2, abs=0.2)
    assert max(found.levels) == 1


async def test_silence_has_no_loudness(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "silence.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))
    assert set((await look(tmp_path / "silence.wav")).levels) == {0}


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x89PNG\r\n\x1a\nbroken"])
async def test_anything_else_is_not_pictured(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(NotDecoded):
        await look(path)
