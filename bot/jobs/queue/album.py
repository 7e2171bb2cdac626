"""Requests that arrive in parts: several messages become one job.

An album comes as several updates, the last of them up to a second late; several forwarded messages come one by one,
and a comment on them comes before them as a message of its own; a long text is cut by the client into messages of the
maximum length, except the last. The first **part** stores a job at once, which stays open: which job a later part
joins is decided in the store (``find_job`` in ``lua/album.lua``). The job waits until no more come
(``steps/gather.py``) and is closed right before its request is sent (``lua/close.lua``, called by ``steps/upload.py``),
atomically with a check that nothing else arrived. Parts that join while files are being uploaded still go into the
same request.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import TypeAdapter

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, Attachment, Job, JobKind
from bot.jobs.payloads import EditPayload, NewPayload, Payload
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.packed_request import unpack
from bot.words import Words

ALBUM_PAUSE_S = 1.2
"""After this pause an album, several forwarded messages or a cut text count as complete; the last comes up to a second
late."""

FILE_PAUSE_S = 1.0  # how long a file without a text waits for one

WORDS_PAUSE_S = 0.4
"""How long a lone text waits for the file that it may comment on; meanwhile the chat's project is opened."""

ADJACENT_S = 1
"""How far apart, in whole seconds of Telegram's clock, messages outside albums that belong together are sent; the same
in ``lua/album.lua``."""

PARAGRAPH = "\n\n"

MAX_CONTEXT_CHARS = 1000  # the longest quotation that is handed to the agent

LONGEST_S = 8.0  # how long a job waits for more in all, however much comes


@dataclass(frozen=True, slots=True)
class RequestPart:
    """One message's share of a request.

    Args:
        message_id: The message.
        sent_at: When it was sent, by Telegram's clock, in seconds.
        files: Its files.
        album: Telegram's id of its album; empty outside albums.
        is_forwarded: Whether it passes on another person's text and files.
        is_own: Whether the text is the sender's own. That of others asks for nothing; it is offered under a button.
        glue: What joins its text to the next part's: a paragraph, or nothing where a client has cut a long text.
        context: What it quotes or answers, for the agent.
        refusal: Why its file or link can't be used; shown when the request is known to need it.
        file_unique_id: Identifies its file's content, whether it can be used or not; empty without one.
        spoken_about: The file of the message that a spoken one answers.
    """

    message_id: int
    sent_at: float
    files: tuple[Attachment, ...] = ()
    album: str = ""
    is_forwarded: bool = False
    is_own: bool = True
    glue: str = PARAGRAPH
    context: str = ""
    refusal: LocalizedMessage | None = None
    file_unique_id: str = ""
    spoken_about: tuple[Attachment, ...] = ()

    @property
    def is_full(self) -> bool:
        """Return whether its text fills the message, so that the next one may go on with it."""
        return self.glue != PARAGRAPH


@dataclass(frozen=True, slots=True)
class PartText:
    """The text of a part; stored apart from it because people edit their messages."""

    text: str = ""  # the prompt, without command
    links: tuple[str, ...] = ()  # links in it whose files belong to the request


STORED_PART = TypeAdapter(RequestPart)
STORED_TEXT = TypeAdapter(PartText)
"""Read and write the stored forms. Equal texts have equal forms, which shows that an edit changed nothing."""


ArrivalKind = Literal["asked", "refused", "begins", "unaddressed", "edited"]
"""`asked`: a request; `refused`: one that can't be done, which is said by the job that it joins, if any; `begins`: one
that joins none before it; `unaddressed`: part of an album that another message may ask for; `edited`: an edit."""


@dataclass(frozen=True, slots=True)
class ArrivedPart:
    """A part with what decides where it goes."""

    part: RequestPart
    text: PartText = PartText()
    kind: ArrivalKind = "asked"  # what its message does
    replied_album: str = ""  # album of the message that it replies to; the whole of that album belongs to it
    replied_part: RequestPart | None = None  # the message that it replies to, if that belongs to it

    @property
    def fields(self) -> dict[str, str]:
        """The part's fields of the job's hash."""
        return {
            f"{JobField.PART}{self.part.message_id}": STORED_PART.dump_json(self.part).decode(),
            f"{JobField.TEXT}{self.part.message_id}": STORED_TEXT.dump_json(self.text).decode(),
        }

    def argument(self, now_s: float) -> dict[str, Any]:
        """Return the argument for ``lua/album.lua``.

        Args:
            now_s: The clock's time, in seconds.
        """
        part, replied = self.part, self.replied_part
        return {
            "kind": self.kind,
            "message_id": str(part.message_id),
            "part": STORED_PART.dump_json(part).decode(),
            "text": STORED_TEXT.dump_json(self.text).decode(),
            "album": part.album,
            "replied_album": self.replied_album,
            "replied_id": str(replied.message_id) if replied else "",
            "replied_part": STORED_PART.dump_json(replied).decode() if replied else "",
            "has_prompt": bool(self.text.text) and part.is_own,
            "is_forwarded": part.is_forwarded,
            "is_full": part.is_full,
            "file_unique_id": part.file_unique_id,
            "has_file": bool(part.files or part.refusal or self.text.links),
            # As texts: Lua would round them.
            "sent_at_s": str(part.sent_at),
            "now_s": str(now_s),
        }


