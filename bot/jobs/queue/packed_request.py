"""A job's request as it is stored: compressed, because only a tenth of its JSON differs between requests."""

import base64
import zlib
from typing import Final

from bot.jobs.model import STORED_JOB, Job

_RAW: Final = -zlib.MAX_WBITS  # without zlib's header and checksum

MAX_BYTES: Final = 1_000_000  # of the JSON in a packed request; the largest have some ten thousand

_USUAL: Final = (
    b'{"id":"","chat":"-100","queue":"main","kind":"edit","requester_id":,"message_id":,"language":"zh","language":"en",'
    b'"asked_at":"2026-01-01T00:00:00.000000Z","prompt":"","files":[{"file_id":"BQACAgIAAxkBAAAgACAgIAAx","kind":"document",'
    b'"kind":"photo","kind":"video","name":"photo_.jpg","name":"IMG_.mp4","size":,"content_type":"image/jpeg",'
    b'"content_type":"video/quicktime","content_type":"video/mp4","duration_s":.0,"width":1080,"height":1920,"message_id":,'
    b'"unique_id":"AgAD"}],"payload":{"links":["https://"]},"telegram_chat_id":-100,"language_code":"en"}'
)
"""Text that most requests contain; a compressed one refers to it. It can't be changed while jobs are kept."""


def pack(job: Job) -> str:
    """Return a request in half of its size or less, as text that ``unpack`` reads."""
    # See Job.__post_init__.
    known = {"telegram_chat_id"} if job.telegram_chat_id == job.chat.chat_id else None
    compressor = zlib.compressobj(level=9, wbits=_RAW, zdict=_USUAL)
    data = (
        compressor.compress(STORED_JOB.dump_json(job, exclude_defaults=True, exclude=known))
        + compressor.flush()
    )
    return base64.b85encode(data).decode()


def unpack(text: str) -> Job:
    """Read a packed request.

    Raises:
        ValueError: The text isn't a packed request.
    """
    try:
        stored = zlib.decompressobj(wbits=_RAW, zdict=_USUAL).decompress(base64.b85decode(text), MAX_BYTES)
    except zlib.error as error:
        raise ValueError("no packed request") from error
    return STORED_JOB.validate_json(stored)
