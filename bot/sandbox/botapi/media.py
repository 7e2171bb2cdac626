"""Turn an upload, a URL, a local path or a file ID into a message's media object."""

import asyncio
import mimetypes
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from bot.sandbox.botapi import probe
from bot.sandbox.botapi.context import Context
from bot.sandbox.botapi.errors import ApiError, bad_request
from bot.sandbox.botapi.files import (
    LINK_BYTES,
    LINK_PHOTO_BYTES,
    PHOTO_BYTES,
    TYPE_NAMES,
    FileStore,
    StoredFile,
)
from bot.sandbox.botapi.params import Params, Upload
from bot.sandbox.botapi.state import Json

_DECLARED: dict[str, tuple[str, ...]] = {
    "photo": (),
    "video": ("width", "height", "duration", "start_timestamp"),
    "animation": ("width", "height", "duration"),
    "live_photo": ("width", "height", "duration"),
    "audio": ("duration", "performer", "title"),
    "voice": ("duration",),
    "video_note": ("duration", "length"),
    "document": (),
    "sticker": ("emoji",),
}
_NUMBERS = frozenset({"width", "height", "duration", "length", "start_timestamp"})
_NEEDED: dict[str, tuple[str, ...]] = {
    "video": ("width", "height", "duration"),
    "animation": ("width", "height", "duration"),
    "live_photo": ("width", "height", "duration"),
    "audio": ("duration",),
    "voice": ("duration",),
    "video_note": ("length", "duration"),
    "sticker": ("width", "height"),
}
_SHOWN = frozenset({"video", "animation", "live_photo", "video_note"})
"""Kinds that Telegram makes a thumbnail of if the client sends none."""

