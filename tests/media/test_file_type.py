from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.media.file_type import MAX_STILL_PIXELS, is_decompression_bomb, sniff
from bot.sandbox import samples


@pytest.mark.parametrize(
    ("head", "file_type"),
    [
        (b"\x00\x00\x00\x20ftypisom", "mp4"),
        (b"\x00\x00\x00\x20ftypmp42", "mp4"),
        (b"\x00\x00\x00\x20ftypM4V ", "mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "mov"),
        (b"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat", "mov"),
        (b"\x00\x00\x00\x20ftypM4A ", "m4a"),
        (b"\x00\x00\x00\x20ftypXAVC\x01\x00\x1f\xffXAVCmp42iso2", "mp4"),
        (b"\x00\x00\x00\x20ftyphvc1", "mp4"),
        (b"\x00\x00\x00\x20ftypabcd", "mp4"),  # nobody knows it
        (b"\x00\x00\x00\x08free\x00\x00\x00\x20ftypisom", "mp4"),
        (b"\x00\x00\x00\x0cskip1234\x00\x00\x00\x20ftypqt  ", "mov"),
        (b"\x00\x00\x00\x18uuid" + bytes(16) + b"\x00\x00\x00\x20ftypmp42", "mp4"),
        (b"\x00\x00\x00\x01free" + (20).to_bytes(8, "big") + bytes(4) + b"\x00\x00\x00\x20ftypmp42", "mp4"),
        (b"\x00\x00\x10\x00moof", "mp4"),
        (b"\x00\x00\x00\x20ftypavif", "avif"),
        (b"\x00\x00\x00\x20ftypmif1\x00\x00\x00\x00mif1avifmiaf", "avif"),
        (b"\x00\x00\x00\x20ftypheic\x00\x00\x00\x00mif1heic", "heic"),
        (b"\x00\x00\x00\x20ftypMiHE\x00\x00\x00\x00mif1heic", "heic"),
        (b"\x00\x00\x00\x20ftypcrx \x00\x00\x00\x01crx isom", "raw"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "mkv"),
        (b"\x1aE\xdf\xa3\x9f\xec\x81\x00", "mkv"),  # what follows is far away
        (b"RIFF\x00\x00\x00\x00AVI LIST", "avi"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "wav"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "jpg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"GIF89a", "gif"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\xff\xf9\x50\x80", "aac"),
        (b"OggS\x00\x02", "ogg"),
        (bytes(417) + b"\xff\xfb\x90\x64", "mp3"),
        (bytes(512) + b"\x00\x00\x00\x20ftypisom", "mp4"),
        (bytes(3) + b"\x00\x00\x00\x14ftypqt  ", "mov"),
        (bytes(16) + b"\x00\x00\x01\xba\x44", "mpeg"),
        (bytes(44) + b"RIFF\x00\x00\x00\x00WAVEfmt ", "wav"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x05" + bytes(5) + b"\x00\x00\x00\x20ftypM4A ", "m4a"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x05" + bytes(5) + b"fLaC", "flac"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x05" + bytes(5) + b"\xff\xf1\x50\x80", "aac"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x05" + bytes(35) + b"\xff\xfb\x90\x64", "mp3"),
        (b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(90), None),  # a tag longer than what is read
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"BW64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"#!AMR\n", "amr"),
        (b"\x47" + bytes(187) + b"\x47" + bytes(187) + b"\x47" + bytes(187) + b"\x47", "ts"),
        ((bytes(4) + b"\x47" + bytes(187)) * 4, "ts"),
        ((b"\x47" + bytes(203)) * 4, "ts"),
        (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02\x04\x00", "mxf"),
        (b"\x1f\x07\x00\x3f\xf8", "dv"),
        (b"CWS\x09\x39\x12\x00\x00\x78\xda", "swf"),
        (b"CWS is a school in town", "text"),
        (b"\x00\x00\x01\xb3\x04\x00", "m2v"),
        (b"\x00\x00\x00\x01\x67\x64\x00\x28", "h264"),
        (b"\x00\x00\x01\x27\x42\xe0\x1e", "h264"),
        (b"\x00\x00\x00\x01\x09\xf0\x00\x00\x00\x01\x67", "h264"),
        (b"\x00\x00\x00\x01\x40\x01\x0c\x01", "hevc"),
        (b"\x00\x00\x01\x00\x01\x00\x10\x10", None),  # an icon
        (b"<!DOCTYPE html><html>", "html"),
        (b"#!/bin/sh\necho it is a text\n", "text"),
        (bytes(64), None),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00" * 6500, "mp3"),  # nothing but tags
        (b"\xff\xeb\x90\x64", None),  # an MPEG version that does not exist
        (b"\xff\xfe\x41\x00\x42\x00", None),
        (b"%PDF-1.7", "pdf"),
        (b"PK\x03\x04", "zip"),
        (b"", None),
    ],
)
def test_the_type_by_the_first_bytes(head: bytes, file_type: str | None) -> None:
    assert sniff(head) == file_type


@pytest.mark.parametrize("file_type", ["mp4", "jpg", "png", "gif", "webp", "mp3", "m4a", "aac", "wav", "ogg"])
def test_the_type_of_real_files(tmp_path: Path, file_type: str) -> None:
    path = tmp_path / f"sample.{file_type}"
    match file_type:
        case "mp4":
            samples.make_video(path, 0.5)
        case "jpg" | "png" | "gif" | "webp":
            samples.make_photo(path)
        case _:
            samples.make_audio(path, 0.5)
    assert sniff(path.read_bytes()) == file_type


@given(st.binary(max_size=100))
def test_any_bytes_can_be_sniffed(head: bytes) -> None:
    sniff(head)


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")


def webp(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + sides


@pytest.mark.parametrize(
    ("head", "is_bomb"),
    [
        (png(MAX_STILL_PIXELS // 20_000, 20_000), False),
        (png(MAX_STILL_PIXELS // 20_000 + 1, 20_000), True),
        (gif(15_000, 20_000), False),
        (gif(15_001, 20_000), True),
        (webp(15_000, 20_000), False),
        (webp(15_001, 20_000), True),
        (b"\xff\xd8\xff\xe0" + b"\xff" * 60, False),
        (b"", False),
    ],
)  # fmt: skip
def test_an_image_that_declares_too_many_pixels_is_a_bomb(head: bytes, is_bomb: bool) -> None:
    assert is_decompression_bomb(head) is is_bomb


def test_a_text_that_is_cut_within_a_character_is_one() -> None:
    assert sniff(b"a" + "é".encode() * 4000) == "text"


def test_a_tag_may_have_a_footer() -> None:
    tag = b"ID3\x04\x00\x10" + bytes(4) + b"3DI\x04\x00\x10" + bytes(4)
    assert sniff(tag + b"fLaC" + bytes(30)) == "flac"
