"""Prompt: a text file that came with a request is read, and its words are the request."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, Attachment
from bot.jobs.ports import FileGone, FileTooLarge, OpenFile
from bot.jobs.worker.runner import Attempt, JobEnded

MAX_PROMPT_BYTES = 64 * 1024
"""More than any request has, in any encoding; what is larger is not even read."""

_ALLOWED = "\n\t"


async def read_prompt(attempt: Attempt) -> None:
    """The step that takes the text files out of a job's files and puts their words after its own."""
    texts = [file for file in attempt.job.files if file.is_text]
    if not texts:
        return
    read: dict[str, str] = dict(attempt.get_value("prompts") or {})
    for file in texts:
        if file.file_id not in read:
            read[file.file_id] = await _read(attempt, file)
            await attempt.save_value("prompts", read)
    prompt = "\n\n".join(part for part in (attempt.job.text, *(read[file.file_id] for file in texts)) if part)
    if len(prompt) > MAX_PROMPT_CHARS:
        raise JobEnded(too_long(texts[0].name))
    media = tuple(file for file in attempt.job.files if not file.is_text)
    attempt.job = replace(attempt.job, text=prompt, files=media)


def too_long(name: str) -> LocalizedMessage:
    """What is told of a text file with more words than a request may have."""
    return LocalizedMessage("error.prompt_too_long", {"name": name, "limit": MAX_PROMPT_CHARS})


def decoded(data: bytes) -> str | None:
    """The words of a text file; None for what is none.

    UTF-8 and UTF-16 as editors write them, and GB18030, in which Chinese systems still save.
    """
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        unified = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
        # Any bytes have some meaning in some encoding; control characters tell that it was not this one.
        if not any(unicodedata.category(c) == "Cc" and c not in _ALLOWED for c in unified):
            return unified.strip()
    return None


def _encodings(data: bytes) -> tuple[str, ...]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    if b"\0" in data:
        # Without a byte order mark: the empty half of a Latin letter's unit tells which comes first.
        return ("utf-16-be",) if data[::2].count(0) > data[1::2].count(0) else ("utf-16-le",)
    return ("utf-8-sig", "gb18030")


async def _all_of(opened: OpenFile, name: str) -> bytes:
    data = b""
    async for chunk in opened.chunks:
        data += chunk
        if len(data) > MAX_PROMPT_BYTES:
            raise JobEnded(too_long(name))
    return data


async def _read(attempt: Attempt, file: Attachment) -> str:
    try:
        async with attempt.responder.open_file(file) as opened:
            data = await _all_of(opened, file.name)
    except FileGone as error:
        raise JobEnded(LocalizedMessage("error.file_gone")) from error
    except FileTooLarge as error:
        raise JobEnded(too_long(file.name)) from error
    words = decoded(data)
    if words is None:
        raise JobEnded(LocalizedMessage("error.prompt_unreadable", {"name": file.name}))
    if not words:
        raise JobEnded(LocalizedMessage("error.file_empty", {"name": file.name}))
    return words
