"""Keep a file as a part of the chat's brand, if it can be opened: a request that needs it would fail."""

import contextlib

from bot.chats.brand import BrandPart
from bot.chats.chats import Chats
from bot.chats.project_file import ProjectFile
from bot.jobs.messages import LocalizedMessage
from bot.jobs.payloads import BrandPayload
from bot.jobs.steps.upload import open_usable
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.media.file_type import SNIFF_BYTES, sniff
from bot.media.kinds import category_of, kind_of_name

CATEGORIES = {
    BrandPart.LOGO: ("image",),
    BrandPart.INTRO: ("video", "image"),
    BrandPart.OUTRO: ("video", "image"),
}
"""What each part can be."""


class SetBrand:
    """Look into the file and keep it."""

    name = "set_brand"

    def __init__(self, chats: Chats) -> None:
        self._chats = chats

    async def __call__(self, attempt: Attempt) -> None:
        job, (file,) = attempt.job, attempt.job.files
        part = job.payload_as(BrandPayload).part
        async with contextlib.AsyncExitStack() as stack:
            opened = await open_usable(attempt, file, stack)
            first = b""
            async for chunk in opened.chunks:
                first += chunk
                if len(first) >= SNIFF_BYTES:
                    break
        kind = kind_of_name(opened.name)
        # Some videos don't show what they are at their beginning; an image that doesn't is none.
        if (found := sniff(first)) is None and category_of(kind) == "image":
            raise JobEnded(LocalizedMessage("brand.damaged", {"name": file.name}))
        if category_of(found or kind) not in CATEGORIES[part]:
            raise JobEnded(LocalizedMessage(f"brand.how_{part}"))
        stored = ProjectFile(
            telegram_chat_id=job.telegram_chat_id,
            message_id=file.message_id or 0,
            session_id="",
            name=f"{part}.{kind_of_name(file.name)}",
            file_id=file.file_id,
            kind=file.kind,
            size_bytes=file.size,
            content_type=file.content_type,
            unique_id=file.unique_id,
        )
        await self._chats.brands.set_file(job.chat, part, stored)
        await attempt.responder.send("saved", LocalizedMessage(f"brand.saved_{part}"))
