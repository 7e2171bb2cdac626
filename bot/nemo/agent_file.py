"""Files within the agent's events, as their bytes or their address."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.nemo import lenient_json as read

MAX_URL_CHARS = 2000

_ON_AGENTS_MACHINE = ("/mnt/", "file:")
"""Nobody else can fetch these; what the agent makes there comes with the project."""
_FROM_URLS = str.maketrans("-_", "+/")
_DATA_ADDRESS = re.compile(r"^data:[^,]{0,200},")
_MEDIA_IN_BASE64 = ("//", "/9j")  # an MP3's or a JPEG's first bytes
_TEXT_TYPES = ("text/plain", "text/markdown")


@dataclass(frozen=True, slots=True)
class AgentFile:
    """A picture or another file for the chat.

    Args:
        name: Its name as the agent gives it, which may be anything; empty if it gives none.
        content_type: Its declared MIME type; may be empty.
        content: Its bytes, if they are in the event itself.
        url: Where it is, otherwise.
    """

    name: str
    content_type: str
    content: bytes = field(default=b"", repr=False)
    url: str = ""


def read_file(part: Mapping[str, Any]) -> AgentFile | None:
    """Read the file of a part of an event; ``None`` if it has none."""
    blob = read.mapping(read.first_of(part, ("inlineData", "inline_data")))
    link = read.mapping(read.first_of(part, ("fileData", "file_data")))
    source = blob or link
    name = read.text_at(source, "displayName", "display_name", "name") or ""
    content_type = read.text_at(source, "mimeType", "mime_type") or ""
    content, url = _content(blob.get("data")), read.text_at(link, "fileUri", "file_uri") or ""
    if url.startswith(_ON_AGENTS_MACHINE):
        url = ""
    return AgentFile(name[:200], content_type[:100], content, url[:MAX_URL_CHARS]) if content or url else None


def inline_text(part: Mapping[str, Any]) -> str:
    """Return the words of a part that has them as a file without a name."""
    file = read_file(part)
    if file is None or file.name or not file.content_type.startswith(_TEXT_TYPES):
        return ""
    return file.content[: read.MAX_TEXT_CHARS].decode("utf-8", "replace")


def _content(data: object) -> bytes:
    """Return the bytes of a blob; ADK writes Base64 with the URL's alphabet, others a whole ``data:`` address."""
    if not isinstance(data, str):
        return b""
    text = "".join(_DATA_ADDRESS.sub("", data, count=1).split()).rstrip("=")
    try:
        return base64.b64decode(text.translate(_FROM_URLS) + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""


def read_typed_file(payload: Mapping[str, Any]) -> AgentFile | None:
    """Read a flat event that is a file; ``None`` if it says neither where it is nor what is in it."""
    source = read.snake_keys({**payload, **read.mapping(payload.get("data"))})
    source = {**source, **read.snake_keys(read.mapping(source.get("image_url")))}
    url = read.text_at(source, "url", "image_url", "uri", "file_uri", "download_url", "cdn_url", "src") or ""
    data = source.get("data") or (url if url.startswith("data:") else None)
    if isinstance(data, str) and _is_address(data):
        url, data = url or data, None
    file = {
        "name": read.text_at(source, "name", "filename", "file_name", "title"),
        "mime_type": read.text_at(source, "mime_type", "content_type"),
    }
    return read_file({"inline_data": {**file, "data": data}}) or read_file(
        {"file_data": {**file, "file_uri": url if _is_address(url) else None}}
    )


def _is_address(text: str) -> bool:
    is_path = text.startswith("/") and not text.startswith(_MEDIA_IN_BASE64) and len(text) <= MAX_URL_CHARS
    return text.startswith(("http://", "https://")) or is_path
