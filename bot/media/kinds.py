"""Which kinds of files NemoVideo takes, which are converted for it, and what a file is by all of its signs.

A file has several signs: its content, its name, the type that its sender declares, and how it was sent. None of them
alone decides: names and declared types are often wrong, and cameras and encoders begin files in ways of their own.
"""

from pathlib import PurePath
from typing import Final, Literal

CONTENT_TYPES: Final = {
    "mp4": "video/mp4", "mov": "video/quicktime", "avi": "video/x-msvideo", "webm": "video/webm",
    "mkv": "video/x-matroska", "jpg": "image/jpeg", "png": "image/png", "gif": "image/gif",
    "webp": "image/webp", "mp3": "audio/mpeg", "wav": "audio/wav", "m4a": "audio/mp4", "aac": "audio/aac",
}  # fmt: skip
"""The kinds that NemoVideo takes (the list in its document), with the types that uploads declare."""

CONVERTED: Final = {
    "ogg": "m4a", "amr": "m4a", "caf": "m4a", "ac3": "m4a", "wma": "m4a", "mka": "m4a",
    "flac": "wav", "aiff": "wav", "w64": "wav", "ape": "wav", "wv": "wav",
    "heic": "jpg", "avif": "jpg", "tiff": "jpg", "bmp": "jpg", "jp2": "jpg",
    "ts": "mp4", "mpeg": "mp4", "wmv": "mp4", "flv": "mp4", "rm": "mp4", "ogv": "mp4", "mxf": "mp4", "dv": "mp4",
    "swf": "mp4", "m2v": "mp4", "h264": "mp4", "hevc": "mp4",
}  # fmt: skip
"""What NemoVideo does not take, and what it is converted to: ``conversion.py``."""

Category = Literal["video", "audio", "image", "archive", "document", "web_page", "text", "other"]
"""What people call such a file; each category has texts of its own."""

_NAMES: Final[dict[Category, dict[str, str]]] = {
    "video": {
        "mp4": "mp4 m4v mp4v 3gp 3gpp 3g2 f4v", "mov": "mov qt", "avi": "avi divx", "webm": "webm", "mkv": "mkv",
        "flv": "flv", "wmv": "wmv asf", "ts": "ts mts m2ts m2t tod", "mpeg": "mpg mpeg mpe vob mod",
        "ogv": "ogv ogm", "rm": "rm rmvb", "mxf": "mxf", "dv": "dv dif", "swf": "swf", "m2v": "m2v m1v",
        "h264": "h264 264 avc", "hevc": "hevc 265 h265",
    },
    "audio": {
        "mp3": "mp3 mp2 mpga", "wav": "wav wave bwf rf64", "m4a": "m4a m4b m4p m4r", "aac": "aac adts",
        "ogg": "ogg oga opus spx", "flac": "flac", "aiff": "aiff aif aifc", "amr": "amr awb", "caf": "caf",
        "ac3": "ac3 eac3", "wma": "wma", "mka": "mka weba", "w64": "w64", "ape": "ape", "wv": "wv",
        "midi": "mid midi kar",
    },
    "image": {
        "jpg": "jpg jpeg jpe jfif", "png": "png apng", "gif": "gif", "webp": "webp", "heic": "heic heif hif",
        "avif": "avif", "tiff": "tif tiff", "bmp": "bmp dib", "jp2": "jp2 jpx jpf j2k", "jxl": "jxl", "psd": "psd psb",
        "svg": "svg svgz ai eps", "raw": "raw dng cr2 cr3 nef nrw arw orf rw2 raf pef srw",
    },
    "archive": {"zip": "zip", "rar": "rar", "7z": "7z", "gz": "gz tgz tar bz2 xz"},
    "document": {
        "pdf": "pdf",
        "office": "doc docx xls xlsx ppt pptx odt ods odp pages numbers key wps",
        "rtf": "rtf",
        "epub": "epub",
    },
    "web_page": {"html": "html htm mhtml"},
    "text": {"text": "srt vtt ass md csv json xml log", "playlist": "m3u m3u8 pls"},
    "other": {"exe": "exe msi dll apk dmg"},
}  # fmt: skip
"""Each kind with the file extensions that name it."""

_CATEGORIES: Final[dict[str, Category]] = {
    kind: category for category, kinds in _NAMES.items() for kind in kinds
}
_BY_EXTENSION: Final = {
    extension: kind
    for kinds in _NAMES.values()
    for kind, extensions in kinds.items()
    for extension in extensions.split()
}
_LABELS: Final = {
    "jpg": "JPEG", "heic": "HEIC", "ts": "MPEG-TS", "wmv": "Windows Media (WMV)", "wma": "Windows Media (WMA)",
    "flv": "Flash (FLV)",
    "swf": "Flash (SWF)", "m2v": "MPEG-2", "h264": "H.264", "hevc": "H.265",
    "rm": "RealMedia", "ogv": "Ogg", "office": "Office", "psd": "Photoshop (PSD)",
    "raw": "RAW", "jxl": "JPEG XL", "jp2": "JPEG 2000", "gz": "GZIP",
}  # fmt: skip
"""Proper names of kinds, where they differ from the extension in capitals."""

