"""Addresses in a wish: which go to NemoVideo to be fetched, and what is told of the others."""

from __future__ import annotations

from dataclasses import dataclass

from bot.jobs.links import MAX_LINKS, Reason, find_links
from bot.jobs.ports import Notice

_HARMLESS = (Reason.STREAMING_SITE, Reason.SHARE_PAGE)
"""Why an address can't be fetched though there is nothing wrong with naming it in a wish."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A wish with its addresses sorted out.

    Args:
        wish: The words without the media's addresses.
        media: Addresses to upload.
        told: What is said of addresses that can't be fetched.
        is_over: Whether that is all: nothing is passed on.
    """

    wish: str
    media: tuple[str, ...] = ()
    told: Notice | None = None
    is_over: bool = False


def sort_out(text: str) -> Linked:
    """Take the addresses out of a wish."""
    found = find_links(text)
    if not found.refused:
        return Linked(found.rest if found.media else text, found.media)
    first = found.refused[0]
    forbidden = next((one for one in found.refused if one.reason not in _HARMLESS), None)
    if forbidden is not None:
        params = {"most": MAX_LINKS} if forbidden.reason is Reason.TOO_MANY else {}
        return Linked("", (), Notice(f"link.{forbidden.reason}", params), is_over=True)
    told = Notice(f"link.{first.reason}", {"site": first.site})
    words = found.rest
    for one in found.refused:
        words = words.replace(one.url, "")
    # "Cut it like this one: https://…" is a wish; the address alone is a file that can't be had.
    return Linked(found.rest, found.media, told, is_over=not words.strip() and not found.media)
