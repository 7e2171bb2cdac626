"""Files that a project's state names: those on none of its tracks, and public addresses of the agent's own files."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.nemo import lenient_json as read
from bot.nemo.answers import ProjectState

MAX_FILES = 200  # of each list that are looked at

_NAMES = ("filename", "file_name", "name", "title", "prompt", "description")
_ADDRESSES = ("cdn_url", "cdnUrl", "url", "download_url", "path", "file_path", "local_path", "src")
_IDS = ("hash", "id", "asset_id", "file_id", "media_id")
_DEPTH = 12  # of a draft that is searched for its files


AGENT_FILES = "/mnt/userdata/"
"""Where the agent keeps a project's files, on a machine of its own: a render can't reach them."""

_SOURCE_NAMES = ("filename", "file_name", "name", "path", "file_path", "local_path", "url", "src")
_PUBLIC_ADDRESSES = ("cdn_url", "cdnUrl", "url", "download_url")


def unplaced_files(state: ProjectState) -> tuple[str | None, ...]:
    """Return the uploads and generated media that are on no track.

    A draft need not name which files its segments show: where none is named, nothing is known of them, and no file is
    returned.

    Returns:
        The name of each, or the words it was generated from; ``None`` for one that has neither.
    """
    draft = state.draft
    used: frozenset[str] = frozenset()
    if draft is not None and draft.is_ready:
        if not any(segment.media for track in draft.tracks for segment in track.segments):
            return ()
        used = frozenset(mark for text in _texts(draft.raw) for mark in _marks(text))
    entries = (*_entries(state.video_infos), *_entries(state.generated_media))
    files = {
        _name(entry): None
        for entry in entries
        if not used & {mark for text in _identity(entry) for mark in _marks(text)}
    }
    return tuple(files)


def upload_names(state: ProjectState) -> frozenset[str]:
    """Return the names of a project's uploads, as far as it has any."""
    return frozenset(name for entry in _entries(state.video_infos) if (name := _name(entry)) is not None)


def with_public_sources(raw_draft: Any, *known: Any) -> Any:
    """Return the draft with paths on the agent's machine replaced by URLs, where the state has these.

    Args:
        raw_draft: The draft as it came; not changed.
        known: Parts of the state that name files: ``video_infos`` and ``generated_media``.
    """
    listed = {path: address for part in known for path, address in _addresses(part)}
    # Two files of one name, in different folders, are told apart by their paths.
    addresses = {PurePosixPath(path).name: address for path, address in listed.items()} | listed
    return _replaced(raw_draft, addresses) if addresses else raw_draft


def _entries(listed: Any) -> Iterator[Mapping[str, Any]]:
    named = listed.items() if isinstance(listed, dict) else ((None, item) for item in read.items(listed))
    for number, (name, item) in enumerate(named):
        if number == MAX_FILES:
            return
        if isinstance(item, dict) and item and item.get("status") not in ("failed", "pending", "processing"):
            yield {"name": name, **item}


def _name(entry: Mapping[str, Any]) -> str | None:
    address = read.text_at(entry, *_ADDRESSES)
    return read.text_at(entry, *_NAMES) or (_base_name(address) if address else None)


def _identity(entry: Mapping[str, Any]) -> Iterator[str]:
    for key in (*_NAMES, *_ADDRESSES, *_IDS):
        if (text := read.text(entry.get(key))) is not None:
            yield text


def _marks(text: str) -> tuple[str, ...]:
    """Return the text, and the file name at the end of an address or a path."""
    return (text, _base_name(text)) if "/" in text else (text,)


def _base_name(address: str) -> str:
    try:
        path = urlsplit(address).path
    except ValueError:
        path = address
    return PurePosixPath(unquote(path)).name


def _texts(value: Any, depth: int = _DEPTH) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, (dict, list)):
        for inner in read.items(value):
            yield from _texts(inner, depth - 1)


def _addresses(value: Any, depth: int = 6) -> Iterator[tuple[str, str]]:
    if depth == 0 or not isinstance(value, (dict, list)):
        return
    if isinstance(value, dict):
        address = read.text_at(value, *_PUBLIC_ADDRESSES)
        if address is not None and address.startswith(("https://", "http://")):
            for field in _SOURCE_NAMES:
                name = read.text(value.get(field))
                if name and not name.startswith("http"):
                    yield _path(name), address
    pairs: Iterable[tuple[object, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        if isinstance(key, str) and isinstance(inner, dict):
            address = read.text_at(inner, *_PUBLIC_ADDRESSES)
            if address is not None and address.startswith(("https://", "http://")):
                yield _path(key), address  # An object by file names.
        yield from _addresses(inner, depth - 1)


def _path(value: str) -> str:
    """Return a path on the agent's machine as it is called there, also one written as an address."""
    if value.startswith("file:"):
        return unquote(re.sub(r"^file:(?://(?:localhost)?)?(?=/)", "", value))
    return unquote(value) if value.startswith(AGENT_FILES) else value


def _replaced(value: Any, addresses: dict[str, str]) -> Any:
    match value:
        case str() if _path(value).startswith(AGENT_FILES):
            path = _path(value)
            return addresses.get(path) or addresses.get(PurePosixPath(path).name, value)
        case dict():
            return {key: _replaced(inner, addresses) for key, inner in value.items()}
        case list():
            return [_replaced(inner, addresses) for inner in value]
    return value
