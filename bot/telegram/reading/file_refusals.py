"""Which files are refused before anything is tried, and in which words."""

from __future__ import annotations

from dataclasses import dataclass

from bot.jobs.file_refusals import kind_refused, size_limit, size_refused, telegram_refused
from bot.jobs.messages import Bytes, LocalizedMessage, Param
from bot.jobs.model import Attachment
from bot.jobs.steps.text_file_prompt import MAX_PROMPT_BYTES, too_long
from bot.skills import Card
from bot.telegram.reading import attachments as media


@dataclass(frozen=True, slots=True)
class FileRefusals:
    """How large files may be.

    Args:
        fetch: Bytes of the largest file that the Bot API in use gives out.
        take: Bytes of the largest file that NemoVideo takes; a card may take less.
        send: Bytes of the largest file that can be sent to a chat.
    """

    fetch: int
    take: int
    send: int

    def refusal(self, file: Attachment, card: Card) -> LocalizedMessage | None:
        """Why a file can't be used, as far as Telegram tells; what it really is, is seen when it is opened."""
        size = file.size or 0
        if file.size == 0:
            return LocalizedMessage("error.file_empty", {"name": file.name})
        if file.is_text:
            return too_long(file.name) if size > MAX_PROMPT_BYTES else None
        if media.is_drawn(file):
            return LocalizedMessage("error.sticker_drawn")
        if not media.is_promising(file):
            return LocalizedMessage(
                "error.file_type", {"name": file.name, "kinds": " ".join(card.file_kinds)}
            )
        kind = media.taken_as(file)
        if card.is_picky and kind is not None and not card.takes(f"file.{kind}"):
            return kind_refused(file.name, card)
        if size > size_limit(self.take, card):
            return size_refused(self.take, card)
        if size > self.fetch:
            return telegram_refused(size, self.fetch)
        return None

    def how(self, card: Card) -> LocalizedMessage:
        """What can be sent, for those who ask."""
        limit = Bytes(min(self.fetch, size_limit(self.take, card)))
        params: dict[str, Param] = {
            "kinds": " ".join(card.file_kinds),
            "limit": limit,
            "send_limit": Bytes(self.send),
        }
        return LocalizedMessage("upload.how", params)
