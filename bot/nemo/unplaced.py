"""Files of a project that are on none of its tracks: uploads, and media that the agent has generated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.nemo import read
from bot.nemo.answers import ProjectState

MAX_FILES = 200  # of each list that are looked at

_NAMES = ("filename", "file_name", "name", "title", "prompt", "description")
_ADDRESSES = ("cdn_url", "cdnUrl", "url", "download_url", "path", "file_path", "local_path", "src")
_IDS = ("hash", "id", "asset_id", "file_id", "media_id")
_DEPTH = 12  # of a draft that is searched for its files


@dataclass(frozen=True, slots=True)
class UnplacedFile:
    """A file that is on no track."""

    name: str | None  # its name, or the words it was generated from; None if it has neither


def unplaced_files(state: ProjectState) -> tuple[UnplacedFile, ...]:
    """Return the files that are on no track.

    A draft need not tell which files its segments show: where none is told, nothing is known of them, and no file is
    returned.
    """
    draft = state.draft
    used: frozenset[str] = frozenset()
    if draft is not None and draft.is_ready:
        if not any(segment.media for track in draft.tracks for segment in track.segments):
            return ()
        used = frozenset(mark for text in _texts(draft.raw) for mark in _marks(text))
    entries = (*_entries(state.video_infos), *_entries(state.generated_media))
    files = {
        UnplacedFile(_name(entry)): None
        for entry in entries
        if not used & {mark for text in _identity(entry) for mark in _marks(text)}
    }
    return tuple(files)


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
