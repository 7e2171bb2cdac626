import io
import os
import struct
from array import array
from pathlib import Path
from typing import Literal
from unittest.mock import Mock

import av
import pytest
from av.stream import Disposition

from bot.media import audio_conversion
from bot.media.conversion import convert_file
from bot.media.errors import AudioTooLong, FileTypeUnsupported
from bot.sandbox import samples
from tests.media import decoders


async def converted(path: Path, kind: str) -> av.container.InputContainer:
    with path.open("rb") as source, path.with_suffix(".made").open("w+b") as target:
        size = await convert_file(source, kind, target, path.name)
        assert target.tell() == 0
        content = target.read()
    assert size == len(content)
    return av.open(io.BytesIO(content), "r")


async def test_a_voice_message_becomes_m4a_of_the_same_length(tmp_path: Path) -> None:
    path = samples.make_audio(tmp_path / "voice.ogg", 3)
    with await converted(path, "ogg") as made:
        stream = made.streams.audio[0]
        assert (stream.codec_context.name, stream.channels) == ("aac", 1)
        assert float(made.duration or 0) / av.time_base == pytest.approx(3, abs=0.1)
        samples_of = [array("f", bytes(frame.planes[0])) for frame in made.decode(audio=0)]
        assert max(max(piece) for piece in samples_of) > 0.1


async def test_a_lossless_file_becomes_wav_and_loses_nothing(tmp_path: Path) -> None:
    path = samples.make_audio(tmp_path / "song.flac", 1)
    with await converted(path, "flac") as made, av.open(path) as given:
        before = b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in given.decode(audio=0))
        after = b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in made.decode(audio=0))
        assert made.streams.audio[0].codec_context.name == "pcm_s16le"
    assert len(after) == 2 * samples.SAMPLE_RATE
    assert after == before


@pytest.mark.parametrize(("first", "second"), [("mono", "stereo"), ("stereo", "mono"), ("mono", "mono")])
async def test_every_link_of_a_chained_ogg_is_heard(
    tmp_path: Path, first: Literal["mono", "stereo"], second: Literal["mono", "stereo"]
) -> None:
    path = tmp_path / "radio.ogg"
    links = [
        samples.make_audio(tmp_path / f"{n}.ogg", 1, layout=one) for n, one in enumerate((first, second))
    ]
    path.write_bytes(b"".join(link.read_bytes() for link in links))
    with await converted(path, "ogg") as made:
        assert float(made.duration or 0) / av.time_base == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("kind", ["caf", "amr", "wma", "mka", "wv", "w64"])
async def test_other_kinds_of_audio_are_converted(tmp_path: Path, kind: str) -> None:
    path = samples.make_audio(tmp_path / f"song.{kind}", 1)
    with await converted(path, kind) as made:
        assert float(made.duration or 0) / av.time_base == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("content", [b"OggS" + bytes(500), b"", b"OggS"])
async def test_a_file_without_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "voice.ogg"
    path.write_bytes(content)
    with pytest.raises(FileTypeUnsupported):
        await converted(path, "ogg")


def ogg_page(serial: int, packet: bytes) -> bytes:
    """The first page of a stream, which holds one packet; RFC 3533, section 6."""
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    head = b"OggS" + struct.pack("<BBqIII", 0, 2, 0, serial, 0, 0) + bytes([len(lacing)]) + lacing
    checksum = 0
    for byte in head + packet:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = checksum << 1 ^ (0x04C11DB7 if checksum >> 31 else 0)
            checksum &= 0xFFFFFFFF
    return head[:22] + struct.pack("<I", checksum) + head[26:] + packet


async def test_a_video_in_ogg_is_refused(tmp_path: Path) -> None:
    path = samples.make_audio(tmp_path / "video.ogg", 1)
    # The identification header of Theora 3.2.1, for 32 × 32 pixels and 25 frames a second.
    theora = bytes.fromhex("807468656f7261 030201 0002 0002 000020 000020 0000 00000019 00000001")
    theora += bytes.fromhex("000001 000001 00 000000 0000")
    path.write_bytes(ogg_page(777, theora) + path.read_bytes())
    with av.open(path) as given:
        assert [stream.type for stream in given.streams] == ["video", "audio"]
    with pytest.raises(FileTypeUnsupported):
        await converted(path, "ogg")


async def test_audio_that_crashes_the_decoder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_conversion, "convert", decoders.abort)
    with pytest.raises(FileTypeUnsupported):
        await converted(samples.make_audio(tmp_path / "voice.ogg", 1), "ogg")


async def test_audio_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_conversion, "MAX_AUDIO_S", 1)
    path = samples.make_audio(tmp_path / "long.ogg", 3)
    with pytest.raises(AudioTooLong) as refused:
        await converted(path, "ogg")
    assert refused.value.limit_s == pytest.approx(1, abs=0.1)


def test_audio_that_becomes_too_large_ends_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_conversion, "MAX_CONVERTED_BYTES", 50_000)
    path = samples.make_audio(tmp_path / "long.flac", 3)
    source, target = (
        os.open(path.with_suffix(ending), os.O_RDWR | os.O_CREAT) for ending in (".flac", ".wav")
    )
    ended_s = audio_conversion.convert(source, target, "flac", 60)
    assert ended_s is not None
    assert ended_s < 2


@pytest.mark.parametrize(
    ("bits", "rate_hz", "target", "expected"),
    [
        (24, 96_000, "wav", ("pcm_s24le", 96_000)),
        (16, 44_100, "wav", ("pcm_s16le", 44_100)),
        (16, 44_100, "m4a", ("aac", 44_100)),
        (16, 12_345, "m4a", ("aac", audio_conversion.MAX_RATE_HZ)),  # AAC has no such rate.
    ],
)
def test_what_a_format_has_is_kept_as_far_as_the_target_can(
    bits: int, rate_hz: int, target: str, expected: tuple[str, int]
) -> None:
    audio = Mock(rate=rate_hz, channels=1, format=Mock(bits=bits), layout=av.AudioLayout("mono"))
    with av.open(io.BytesIO(), "w", format=audio_conversion._MUXERS[target]) as output:
        audio_conversion._encoder_for(audio, output, target)
        made = output.streams.audio[0].codec_context
        assert (made.name, made.sample_rate) == expected


def test_the_cover_of_a_song_makes_it_no_video() -> None:
    cover, film = (Mock(disposition=one) for one in (Disposition.attached_pic, Disposition.default))
    song = Mock()
    assert audio_conversion._audio_of(Mock(streams=Mock(video=[cover], audio=[song]))) is song
    with pytest.raises(ValueError, match="no audio"):
        audio_conversion._audio_of(Mock(streams=Mock(video=[cover, film], audio=[song])))
