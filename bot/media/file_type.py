"""The type of a media file by its first bytes, whatever its name or declared type says."""

from typing import Literal

FileType = Literal[
    "mp4", "mov", "webm", "mkv", "avi", "jpg", "png", "gif", "webp",
    "mp3", "wav", "m4a", "aac", "ogg", "flac", "aiff",
]  # fmt: skip
"""Types of media, named like their usual file extensions."""

SNIFF_BYTES = 64  # how many first bytes :func:`sniff` needs
MAX_STILL_PIXELS = 300_000_000  # of an image that is passed on; phones take up to 200 million


def sniff(first_bytes: bytes) -> FileType | None:
    """Return the type of a file, or ``None`` if it is none of :data:`FileType`.

    Args:
        first_bytes: At least :data:`SNIFF_BYTES` bytes, or the whole of a smaller file.
    """
    head = first_bytes[:SNIFF_BYTES]
    for magic, file_type in _MAGIC:
        if head.startswith(magic):
            return file_type
    match head[:4], head[4:8], head[8:12]:
        case b"RIFF", _, b"WEBP":
            return "webp"
        case b"RIFF", _, b"WAVE":
            return "wav"
        case b"RIFF", _, b"AVI ":
            return "avi"
        case b"FORM", _, b"AIFF" | b"AIFC":
            return "aiff"
        case b"\x1aE\xdf\xa3", _, _:
            return "webm" if b"webm" in head else "mkv" if b"matroska" in head else None
        case _, b"ftyp", brand:
            return _type_of_brand(brand)
        case _, b"moov" | b"mdat" | b"wide" | b"pnot", _:
            return "mov"  # QuickTime older than the file type box
    return _type_of_audio_frame(head)


def is_decompression_bomb(first_bytes: bytes) -> bool:
    """Whether an image is a decompression bomb: a few kB of PNG may hold an image of 4 GB.

    The types that compress so well declare their size in the first bytes. JPEG declares it later, and compresses less.

    Args:
        first_bytes: As for :func:`sniff`.
    """
    head = first_bytes[:SNIFF_BYTES]
    match sniff(head), head[12:16]:
        case "png", b"IHDR":
            width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        case "gif", _:
            width, height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
        case "webp", b"VP8X":
            width = int.from_bytes(head[24:27], "little") + 1
            height = int.from_bytes(head[27:30], "little") + 1
        case _:
            return False  # Other WebP has 14 bits for each side.
    return width * height > MAX_STILL_PIXELS


_MAGIC: tuple[tuple[bytes, FileType], ...] = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"ID3", "mp3"),
)
_MP4_BRANDS = (
    b"iso", b"mp4", b"mp7", b"mmp4", b"avc", b"M4V", b"dash", b"cmf", b"MSNV", b"f4v", b"F4V", b"3g"
)  # fmt: skip


def _type_of_brand(brand: bytes) -> FileType | None:
    # Registered brands: https://mp4ra.org/registered-types/brands
    if brand == b"qt  ":
        return "mov"
    if brand in (b"M4A ", b"M4B ", b"M4P "):
        return "m4a"
    return "mp4" if brand.startswith(_MP4_BRANDS) else None


def _type_of_audio_frame(head: bytes) -> FileType | None:
    # MPEG audio frames start with 11 or 12 set bits, then version and layer; ADTS has layer 0, MP3 layer III.
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "aac"
    is_layer_3 = head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08
    has_bitrate = head[2] & 0xF0 not in (0x00, 0xF0) and head[2] & 0x0C != 0x0C
    return "mp3" if is_layer_3 and has_bitrate else None
