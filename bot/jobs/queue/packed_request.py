"""The request of a job that ended long ago, compressed: a tenth of its JSON is what somebody asked for."""

import base64
import zlib
from typing import Final

from bot.jobs.model import STORED_JOB, Job

_MARK: Final = "z"  # no JSON object begins so

MAX_BYTES: Final = 100_000  # of the JSON in a packed request; one that was kept has some thousand

_USUAL: Final = (
    b'{"id":"","chat":"-100","queue":"main","kind":"edit","owner_id":,"message_id":,"language":"zh","language":"en",'
    b'"asked_at":"2026-01-01T00:00:00.000000Z","text":"","files":[{"file_id":"BQACAgIAAxkBAAAgACAgIAAx","kind":"document",'
    b'"kind":"photo","kind":"video","name":"photo_.jpg","name":"IMG_.mp4","size":,"content_type":"image/jpeg",'
    b'"content_type":"video/quicktime","content_type":"video/mp4","duration_s":.0,"width":1080,"height":1920,"message_id":,'
    b'"unique_id":"AgAD"}],"payload":{"links":["https://"]},"telegram_chat_id":-100,"language_code":"en"}'
)
"""What most requests hold, so that the compressed ones need not. It can't be changed while packed ones are kept."""


def pack(job: Job) -> str:
    """Return a request in a third of its size, as text that ``unpack`` reads."""
    compressor = zlib.compressobj(level=9, zdict=_USUAL)
    data = compressor.compress(STORED_JOB.dump_json(job, exclude_defaults=True)) + compressor.flush()
    return _MARK + base64.b85encode(data).decode()


def unpack(text: str) -> Job:
    """Read a stored request, packed or not.

    Raises:
        ValueError: It is neither.
    """
    if not text.startswith(_MARK):
        return STORED_JOB.validate_json(text)
    try:
        stored = zlib.decompressobj(zdict=_USUAL).decompress(base64.b85decode(text[1:]), MAX_BYTES)
    except zlib.error as error:
        raise ValueError("no packed request") from error
    return STORED_JOB.validate_json(stored)
