"""Files: what kinds are taken, what is in them, and the addresses they are served at."""

import contextlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import av
from PIL import Image

Kind = Literal["video", "image", "audio"]

KINDS: dict[str, Kind] = {
    "mp4": "video",
    "mov": "video",
    "avi": "video",
    "webm": "video",
    "mkv": "video",
    "jpg": "image",
    "jpeg": "image",
    "png": "image",
    "gif": "image",
    "webp": "image",
    "mp3": "audio",
    "wav": "audio",
    "m4a": "audio",
    "aac": "audio",
}
CONTENT_TYPES = {
    "aac": "audio/aac",
    "avi": "video/x-msvideo",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "m4a": "audio/mp4",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "png": "image/png",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
}


class NotTakenError(Exception):
    """A file of a kind that is not taken, or one that is not what its name says."""


class TooLargeError(Exception):
    """A file above the limit."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What is in a file.

    Attributes:
        duration_s: Its length; 0 for a picture.
        width: As it is shown, rotation minded; 0 for sound.
        height: As it is shown.
        fps: Frames a second; 0 where there are none.
    """

    duration_s: float
    width: int
    height: int
    fps: float


@dataclass(frozen=True, slots=True)
class Media:
    """Something that a segment can show or play.

    Attributes:
        kind: What it is.
        name: What a person calls it.
        url: Where it is served.
        duration_s: Its length; 0 for a picture.
        width: In pixels, 0 for sound.
        height: In pixels, 0 for sound.
    """

    kind: Kind
    name: str
    url: str
    duration_s: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was taken.

    Attributes:
        id: Its name in this stand-in.
        session_id: Where it went.
        name: The file name as it came.
        content_type: The content type as it came.
        kind: What it is.
        size_bytes: How long it is.
        sha256: Of its bytes.
        url: Where it is served.
        source: ``files`` or ``url``.
        probe: What is in it.
    """

    id: str
    session_id: str
    name: str
    content_type: str
    kind: Kind
    size_bytes: int
    sha256: str
    url: str
    source: Literal["files", "url"]
    probe: Probe

    def as_media(self) -> Media:
        """What a segment made of it shows."""
        probe = self.probe
        return Media(self.kind, self.name, self.url, probe.duration_s, probe.width, probe.height)

    def as_info(self) -> dict[str, Any]:
        """The entry in an upload's answer and in ``video_infos``."""
        return {
            "filename": self.name,
            "file_type": self.kind,
            "cdn_url": self.url,
            "duration": self.probe.duration_s,
            "width": self.probe.width,
            "height": self.probe.height,
            "fps": self.probe.fps,
            "hash": self.sha256,
        }


@dataclass(frozen=True, slots=True)
class Served:
    """What lies behind an address: a file, or a clip that is painted when somebody fetches it.

    Attributes:
        name: The file's name in the address.
        path: The file.
        generated: The words of a generated clip and its length in seconds.
        render: Whether it is a finished export.
    """

    name: str
    path: Path | None = None
    generated: tuple[str, float] | None = None
    render: bool = False


@dataclass(slots=True)
class MediaStore:
    """Addresses nobody can guess, and what lies behind them."""

    served: dict[str, Served] = field(default_factory=dict)

    def add(self, base_url: str, served: Served) -> str:
        """Give something an address.

        Args:
            base_url: This server's, as the client knows it.
            served: What lies there.

        Returns:
            The whole address.
        """
        key = secrets.token_urlsafe(18)
        self.served[key] = served
        return f"{base_url}/media/{key}/{served.name}"

    def find(self, url: str) -> Served | None:
        """What lies at one of our addresses, whatever the host in front of it."""
        _, _, rest = url.partition("/media/")
        return self.served.get(rest.partition("/")[0])


def kind_of(name: str, content_type: str) -> Kind:
    """Tell the kind by the name's ending, or by the content type when the name has none.

    Args:
        name: The file's name.
        content_type: As declared.

    Raises:
        NotTakenError: Neither is one that is taken.
    """
    kind = KINDS.get(suffix_of(name, content_type))
    if kind is None:
        raise NotTakenError(f"Unsupported file type: {name}")
    return kind


def suffix_of(name: str, content_type: str) -> str:
    """The ending without its dot, in lower case; from the content type when the name has none."""
    _, dot, suffix = name.rpartition(".")
    if dot:
        return suffix.lower()
    bare = content_type.partition(";")[0].strip().lower()
    return next((key for key, value in CONTENT_TYPES.items() if value == bare), "")


def probe(path: Path, kind: Kind) -> Probe:
    """Look into a file; blocking.

    Args:
        path: The file.
        kind: What it should be.

    Raises:
        NotTakenError: It is not what it should be.
    """
    try:
        return _probe_image(path) if kind == "image" else _probe_streams(path, kind)
    except (OSError, ValueError, EOFError, SyntaxError, av.FFmpegError) as error:
        raise NotTakenError(f"The file is not a valid {kind}") from error


def _probe_image(path: Path) -> Probe:
    with Image.open(path) as picture:
        picture.verify()
        return Probe(0.0, picture.width, picture.height, 0.0)


def _probe_streams(path: Path, kind: Kind) -> Probe:
    with av.open(path) as file:
        duration_s = round((file.duration or 0) / av.time_base, 3)
        if kind == "audio":
            next(file.decode(audio=0))
            return Probe(duration_s, 0, 0, 0.0)
        stream = file.streams.video[0]
        frame = None
        with contextlib.suppress(StopIteration):
            frame = next(file.decode(stream))
        if frame is None:
            raise NotTakenError("The video has no picture")
        width, height = frame.width, frame.height
        if frame.rotation % 180:
            width, height = height, width
        return Probe(duration_s, width, height, float(round(stream.average_rate or 0, 3)))