_DEFAULT_TYPE = {
    "video": "video/mp4",
    "animation": "video/mp4",
    "live_photo": "video/mp4",
    "audio": "audio/mpeg",
    "voice": "audio/ogg",
}
_NAMED = frozenset({"video", "animation", "audio", "document"})
_FETCH_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file on its way into the store.

    Attributes:
        path: The file on disk now.
        keep: Whether it belongs to somebody else and has to stay there.
    """

    path: Path
    name: str
    size: int
    content_type: str = ""
    sha256: str = ""
    keep: bool = False


def from_upload(upload: Upload) -> Incoming:
    """Return an upload as a file on its way into the store."""
    return Incoming(upload.path, upload.name, upload.size, upload.content_type, upload.sha256)


async def from_request(context: Context, kind: str, field: str, options: Params | None = None) -> Json:
    """Return the media that a request sends.

    Args:
        context: The request.
        kind: ``video``, ``photo``, ...
        field: Name of the parameter with the file; ``media`` in an album's item.
        options: Width, duration, thumbnail and so on; by default the request's parameters.

    Returns:
        The fields of the message: ``{"video": {...}}``.

    Raises:
        ApiError: The file is missing, or can't be sent like this.
    """
    options = options or context.params
    value = options.text(field)
    upload = context.params.uploads.get(field) if options is context.params else None
    if value.startswith("attach://"):
        upload = context.params.uploads.get(value.removeprefix("attach://"))
        if upload is None:
            raise bad_request("wrong file identifier/HTTP URL specified: attached file not found")
    if upload is not None:
        source = from_upload(upload)
    elif not value:
        raise bad_request(f"there is no {kind.replace('_', ' ')} in the request")
    elif value.startswith(("http://", "https://")):
        source = await _fetched(context, kind, value)
    elif value.startswith("file://") and context.world.local:
        source = await _local(value)
    else:
        return from_stored(context.world.files.find(value, context.bot.id), kind)
    if kind == "document" and not options.flag("disable_content_type_detection"):
        kind = await asyncio.to_thread(_detected, source)
    content = await store_media(
        context.world.files, kind, source, options, _attached(context, options, "thumbnail")
    )
    cover = _attached(context, options, "cover") if kind == "video" else None
    if cover is not None:
        made = await asyncio.to_thread(_photo, context.world.files, from_upload(cover))
        content["video"]["cover"] = made["sizes"]
    return content


def _detected(source: Incoming) -> str:
    """Return the kind Telegram detects for a document: video for an MP4, animation for one without sound."""
    if not source.name.lower().endswith(".mp4"):
        return "document"
    match probe.has_sound(source.path):
        case None:
            return "document"
        case heard:
            return "video" if heard else "animation"


def from_stored(file: StoredFile, kind: str) -> Json:
    """Return the media of a file that Telegram already has; it keeps its kind.

    Raises:
        ApiError: Photos can't become documents nor the other way round.
    """
    if file.kind != kind and ("photo" in {file.kind, kind} or "thumbnail" in {file.kind, kind}):
        raise bad_request(f"can't use file of type {TYPE_NAMES[file.kind]} as {TYPE_NAMES[kind]}")
    if not file.path.exists():
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    return _content(file.kind, file.media)


def _content(kind: str, media: Json) -> Json:
    if kind == "photo":
        return {"photo": media["sizes"]}
    content = {kind: dict(media)}
    if kind == "animation":
        # For clients from before animations.
        names = ("file_id", "file_unique_id", "file_size", "file_name", "mime_type", "thumbnail")
        content["document"] = {name: media[name] for name in names if name in media}
    return content


async def store_media(
    store: FileStore,
    kind: str,
    source: Incoming,
    options: Params,
    thumbnail: Upload | None = None,
    *,
    probed_bytes: int = probe.PROBED_BYTES,
) -> Json:
    """Store a file and return its media object.

    Args:
        store: The store for it.
        kind: The media kind it is sent as.
        source: The file.
        options: What the sender declares about it.
        thumbnail: The uploaded thumbnail; ignored where Telegram ignores it.
        probed_bytes: Size above which a file isn't probed. People's own clients probe all.
    """
    if source.size == 0:
        raise bad_request("file must be non-empty")
    if kind == "photo":
        return _content("photo", await asyncio.to_thread(_photo, store, source))
    file = await asyncio.to_thread(
        store.adopt, source.path, kind, source.name, keep=source.keep, sha256=source.sha256
    )
    media: Json = {"file_id": file.file_id, "file_unique_id": file.unique_id, "file_size": file.size}
    for name in _DECLARED[kind]:
        if name in _NUMBERS:
            number = options.number(name)
            if number:
                media[name] = int(number)
        elif options.has(name):
            media[name] = options.text(name)
    if thumbnail is not None:
        media |= await asyncio.to_thread(_declared_thumbnail, store, thumbnail)
    missing = [name for name in _NEEDED.get(kind, ()) if name not in media]
    unseen = kind in _SHOWN and "thumbnail" not in media
    if (missing or unseen) and file.size <= probed_bytes:
        media |= {
            name: value
            for name, value in (await asyncio.to_thread(_looked_into, store, file, kind)).items()
            if name not in media
        }
    for name in missing:
        media.setdefault(name, 0)
    if kind in {"sticker", "voice", "video_note"}:
        media = {name: value for name, value in media.items() if name not in {"title", "performer"}}
    if kind in _NAMED and source.name:
        media["file_name"] = source.name
    if kind not in {"sticker", "video_note"}:
        media["mime_type"] = _mime_type(kind, source)
    if kind == "sticker":
        suffix = file.path.suffix
        media |= {"type": "regular", "is_animated": suffix == ".tgs", "is_video": suffix == ".webm"}
    file.media = media
    return _content(kind, media)


async def add_still(store: FileStore, content: Json, still: Upload) -> Json:
    """Return a live photo's content with its still, which messages also have as a photo for older clients."""
    sizes = (await asyncio.to_thread(_photo, store, from_upload(still)))["sizes"]
    return {"live_photo": {**content["live_photo"], "photo": sizes}, "photo": sizes}


def add_quality(store: FileStore, video: Json, upload: Upload, codec: str) -> Json:
    """Return a video with one more of its smaller versions, ``VideoQuality`` in the Bot API."""
    file = store.adopt(upload.path, "video", upload.name)
    quality = {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": file.size,
        "codec": codec,
    }
    quality |= {name: value for name, value in probe.probe(file.path).items() if name in ("width", "height")}
    file.media = quality
    return {**video, "qualities": [*video.get("qualities", ()), quality]}


