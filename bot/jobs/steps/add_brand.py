"""Bring the chat's logo, intro or outro into a request that asks for it."""

import re
from dataclasses import replace
from typing import Final

from bot.chats.brand import BrandPart
from bot.chats.chats import Chats
from bot.jobs.model import MAX_PROMPT_CHARS, Attachment
from bot.jobs.payloads import EditPayload
from bot.jobs.worker.attempt import Attempt
from bot.words import Words

_NAMES: Final = {
    BrandPart.LOGO: r"logos?|watermark|标志|台标|水印",
    BrandPart.INTRO: r"intros?|opener|片头",
    BrandPart.OUTRO: r"outros?|end ?card|片尾",
}
_ANY: Final = "|".join(_NAMES.values())
_ASKED: Final = re.compile(
    r"(?:(?<!not )(?<!n't )(?<!n\u2019t )(?<!never )(?<!without )"
    r"\b(?:add(?:ing)?|with|put|use|using|include|insert|place|show|apply|attach|begin|start|open|end|close|finish)\b"
    rf"[^.!?\n]{{0,60}}?\b(?:my|our)\s+(?:{_ANY})(?:(?:\s*(?:,|and|&|plus)\s*)+(?:my |our |the )?(?:{_ANY})){{0,2}}"
    r"|(?<![不别])(?<!不要)(?<!不用)"
    rf"[加放用带配贴打接](?:[^。！？\n]{{0,15}}?)我们?的?(?:{_ANY})(?:\s*[和、跟及与]\s*(?:我们?的?)?(?:{_ANY})){{0,2}})",
    re.IGNORECASE,
)


def asked_parts(text: str) -> tuple[BrandPart, ...]:
    """Return which files of the chat's own brand a request asks for, by its words."""
    asked = " ".join(match.group() for match in _ASKED.finditer(text))
    return tuple(part for part in BrandPart if asked and re.search(_NAMES[part], asked, re.IGNORECASE))


def named_part(text: str) -> BrandPart | None:
    """Return the part of a brand that a text names first in this order: logo, intro, outro."""
    return next((part for part in BrandPart if re.search(_NAMES[part], text, re.IGNORECASE)), None)


async def add_brand(chats: Chats, attempt: Attempt) -> None:
    """Add the brand's files that the request names to its own, and tell the agent what each of them is."""
    job = attempt.job
    if not (parts := asked_parts(job.prompt)):
        return
    brand = await chats.brands.load(job.chat)
    named = [(part, brand.files[part]) for part in parts if part in brand.files]
    added = tuple(Attachment.from_project_file(file, job.telegram_chat_id) for _, file in named)
    words = Words(job.language)
    said = "".join(f"\n\n{words.plain(f'prompt.brand_{part}', name=file.name)}" for part, file in named)
    payload = job.payload_as(EditPayload)
    # Brand files aren't what the request is about.
    supporting = (*payload.supporting_file_ids, *(file.file_id for file in added))
    attempt.job = replace(
        job,
        prompt=f"{job.prompt[: MAX_PROMPT_CHARS - len(said)]}{said}",
        files=(*job.files, *added),
        payload=payload.changed(supporting_file_ids=supporting),
    )