_BEST: Final[dict[Category, tuple[str, ...]]] = {
    "video": ("mp4", "mov"), "audio": ("mp3", "m4a", "wav"), "image": ("jpg", "png")
}  # fmt: skip
"""What most programs can save a file as, and NemoVideo takes."""

_DECLARED: Final = {declared: kind for kind, declared in CONTENT_TYPES.items()} | {
    "video/3gpp": "mp4", "video/x-m4v": "mp4", "audio/mp3": "mp3", "audio/x-wav": "wav", "audio/vnd.wave": "wav",
    "audio/x-m4a": "m4a", "audio/m4a": "m4a", "audio/x-aac": "aac", "audio/ogg": "ogg", "audio/opus": "ogg",
    "application/ogg": "ogg", "audio/flac": "flac", "audio/x-flac": "flac", "audio/aiff": "aiff",
    "audio/x-aiff": "aiff", "audio/amr": "amr", "audio/x-caf": "caf", "audio/x-ms-wma": "wma", "audio/webm": "mka",
    "audio/x-matroska": "mka", "image/heic": "heic", "image/heif": "heic", "image/avif": "avif",
    "image/tiff": "tiff", "image/bmp": "bmp", "image/x-ms-bmp": "bmp", "video/x-ms-wmv": "wmv", "video/x-flv": "flv",
    "application/mxf": "mxf", "video/x-dv": "dv", "video/dv": "dv", "application/x-shockwave-flash": "swf",
    "video/mp2t": "ts", "video/mpeg": "mpeg", "application/pdf": "pdf", "application/zip": "zip",
}  # fmt: skip

_SENT_AS: Final = {
    "video": "mp4", "video_note": "mp4", "animation": "mp4", "photo": "jpg", "voice": "ogg", "audio": "mp3"
}  # fmt: skip
"""What Telegram's own kinds of media mostly are."""


def is_usable(kind: str | None) -> bool:
    """Return whether NemoVideo takes a kind, converted or not."""
    return kind in CONTENT_TYPES or kind in CONVERTED


def kind_of_name(name: str) -> str | None:
    """Return the kind that a file's name claims, or ``None`` if its extension says nothing."""
    return _BY_EXTENSION.get(PurePath(name).suffix.lower().lstrip("."))


def claimed_kind(name: str, content_type: str, sent_as: str) -> str | None:
    """Return what a file is by everything but its content; what NemoVideo takes is believed first.

    Args:
        name: Its name.
        content_type: The type that its sender declares.
        sent_as: Telegram's kind of media: ``video``, ``document``, …
    """
    by_name, declared = kind_of_name(name), _DECLARED.get(content_type.partition(";")[0].strip().lower())
    if by_name is not None and (is_usable(by_name) or not is_usable(declared)):
        return by_name
    if declared is not None:
        return declared
    major = content_type.partition("/")[0]
    # An unknown type of video is most likely something that NemoVideo's decoders know.
    return _SENT_AS.get(sent_as) or {"video": "mp4", "audio": "mp3"}.get(major)


def kind_of(found: str | None, name: str, content_type: str, sent_as: str) -> str | None:
    """Return what a file is by all of its signs, or ``None`` if unknown.

    Args:
        found: The type by its content (``file_type.sniff``); ``None`` if unknown.
        name: Its name.
        content_type: The type that its sender declares.
        sent_as: Telegram's kind of media: ``video``, ``document``, …
    """
    claimed = claimed_kind(name, content_type, sent_as)
    is_audio = category_of(claimed) == "audio" or sent_as in ("audio", "voice")
    match found:
        case None:
            return claimed
        case "mp4" | "mov" if is_audio:
            # Audio in an MP4 begins as a video does; NemoVideo would look for a video track in it.
            return "m4a"
        case "webm" | "mkv" if is_audio:
            return "mka"
        case "asf":
            return "wma" if is_audio else "wmv"
        case "zip" | "gz" | "text" | "tiff" if claimed is not None and not is_usable(claimed):
            return claimed  # Its own kind is packed, or written, in one of these.
    return found


def category_of(kind: str | None) -> Category:
    """Return what a kind is for people."""
    return _CATEGORIES.get(kind or "", "other")


def label_of(kind: str) -> str:
    """Return a kind's proper name, the same in every language."""
    return _LABELS.get(kind, kind.upper())


def alternatives(kind: str) -> tuple[str, ...]:
    """Return the proper names of what a file of a kind can be saved as instead."""
    return tuple(label_of(best) for best in _BEST.get(category_of(kind), ()) if best != kind)


def fitting_name(name: str, kind: str) -> str:
    """Return a name with the extension of the file's real kind; NemoVideo goes by the extension."""
    path = PurePath(name)
    return name if path.suffix.lower() == f".{kind}" else f"{path.stem or 'file'}.{kind}"
