"""Links in a request: which NemoVideo is to fetch, and what to say about the others."""

from dataclasses import dataclass

from bot.jobs.messages import LocalizedMessage
from bot.media.links import MAX_LINKS, RefusalReason, find_links

_HARMLESS = (RefusalReason.STREAMING_SITE, RefusalReason.SHARE_PAGE)
"""Reasons why a link can't be fetched that do not forbid naming it in a request."""


@dataclass(frozen=True, slots=True)
class RequestLinks:
    """A request and its links."""

    prompt: str  # the words without the links to media
    media: tuple[str, ...] = ()  # the links to upload
    warning: LocalizedMessage | None = None  # what to say about links that can't be fetched, if anything
    is_refused: bool = False  # whether the request ends with that: nothing is passed on


def read_links(text: str) -> RequestLinks:
    """Take the links out of a request."""
    found = find_links(text)
    if not found.refused:
        return RequestLinks(found.rest if found.media else text, found.media)
    first = found.refused[0]
    forbidden = next((one for one in found.refused if one.reason not in _HARMLESS), None)
    if forbidden is not None:
        params = {"most": MAX_LINKS} if forbidden.reason is RefusalReason.TOO_MANY else {}
        return RequestLinks("", (), LocalizedMessage(f"link.{forbidden.reason}", params), is_refused=True)
    warning = LocalizedMessage(f"link.{first.reason}", {"site": first.site})
    words = found.rest
    for one in found.refused:
        words = words.replace(one.url, "")
    # "Cut it like this one: https://…" is a request; the link alone is a file that can't be fetched.
    return RequestLinks(found.rest, found.media, warning, is_refused=not words.strip() and not found.media)