def _mime_type(kind: str, source: Incoming) -> str:
    if source.content_type and source.content_type != "application/octet-stream":
        return source.content_type
    return mimetypes.guess_type(source.name)[0] or _DEFAULT_TYPE.get(kind, "application/octet-stream")


def _looked_into(store: FileStore, file: StoredFile, kind: str) -> Json:
    picture = store.incoming / f"{uuid.uuid4().hex}.jpg"
    found = probe.probe(file.path, picture)
    if kind == "video_note" and "width" in found:
        found["length"] = found["width"]
    if kind in {"video_note", "audio", "voice", "document"}:
        found.pop("width", None)
        found.pop("height", None)
    if kind == "sticker":
        found.pop("duration", None)
    if picture.exists():
        found |= _adopted_thumbnail(store, picture)
    return found


def _adopted_thumbnail(store: FileStore, path: Path) -> Json:
    size = probe.thumbnail_size(path)
    if size is None:
        path.unlink()
        return {}
    file = store.adopt(path, "thumbnail", path.name)
    file.media = {"width": size[0], "height": size[1], "file_size": file.size}
    file.media |= {"file_id": file.file_id, "file_unique_id": file.unique_id}
    return {"thumbnail": file.media}


def _declared_thumbnail(store: FileStore, upload: Upload) -> Json:
    return _adopted_thumbnail(store, upload.path)


def _attached(context: Context, options: Params, name: str) -> Upload | None:
    """Return the picture sent with a file; Telegram takes it only from multipart."""
    value = options.text(name)
    if value.startswith("attach://"):
        return context.params.uploads.get(value.removeprefix("attach://"))
    return context.params.uploads.get(name) if options is context.params else None


def _photo(store: FileStore, source: Incoming) -> Json:
    if source.size > PHOTO_BYTES:
        raise bad_request(
            f"file of size {source.size} bytes is too big for a photo; the maximum size is {PHOTO_BYTES} bytes"
        )
    sizes = []
    for path, width, height in probe.photo_sizes(source.path, store.incoming, uuid.uuid4().hex):
        file = store.adopt(path, "photo", path.name)
        sizes.append(
            {
                "file_id": file.file_id,
                "file_unique_id": file.unique_id,
                "file_size": file.size,
                "width": width,
                "height": height,
            }
        )
        # Each of the size's IDs sends the whole photo again.
        file.media = {"sizes": sizes}
    return {"sizes": sizes}


async def _fetched(context: Context, kind: str, url: str) -> Incoming:
    """Fetch a link, as Telegram's servers do.

    Raises:
        ApiError: The URL failed; Telegram names a reason only for web pages.
    """
    target = context.world.files.incoming / uuid.uuid4().hex
    limit = LINK_PHOTO_BYTES if kind == "photo" else LINK_BYTES
    failed = bad_request("failed to get HTTP URL content")
    try:
        async with (await context.http()).stream(
            "GET", url, timeout=_FETCH_TIMEOUT_S, follow_redirects=True
        ) as response:
            content_type = response.headers.get("content-type", "").partition(";")[0]
            if not response.is_success or int(response.headers.get("content-length") or 0) > limit:
                raise failed
            if content_type.startswith("text/html"):
                raise bad_request("wrong type of the web page content")
            await _save(response, target, limit, failed)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        target.unlink(missing_ok=True)
        raise failed from error
    except ApiError:
        target.unlink(missing_ok=True)
        raise
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    return Incoming(target, name, target.stat().st_size, content_type)


async def _save(response: httpx.Response, target: Path, limit: int, too_large: ApiError) -> None:
    size = 0
    with target.open("wb") as handle:
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > limit:
                raise too_large
            await asyncio.to_thread(handle.write, chunk)


async def _local(uri: str) -> Incoming:
    path = Path(unquote(urlsplit(uri).path))

    def size() -> int:
        return path.stat().st_size if path.is_file() else -1

    found = await asyncio.to_thread(size)
    if found < 0:
        raise bad_request("invalid file HTTP URL specified: file not found")
    return Incoming(path, path.name, found, keep=True)


def kind_in(message: Json) -> str | None:
    """Return the kind of media in a message, or `None`."""
    order: tuple[Any, ...] = ("animation", *_DECLARED)
    return next((kind for kind in order if kind in message), None)
