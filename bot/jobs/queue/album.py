"""What belongs together becomes one job, though Telegram tells of it piece by piece.

An album comes as several updates, the last of them up to a second late; several forwarded messages come one by one,
and a comment on them comes before them as a message of its own. The first **part** stores a job at once, which stays
open: later parts join it in the store (see ``ACCEPT`` in ``jobs/queue/scripts.py``). The job waits until no more
come, and is closed right before its request is sent, in one step with seeing that nothing came in between. What joins
while files are being uploaded still goes into the same request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from bot.jobs.messages import STORED_MESSAGE, LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, Attachment, Job
from bot.jobs.payloads import EditPayload

PART = "part:"
WORDS = "words:"
"""Prefixes of the fields of a job, and of an album, that hold a part and its words; a message number follows."""

ALBUM_PAUSE_S = 1.2
"""Of nothing new, after which an album or several forwarded messages count as complete; the last is a second late."""

FILE_PAUSE_S = 1.0
"""How long a file without words waits for some."""

WORDS_PAUSE_S = 0.4
"""How long words alone wait for what they may be a comment on; it passes while the chat's project is opened."""

LONGEST_S = 8.0
"""How long a job waits for more in all, however much comes."""


@dataclass(frozen=True, slots=True)
class RequestPart:
    """One message's share of a request.

    Args:
        message_id: Its number.
        sent_at: When it was sent, by Telegram's clock, in seconds.
        files: What it brings.
        album: Telegram's id of its album; empty outside albums.
        is_forwarded: Whether somebody else's words and files are passed on.
        refusal: Why its file can't be used; with the file where it may not be needed.
    """

    message_id: int
    sent_at: int
    files: tuple[Attachment, ...] = ()
    album: str = ""
    is_forwarded: bool = False
    refusal: LocalizedMessage | None = None

    def to_json(self) -> str:
        """The form that is stored."""
        refusal = STORED_MESSAGE.dump_python(self.refusal, mode="json") if self.refusal else None
        return _json(asdict(replace(self, refusal=None)) | {"refusal": refusal})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the stored form; fields that a later release added are ignored."""
        body = json.loads(text)
        known = {name: body[name] for name in cls.__slots__ if name in body}
        refusal = STORED_MESSAGE.validate_python(body["refusal"]) if body["refusal"] else None
        return cls(
            **known | {"files": tuple(Attachment.of(file) for file in body["files"]), "refusal": refusal}
        )


@dataclass(frozen=True, slots=True)
class PartText:
    """What a part says; kept apart from it because people edit their words.

    Args:
        text: The request, without command.
        links: Addresses in it whose files belong to the request.
    """

    text: str = ""
    links: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The form that is stored; the same for the same words."""
        return _json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the stored form."""
        body = json.loads(text)
        return cls(body["text"], tuple(body["links"]))


How = Literal["asked", "beside", "edited"]
"""Whether a message asks for something, only belongs to an album that perhaps does, or changes its words."""


@dataclass(frozen=True, slots=True)
class ArrivedPart:
    """A part with what decides where it goes.

    Args:
        part: It.
        words: Its words.
        how: See there.
        of_album: Another album whose parts belong to it: it answers one of them.
        answered: What it answers, where that belongs to it too.
    """

    part: RequestPart
    words: PartText = PartText()
    how: How = "asked"
    of_album: str = ""
    answered: RequestPart | None = None

    def facts(self, now: float) -> str:
        """What the script has to know.

        Args:
            now: The clock's time, in seconds.
        """
        part = self.part
        return _json(
            {
                "how": self.how,
                "id": str(part.message_id),
                "part": part.to_json(),
                "words": self.words.to_json(),
                "album": part.album,
                "of_album": self.of_album,
                "answered": str(self.answered.message_id) if self.answered else "",
                "answered_part": self.answered.to_json() if self.answered else "",
                "own": bool(self.words.text) and not part.is_forwarded,
                "forwarded": part.is_forwarded,
                "file": bool(part.files or part.refusal or self.words.links),
                # As texts: Lua would round them.
                "sent_at": str(part.sent_at),
                "now": str(now),
            }
        )


@dataclass(frozen=True, slots=True)
class GatheredJob:
    """A job with all of its parts so far.

    Args:
        job: With their words and files.
        parts: In the order of their messages; none for a job that is not gathered.
        version: Changes with every part.
        pause_s: How long it waits for more after the last one.
        last_at: When that came, in seconds.
        closed: Nothing joins it any more.
    """

    job: Job
    parts: tuple[RequestPart, ...] = ()
    version: int = 0
    pause_s: float = 0.0
    last_at: float = 0.0
    closed: bool = False


def gathered(fields: Mapping[str, str]) -> GatheredJob:
    """Put a job together from its stored fields."""
    job = Job.from_json(fields["request"])
    parts = sorted(
        (RequestPart.from_json(text) for name, text in fields.items() if name.startswith(PART)),
        key=lambda part: part.message_id,
    )
    if not parts:
        return GatheredJob(job)
    words = {part.message_id: _words(fields, part) for part in parts}
    text = _text(parts, words, was_asked="was_asked" in fields)
    links = [link for part in parts for link in words[part.message_id].links]
    payload = EditPayload(
        links=tuple(dict.fromkeys(links)) or job.payload_as(EditPayload).links, is_late="late" in fields
    )
    return GatheredJob(
        replace(job, text=text, files=tuple(file for part in parts for file in part.files), payload=payload),
        tuple(parts),
        int(fields["version"]),
        _pause_s(parts, words),
        float(fields["last_at"]),
        "closed" in fields,
    )


def _words(fields: Mapping[str, str], part: RequestPart) -> PartText:
    text = fields.get(f"{WORDS}{part.message_id}")
    return PartText.from_json(text) if text else PartText()


def _text(parts: Sequence[RequestPart], words: Mapping[int, PartText], *, was_asked: bool) -> str:
    """The request: what the person wrote; of others' captions only where that is nothing."""
    own = [words[part.message_id].text for part in parts if not part.is_forwarded]
    # Of an album whose request was asked already: it is not asked a second time.
    own = [] if was_asked else [text for text in own if text]
    passed_on = [
        words[part.message_id].text for part in parts if part.is_forwarded and not (own and part.files)
    ]
    said = [] if was_asked else [*own, *filter(None, passed_on)]
    return "\n\n".join(dict.fromkeys(said))[:MAX_PROMPT_CHARS]


def _pause_s(parts: Sequence[RequestPart], words: Mapping[int, PartText]) -> float:
    if any(part.album or part.is_forwarded for part in parts):
        return ALBUM_PAUSE_S
    if not any(words[part.message_id].text for part in parts):
        return FILE_PAUSE_S
    return 0.0 if any(part.files for part in parts) else WORDS_PAUSE_S


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