@dataclass(frozen=True, slots=True)
class GatheredJob:
    """A job with all of its parts so far.

    Args:
        job: The job, with the texts and files of its parts.
        parts: In the order of their messages; empty for a job that does not arrive in parts.
        version: Changes with every part.
        pause_s: How long the job waits for more after the last part, in seconds.
        last_at: When the last part arrived, in seconds.
        closed: Whether no more parts join it.
    """

    job: Job
    parts: tuple[RequestPart, ...] = ()
    version: int = 0
    pause_s: float = 0.0
    last_at: float = 0.0
    closed: bool = False

    @property
    def is_text_only(self) -> bool:
        """Return whether it brings neither files, usable or not, nor links."""
        has_files = self.job.files or any(part.refusal for part in self.parts)
        return not has_files and not links_of(self.job)


def read_gathered_job(fields: Mapping[str, str]) -> GatheredJob:
    """Put a job together from its stored fields."""
    job = unpack(fields[JobField.REQUEST])
    parts = sorted(
        (
            STORED_PART.validate_json(text)
            for field, text in fields.items()
            if field.startswith(JobField.PART)
        ),
        key=lambda part: part.message_id,
    )
    if not parts:
        return GatheredJob(job)
    texts = {
        part.message_id: STORED_TEXT.validate_json(fields.get(f"{JobField.TEXT}{part.message_id}") or "{}")
        for part in parts
    }
    # An earlier part of the album may have brought the request already; it isn't made a second time.
    was_asked = JobField.WAS_ASKED in fields
    prompt = "" if was_asked else _own_words(parts, texts)
    links = [link for part in parts for link in texts[part.message_id].links]
    asked = job.payload_as(EditPayload)
    not_asked_for = _distinct(texts[part.message_id].text for part in parts if was_asked or not part.is_own)
    payload: Payload = EditPayload(
        links=tuple(dict.fromkeys(links)) or asked.links,
        new_job_id=asked.new_job_id,
        answers_question=asked.answers_question,
        is_late=JobField.IS_LATE in fields,
        text_not_asked_for=not_asked_for,
    )
    if job.kind is JobKind.NEW:
        payload = NewPayload(links=tuple(dict.fromkeys(links)), text_not_asked_for=not_asked_for)
    return GatheredJob(
        replace(
            job,
            prompt=_with_context(prompt, parts, texts, job.language),
            files=tuple(file for part in parts for file in part.files),
            payload=payload,
        ),
        tuple(parts),
        int(fields[JobField.VERSION]),
        _pause_s(parts, texts),
        float(fields[JobField.LAST_PART_AT]),
        JobField.CLOSED in fields,
    )


def links_of(job: Job) -> tuple[str, ...]:
    """Return the links of a job's request."""
    return job.payload_as(EditPayload).links or job.payload_as(NewPayload).links


def has_request_parts(job: Job) -> bool:
    """Return whether the parts of a request are stored with a job: a new project hands them on to its topic."""
    is_new = job.kind is JobKind.NEW and not job.payload_as(NewPayload).is_followed
    return is_new or job.kind is JobKind.EDIT


def _own_words(parts: Sequence[RequestPart], texts: Mapping[int, PartText]) -> str:
    """Join the person's own texts without duplicates; those that a client has cut, without a gap."""
    words, glue = "", ""
    known: set[str] = set()
    for part in parts:
        text = texts[part.message_id].text
        if not part.is_own or not text or (glue in ("", PARAGRAPH) and text in known):
            continue
        words += glue + text
        known.add(text)
        glue = part.glue
    return words


def _with_context(
    prompt: str, parts: Sequence[RequestPart], texts: Mapping[int, PartText], language: str
) -> str:
    """Append the quoted context to a prompt: answered words, and forwarded texts."""
    forwarded = (texts[part.message_id].text for part in parts if not part.is_own and not part.files)
    context = _distinct([*(part.context for part in parts), *forwarded])[:MAX_CONTEXT_CHARS]
    if not prompt or not context:
        return prompt
    quoted = Words(language).plain("prompt.quoted", words=context)
    with_context = f"{prompt}{PARAGRAPH}{quoted}"
    return with_context if len(with_context) <= MAX_PROMPT_CHARS else prompt


def _distinct(texts: Iterable[str]) -> str:
    return PARAGRAPH.join(dict.fromkeys(filter(None, texts)))


def _pause_s(parts: Sequence[RequestPart], texts: Mapping[int, PartText]) -> float:
    if any(part.album or part.is_forwarded for part in parts) or parts[-1].is_full:
        return ALBUM_PAUSE_S
    if not any(texts[part.message_id].text for part in parts):
        return FILE_PAUSE_S
    return 0.0 if any(part.files for part in parts) else WORDS_PAUSE_S
