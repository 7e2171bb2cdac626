"""Which files are refused before anything is tried.

The messages that say so, also with a button to upload in the browser, are in ``jobs/refusal_messages.py``.
Where Telegram gives no size, a file turns out too large only when it is opened (``sending/downloads.py``).
"""

from dataclasses import dataclass, replace

from bot.jobs.messages import Bytes, LocalizedMessage, Param
from bot.jobs.model import Attachment
from bot.jobs.queue.album import RequestPart
from bot.jobs.refusal_messages import kind_refused, kind_unusable, size_limit, size_refused, telegram_refused
from bot.jobs.steps.text_files import MAX_PROMPT_BYTES, too_long
from bot.media.kinds import fitting_name
from bot.skills.cards import SkillCard
from bot.telegram.reading.attachments import certainly_unusable, upload_kind


@dataclass(frozen=True, slots=True)
class FileRefusals:
    """Refuses files by size or kind."""

    download_limit: int  # bytes of the largest file that the Bot API server in use gives out
    upload_limit: int  # bytes of the largest file that NemoVideo takes; a card may take less
    send_limit: int  # bytes of the largest file that can be sent to a chat

    def checked(self, part: RequestPart, card: SkillCard) -> RequestPart:
        """Return a part with a file that can be used, or with the reason why there is none."""
        if not part.files:
            return part
        file = self.fitting(part.files[0], card)
        refusal = self.why_refused(file, card)
        # The project's latest video needs no upload, however large it is.
        return replace(part, files=(file,) if refusal is None or file.is_result else (), refusal=refusal)

    def fitting(self, file: Attachment, card: SkillCard) -> Attachment:
        """Return the best version of a video that can be fetched, the original where that is possible."""
        limit = min(self.download_limit, size_limit(self.upload_limit, card))
        # Telegram makes smaller versions of large videos: one of unknown size counts as too large.
        if file.size is None or file.size > limit:
            fitting = [one for one in file.variants if one.size is not None and one.size <= limit]
            # Other codecs than H.264 play on some devices only.
            best = max(fitting, key=lambda one: (one.codec == "h264", one.width * one.height), default=None)
            if best is not None:
                name = fitting_name(file.name, "mp4")
                file = replace(
                    file,
                    file_id=best.file_id,
                    name=name,
                    size=best.size,
                    width=best.width,
                    height=best.height,
                )
        return replace(file, variants=())

    def why_refused(self, file: Attachment, card: SkillCard) -> LocalizedMessage | None:
        """Say why a file can't be used, by what Telegram tells of it; ``None`` if it may be usable."""
        size = file.size or 0
        if file.size == 0:
            return LocalizedMessage("error.file_empty", {"name": file.name})
        if file.is_text:
            return too_long(file.name) if size > MAX_PROMPT_BYTES else None
        if file.name.lower().endswith(".tgs"):  # It holds no images but how to draw them.
            return LocalizedMessage("error.sticker_drawn")
        if (unusable := certainly_unusable(file)) is not None:
            return kind_unusable(file.name, unusable)
        kind = upload_kind(file)
        if card.restricts_kinds and kind is not None and not card.takes(f"file.{kind}"):
            return kind_refused(file.name, card)
        if size > size_limit(self.upload_limit, card):
            return size_refused(self.upload_limit, card)
        if size > self.download_limit:
            return telegram_refused(size, self.download_limit)
        return None

    def upload_help(self, card: SkillCard) -> LocalizedMessage:
        """Say which files can be sent to the bot."""
        limit = Bytes(min(self.download_limit, size_limit(self.upload_limit, card)))
        params: dict[str, Param] = {
            "kinds": " ".join(card.file_kinds),
            "limit": limit,
            "send_limit": Bytes(self.send_limit),
        }
        if not card.best_kinds:
            return LocalizedMessage("upload.how", params)
        return LocalizedMessage("upload.how_best", {**params, "best": card.best_formats})
