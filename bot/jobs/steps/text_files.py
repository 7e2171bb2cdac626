"""Text files that came with a request: their content becomes part of the prompt."""

import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, Attachment, Job
from bot.jobs.ports import FileGone, FileTooLarge
from bot.jobs.refusal_messages import file_gone
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.runtime.tokens import has_token

MAX_PROMPT_BYTES = 64 * 1024  # more than any prompt has, in any encoding; what is larger is not even read
_ALLOWED = "\n\t"


async def read_text_files(attempt: Attempt, job: Job, known: Mapping[str, str]) -> dict[str, str]:
    """Return the contents of a job's text files by file id.

    Args:
        attempt: The attempt at the job.
        job: The job with its files.
        known: Contents that were read before, by file id.

    Raises:
        JobEnded: One can't be read, or the prompt becomes too long.
    """
    files = [file for file in job.files if file.is_text]
    texts = {
        file.file_id: known[file.file_id] if file.file_id in known else await _read(attempt, file)
        for file in files
    }
    if files and len(with_text_files(job, texts).prompt) > MAX_PROMPT_CHARS:
        raise JobEnded(too_long(files[0].name))
    return texts


def with_text_files(job: Job, texts: Mapping[str, str]) -> Job:
    """Put the contents of a job's text files after its own words, and leave the files out."""
    parts = (job.prompt, *(texts[file.file_id] for file in job.files if file.is_text))
    media = tuple(file for file in job.files if not file.is_text)
    return replace(job, prompt="\n\n".join(part for part in parts if part), files=media)


def too_long(name: str) -> LocalizedMessage:
    """Refuse a text file that makes the prompt too long."""
    return LocalizedMessage("error.prompt_too_long", {"name": name, "limit": MAX_PROMPT_CHARS})


def decode_text(data: bytes) -> str | None:
    """Decode a text file; return ``None`` if the bytes aren't text.

    UTF-8 and UTF-16 as editors write them, and GB18030, in which Chinese systems still save.
    """
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        unified = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
        # Most bytes decode in some encoding; control characters show that it was the wrong one.
        if not any(unicodedata.category(c) == "Cc" and c not in _ALLOWED for c in unified):
            return unified.strip()
    return None


def _encodings(data: bytes) -> tuple[str, ...]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    if b"\0" in data:
        # Without a byte order mark, the zero byte of a Latin letter shows the byte order.
        return ("utf-16-be",) if data[::2].count(0) > data[1::2].count(0) else ("utf-16-le",)
    return ("utf-8-sig", "gb18030")


async def _read(attempt: Attempt, file: Attachment) -> str:
    try:
        async with attempt.responder.open_file(file) as opened:
            data = await opened.read(MAX_PROMPT_BYTES)
    except FileGone as error:
        raise JobEnded(file_gone(attempt.job, error)) from error
    except FileTooLarge as error:
        raise JobEnded(too_long(file.name)) from error
    text = decode_text(data)
    if text is None:
        raise JobEnded(LocalizedMessage("error.prompt_unreadable", {"name": file.name}))
    if has_token(text):
        # The agent must never get it, nor may it be stored in a request.
        job = attempt.job
        is_deleted = await attempt.responder.delete_message(
            job.telegram_chat_id, file.message_id or job.message_id or 0, only_buttons=False
        )
        raise JobEnded(
            LocalizedMessage(f"login.file_{'deleted' if is_deleted else 'kept'}", {"name": file.name})
        )
    if not text:
        raise JobEnded(LocalizedMessage("error.file_empty", {"name": file.name}))
    return text
