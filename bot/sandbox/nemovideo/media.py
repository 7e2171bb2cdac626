"""Media files: accepted kinds, their facts, and the URLs they are served at."""

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
    """The kind of a file isn't accepted, or its content isn't what its name says."""


class TooLargeError(Exception):
    """A file is larger than the limit."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Facts of a media file.

    Attributes:
        duration_s: Length in seconds; 0 for an image.
        width: Displayed width in pixels; 0 for audio.
        height: Displayed height in pixels; 0 for audio.
        fps: Frames per second; 0 without any.
    """

    duration_s: float
    width: int
    height: int
    fps: float


@dataclass(frozen=True, slots=True)
class Media:
    """Media that a segment can show or play.

    Attributes:
        kind: Video, image or audio.
        name: Its name for people.
        url: URL it is served at.
        duration_s: Length in seconds; 0 for an image.
        width: Width in pixels; 0 for audio.
        height: Height in pixels; 0 for audio.
    """

    kind: Kind
    name: str
    url: str
    duration_s: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Upload:
    """An accepted file.

    Attributes:
        id: Its ID in this stand-in.
        session_id: ID of its session.
        name: The file name as received.
        content_type: The content type as received.
        kind: Video, image or audio.
        size_bytes: Its size.
        sha256: Digest of its content.
        url: URL it is served at.
        source: ``files`` or ``url``.
        probe: Its facts.
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
        """Return it as media of a segment."""
        probe = self.probe
        return Media(self.kind, self.name, self.url, probe.duration_s, probe.width, probe.height)

    def as_info(self) -> dict[str, Any]:
        """Return its entry in an upload's answer and in ``video_infos``."""
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
    """What a URL serves: a file, or a clip that is painted when somebody fetches it.

    Attributes:
        name: The file's name in the URL.
        path: The file on disk.
        generated: Words and length in seconds of a generated clip.
        render: Whether it is a finished render.
    """

    name: str
    path: Path | None = None
    generated: tuple[str, float] | None = None
    render: bool = False


@dataclass(slots=True)
class MediaStore:
    """URLs that nobody can guess, and what they serve."""

    served: dict[str, Served] = field(default_factory=dict)

    def add(self, base_url: str, served: Served) -> str:
        """Serve something at a new URL.

        Args:
            base_url: This server's base URL, as the client knows it.
            served: What to serve.

        Returns:
            The whole URL.
        """
        key = secrets.token_urlsafe(18)
        self.served[key] = served
        return f"{base_url}/media/{key}/{served.name}"

    def find(self, url: str) -> Served | None:
        """Return what one of our URLs serves, with any host."""
        _, _, rest = url.partition("/media/")
        return self.served.get(rest.partition("/")[0])


def kind_of(name: str, content_type: str) -> Kind:
    """Return the kind by a name's suffix, or by the content type without one.

    Args:
        name: The file's name.
        content_type: The declared content type.

    Raises:
        NotTakenError: The kind isn't accepted.
    """
    kind = KINDS.get(suffix_of(name, content_type))
    if kind is None:
        raise NotTakenError(f"Unsupported file type: {name}")
    return kind


def suffix_of(name: str, content_type: str) -> str:
    """Return a name's suffix without its dot in lower case, or one for the content type."""
    _, dot, suffix = name.rpartition(".")
    if dot:
        return suffix.lower()
    bare = content_type.partition(";")[0].strip().lower()
    return next((key for key, value in CONTENT_TYPES.items() if value == bare), "")


def probe(path: Path, kind: Kind) -> Probe:
    """Read the facts of a file. Blocking.

    Args:
        path: The file.
        kind: The kind it should be.

    Raises:
        NotTakenError: The content is of another kind.
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
