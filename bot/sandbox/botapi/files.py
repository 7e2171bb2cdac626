"""Telegram's files on disk, and the file IDs that bots get."""

import base64
import binascii
import contextlib
import hashlib
import itertools
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.sandbox.botapi.errors import bad_request

CLOUD_DOWNLOAD_BYTES = 20 * 1024 * 1024
CLOUD_UPLOAD_BYTES = 50 * 1024 * 1024
LOCAL_BYTES = 2000 * 1024 * 1024
LINK_BYTES = 20 * 1024 * 1024
LINK_PHOTO_BYTES = 5 * 1024 * 1024
PHOTO_BYTES = 10 * 1024 * 1024

FOLDERS = {
    "photo": "photos",
    "video": "videos",
    "audio": "music",
    "document": "documents",
    "animation": "animations",
    "voice": "voice",
    "video_note": "video_notes",
    "sticker": "stickers",
    "thumbnail": "thumbnails",
    "live_photo": "live_photos",
}
TYPE_NAMES = {
    "photo": "Photo",
    "video": "Video",
    "audio": "Audio",
    "document": "Document",
    "animation": "Animation",
    "voice": "VoiceNote",
    "video_note": "VideoNote",
    "sticker": "Sticker",
    "thumbnail": "Thumbnail",
    "live_photo": "LivePhoto",
}
EXTENSIONS = {
    "photo": ".jpg",
    "thumbnail": ".jpg",
    "video": ".mp4",
    "animation": ".mp4",
    "live_photo": ".mp4",
    "video_note": ".mp4",
    "voice": ".oga",
    "audio": ".mp3",
    "sticker": ".webp",
}
_CODES = {kind: code for code, kind in enumerate(FOLDERS)}
_KINDS = dict(enumerate(FOLDERS))
_CANONICAL = 0
"""The bot ID inside of the stand-in's own file IDs; each bot gets different ones."""


@dataclass(slots=True)
class StoredFile:
    """A file that Telegram has.

    Attributes:
        number: The file's number, from 1.
        path: The file on disk.
        file_path: Its path below ``/file/bot…``.
        media: Its media object, without the sizes of a photo; ``file_size`` may be wrong if a test wants that.
        size: Its real size in bytes.
    """

    number: int
    kind: str
    path: Path
    file_path: str
    size: int
    media: dict[str, Any] = field(default_factory=dict)
    _sha256: str = ""

    @property
    def file_id(self) -> str:
        """The stand-in's own file ID."""
        return _encode(self.kind, self.number, _CANONICAL)

    @property
    def unique_id(self) -> str:
        """The file ID that is the same for every bot."""
        return "AgAD" + base64.urlsafe_b64encode(self.number.to_bytes(8, "big")).decode().rstrip("=")

    def sha256(self) -> str:
        """Return the digest of the content; reads the file unless the digest is known."""
        if not self._sha256:
            with self.path.open("rb") as handle:
                self._sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        return self._sha256


class FileStore:
    """All files, below a directory.

    Args:
        directory: An absolute path; created if missing.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.incoming = directory / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count(1)
        self._files: dict[int, StoredFile] = {}
        self._paths: dict[str, StoredFile] = {}

    def adopt(self, path: Path, kind: str, name: str, *, keep: bool = False, sha256: str = "") -> StoredFile:
        """Add a file, without copying it if the file system allows.

        Args:
            path: The file, which is moved into the store.
            kind: A media kind, such as ``video``.
            name: The file's name, whose suffix is kept.
            keep: Whether to leave the original in place and use a hard link, or a copy across file systems.
            sha256: The content's digest, if known.
        """
        number = next(self._numbers)  # Threads add several files at a time.
        suffix = Path(name).suffix.lower()
        if not suffix.isascii() or not 1 < len(suffix) < 9:
            suffix = EXTENSIONS.get(kind, "")
        file_path = f"{FOLDERS[kind]}/file_{number}{suffix}"
        target = self.directory / file_path
        target.parent.mkdir(exist_ok=True)
        if not keep:
            path.rename(target)
        else:
            target.unlink(missing_ok=True)
            try:
                os.link(path, target)
            except OSError:
                shutil.copyfile(path, target)
        stored = StoredFile(number, kind, target, file_path, target.stat().st_size, _sha256=sha256)
        self._files[number] = stored
        self._paths[file_path] = stored
        return stored

    def local_copy(self, file: StoredFile, token: str) -> Path:
        """Return a local server's own copy, fetched again if it was deleted.

        Args:
            file: The file.
            token: Token of the bot that asks, which is the name of its directory.
        """
        copy = self.directory / token / file.file_path
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file.path, copy)
            except OSError:
                shutil.copyfile(file.path, copy)
        return copy

    def find_path(self, file_path: str) -> StoredFile | None:
        """Return the file with a ``file_path``."""
        return self._paths.get(file_path)

    def find(self, file_id: str, bot_id: int) -> StoredFile:
        """Return the file with a file ID.

        Args:
            file_id: The ID that a bot got.
            bot_id: ID of the bot that uses it; 0 for the control API, which may use any.

        Raises:
            ApiError: The ID is invalid or another bot's, or the file is gone.
        """
        try:
            kind, number, owner = _decode(file_id)
        except (ValueError, binascii.Error):
            raise bad_request("wrong remote file identifier specified: Wrong padding in the string") from None
        stored = self._files.get(number)
        if stored is None or stored.kind != kind or bot_id not in {_CANONICAL, owner}:
            raise bad_request("wrong remote file identifier specified: can't unserialize it")
        return stored

    def id_for(self, bot_id: int, file_id: str) -> str:
        """Return the bot's own file ID for one of the stand-in's."""
        with contextlib.suppress(ValueError, binascii.Error):
            kind, number, _ = _decode(file_id)
            return _encode(kind, number, bot_id)
        return file_id


def _encode(kind: str, number: int, bot_id: int) -> str:
    packed = b"".join(
        [bytes([_CODES[kind], 0x5A]), number.to_bytes(6, "big"), bot_id.to_bytes(8, "big"), b"\x2a\x7f"]
    )
    check = hashlib.blake2s(packed, digest_size=6).digest()
    return "BAACAgIAAx" + base64.urlsafe_b64encode(packed + check).decode()


def _decode(file_id: str) -> tuple[str, int, int]:
    raw = base64.b64decode(file_id.removeprefix("BAACAgIAAx"), altchars=b"-_", validate=True)
    packed, check = raw[:-6], raw[-6:]
    if len(raw) != 24 or hashlib.blake2s(packed, digest_size=6).digest() != check:
        raise ValueError("not one of ours")
    return _KINDS[packed[0]], int.from_bytes(packed[2:8], "big"), int.from_bytes(packed[8:16], "big")
