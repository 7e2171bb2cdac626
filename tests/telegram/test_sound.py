import asyncio
import io
from array import array
from pathlib import Path

import av
import pytest

from bot.jobs.ports import FileNotTaken, SoundTooLong
from bot.sandbox import samples
from bot.telegram import sound
from bot.telegram.sound import convert
from tests.clocks import eventually


async def converted(path: Path, kind: str, wanted: str) -> av.container.InputContainer:
    target = io.BytesIO()
    with path.open("rb") as source:
        size = await convert(source, kind, target, wanted, path.name)
    assert (target.tell(), size) == (0, len(target.getvalue()))
    return av.open(target, "r")


async def test_a_voice_becomes_m4a_of_the_same_length(tmp_path: Path) -> None:
    path = samples.make_audio(tmp_path / "voice.ogg", 3)
    with await converted(path, "ogg", "m4a") as made:
        stream = made.streams.audio[0]
        assert (stream.codec_context.name, stream.channels) == ("aac", 1)
        assert float(made.duration or 0) / av.time_base == pytest.approx(3, abs=0.1)
        samples_of = [array("f", bytes(frame.planes[0])) for frame in made.decode(audio=0)]
        assert max(max(piece) for piece in samples_of) > 0.1


async def test_a_lossless_file_becomes_wav_and_loses_nothing(tmp_path: Path) -> None:
    path = samples.make_audio(tmp_path / "song.flac", 1)
    with await converted(path, "flac", "wav") as made, av.open(path) as given:
        before = b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in given.decode(audio=0))
        after = b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in made.decode(audio=0))
        assert made.streams.audio[0].codec_context.name == "pcm_s16le"
    assert len(after) == 2 * samples.SAMPLE_RATE
    assert after == before


@pytest.mark.parametrize("content", [b"OggS" + bytes(500), b"", b"OggS"])
async def test_what_holds_no_sound_is_not_taken(content: bytes) -> None:
    with pytest.raises(FileNotTaken):
        await convert(io.BytesIO(content), "ogg", io.BytesIO(), "m4a", "voice.ogg")


async def test_sound_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "MAX_SOUND_S", 1)
    path = samples.make_audio(tmp_path / "long.ogg", 3)
    with path.open("rb") as source, pytest.raises(SoundTooLong) as refused:
        await convert(source, "ogg", io.BytesIO(), "m4a", "long.ogg")
    assert refused.value.limit_s == pytest.approx(1, abs=0.1)


async def test_a_cancelled_conversion_has_ended_when_its_files_are_closed(tmp_path: Path) -> None:
    path = samples.make_audio(tmp_path / "long.ogg", 120)
    reads: list[int] = []

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            reads.append(1)
            return super().read(size)

    work = asyncio.create_task(convert(Counted(path.read_bytes()), "ogg", io.BytesIO(), "m4a", "long.ogg"))
    await eventually(lambda: reads)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    read = len(reads)
    await asyncio.sleep(0.05)
    assert len(reads) == read
