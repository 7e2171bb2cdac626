"""Links in a request: which NemoVideo is to fetch, and what to say about the others."""

from dataclasses import dataclass

from bot.jobs.messages import LocalizedMessage
from bot.media.links import MAX_LINKS, RefusalReason, find_links

_HARMLESS = (
    RefusalReason.STREAMING_SITE,
    RefusalReason.MUSIC_SITE,
    RefusalReason.SHARE_PAGE,
    RefusalReason.TELEGRAM_MESSAGE,
)
"""Reasons why a link can't be fetched that do not forbid naming it in a request."""


@dataclass(frozen=True, slots=True)
class RequestLinks:
    """A request and its links."""

    prompt: str  # the words without the links to media; a page that may be media stays in them
    media: tuple[str, ...] = ()  # the links to upload
    warning: LocalizedMessage | None = None  # what to say about links that can't be fetched, if anything
    is_refused: bool = False  # whether the request ends with that: nothing is passed on
    offered: str = ""  # the words that can be run without the refused links, on what the project has


def read_links(text: str, *, has_file: bool = False) -> RequestLinks:
    """Take the links out of a request.

    Args:
        text: Its words.
        has_file: Whether it comes with a file, which it is about then: a link that can't be fetched, or that may be a
            page, is only mentioned.
    """
    found = find_links(text)
    has_media = has_file or bool(found.media)
    if not found.refused:
        if has_media or not found.pages:
            return RequestLinks(found.rest if found.media else text, found.media)
        # A link and nothing else asks for nothing.
        return RequestLinks(text if found.words.strip() else "", found.pages)
    first = found.refused[0]
    forbidden = next((one for one in found.refused if one.reason not in _HARMLESS), None)
    if forbidden is not None:
        params = {"most": MAX_LINKS} if forbidden.reason is RefusalReason.TOO_MANY else {}
        return RequestLinks("", (), LocalizedMessage(f"link.{forbidden.reason}", params), is_refused=True)
    warning = LocalizedMessage(f"link.{first.reason}", {"site": first.site})
    if has_media:
        return RequestLinks(found.rest, found.media, warning)
    # What the words mean is not there, and the project's present clip may be another one.
    return RequestLinks("", (), warning, is_refused=True, offered=found.words.strip())
