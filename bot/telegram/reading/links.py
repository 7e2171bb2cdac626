"""Addresses in a request: which go to NemoVideo to be fetched, and what is told of the others."""

from __future__ import annotations

from dataclasses import dataclass

from bot.jobs.messages import LocalizedMessage
from bot.media.links import MAX_LINKS, RefusalReason, find_links

_HARMLESS = (RefusalReason.STREAMING_SITE, RefusalReason.SHARE_PAGE)
"""Why an address can't be fetched though there is nothing wrong with naming it in a request."""


@dataclass(frozen=True, slots=True)
class RequestLinks:
    """A request with its addresses sorted out.

    Args:
        prompt: The words without the media's addresses.
        media: Addresses to upload.
        told: What is said of addresses that can't be fetched.
        is_over: Whether that is all: nothing is passed on.
    """

    prompt: str
    media: tuple[str, ...] = ()
    told: LocalizedMessage | None = None
    is_over: bool = False


def read_links(text: str) -> RequestLinks:
    """Take the addresses out of a request."""
    found = find_links(text)
    if not found.refused:
        return RequestLinks(found.rest if found.media else text, found.media)
    first = found.refused[0]
    forbidden = next((one for one in found.refused if one.reason not in _HARMLESS), None)
    if forbidden is not None:
        params = {"most": MAX_LINKS} if forbidden.reason is RefusalReason.TOO_MANY else {}
        return RequestLinks("", (), LocalizedMessage(f"link.{forbidden.reason}", params), is_over=True)
    told = LocalizedMessage(f"link.{first.reason}", {"site": first.site})
    words = found.rest
    for one in found.refused:
        words = words.replace(one.url, "")
    # "Cut it like this one: https://…" is a request; the address alone is a file that can't be had.
    return RequestLinks(found.rest, found.media, told, is_over=not words.strip() and not found.media)
