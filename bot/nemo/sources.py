"""Replacing paths on the agent's own machine in a draft: a render can't reach them."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from bot.nemo import read

AGENT_FILES = "/mnt/userdata/"
"""Where the agent keeps a project's files."""

_NAMES = ("filename", "file_name", "name", "path", "file_path", "local_path", "url", "src")
_ADDRESSES = ("cdn_url", "cdnUrl", "url", "download_url")


def with_public_sources(raw_draft: Any, *known: Any) -> Any:
    """Return the draft with paths on the agent's machine replaced by URLs, where the state has these.

    Args:
        raw_draft: The draft as it came; not changed.
        known: Parts of the state that name files: ``video_infos`` and ``generated_media``.
    """
    addresses = {name: address for part in known for name, address in _addresses(part)}
    return _replaced(raw_draft, addresses) if addresses else raw_draft


def _addresses(value: Any, depth: int = 6) -> Iterator[tuple[str, str]]:
    if depth == 0 or not isinstance(value, (dict, list)):
        return
    if isinstance(value, dict):
        address = read.text_at(value, *_ADDRESSES)
        if address is not None and address.startswith(("https://", "http://")):
            for field in _NAMES:
                name = read.text(value.get(field))
                if name and not name.startswith("http"):
                    yield PurePosixPath(name).name, address
    pairs: Iterable[tuple[object, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        if isinstance(key, str) and isinstance(inner, dict):
            address = read.text_at(inner, *_ADDRESSES)
            if address is not None and address.startswith(("https://", "http://")):
                yield PurePosixPath(key).name, address  # An object by file names.
        yield from _addresses(inner, depth - 1)


def _replaced(value: Any, addresses: dict[str, str]) -> Any:
    match value:
        case str() if value.startswith(AGENT_FILES):
            return addresses.get(PurePosixPath(value).name, value)
        case dict():
            return {key: _replaced(inner, addresses) for key, inner in value.items()}
        case list():
            return [_replaced(inner, addresses) for inner in value]
    return value
