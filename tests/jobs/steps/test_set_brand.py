"""A file of the brand is kept if a request could use it."""

import pytest

from bot.chats.brand import Brand, BrandPart
from bot.jobs.messages import LocalizedMessage, OutgoingMessage
from bot.jobs.model import Attachment, JobKind
from bot.jobs.payloads import BrandPayload
from bot.jobs.ports import FileGone
from bot.jobs.steps.set_brand import SetBrand
from bot.jobs.worker.attempt import JobEnded
from bot.media.errors import FileTypeUnsupported
from tests.jobs.steps.conftest import Rig

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
MP4 = b"\0\0\0\x18ftypisom" + bytes(40)
UNKNOWN = b"\x91" * 40
MOVED_TO = -1_000_000_004_711


async def set_brand(rig: Rig, part: BrandPart, name: str, content: bytes | Exception) -> tuple[str, Brand]:
    """Take the step; return the key of what it said, and the brand."""
    file = Attachment("mark", "document", name, 40, "", message_id=3, unique_id="content")
    rig.responder.files = {"mark": content}
    payload = BrandPayload(part=part)
    job = rig.job(kind=JobKind.BRAND, files=(file,), payload=payload, telegram_chat_id=MOVED_TO)
    message: OutgoingMessage | None
    try:
        await SetBrand(rig.projects.chats)(rig.attempt(job))
    except JobEnded as end:
        message = end.message
    else:
        message = rig.responder.sent["saved"]
    assert isinstance(message, LocalizedMessage)
    return message.key, await rig.projects.chats.brands.load(job.chat)


@pytest.mark.parametrize(
    ("part", "name", "content"),
    [
        (BrandPart.LOGO, "our mark.png", PNG),
        (BrandPart.INTRO, "opener.mp4", MP4),
        (BrandPart.OUTRO, "end.mov", UNKNOWN),
    ],
)
async def test_a_good_file_is_kept_by_the_name_of_what_it_is(
    rig: Rig, part: BrandPart, name: str, content: bytes
) -> None:
    key, brand = await set_brand(rig, part, name, content)
    file = brand.files[part]
    assert key == f"brand.saved_{part}"
    # Each request opens it as any other file, and tells it from what a message holds once it was edited.
    assert Attachment.from_project_file(file, MOVED_TO) == Attachment(
        "mark", "document", f"{part}.{name.rpartition('.')[2]}", 40, "", message_id=3, unique_id="content"
    )


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("our mark.png", UNKNOWN, "brand.damaged"),
        ("our mark.png", b"", "error.file_empty"),
        ("our mark.png", MP4, "brand.how_logo"),
        ("our mark.heic", FileTypeUnsupported("our mark.heic", "heic"), "error.unusable_image"),
        ("our mark.png", FileGone("our mark.png"), "error.file_gone"),
    ],
)
async def test_a_file_that_no_request_could_use_is_refused_at_once(
    rig: Rig, name: str, content: bytes | Exception, key: str
) -> None:
    assert await set_brand(rig, BrandPart.LOGO, name, content) == (key, Brand())
