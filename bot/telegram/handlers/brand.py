"""A chat's brand: ``/brand``, and its page of the settings."""

from telegram import Update

from bot.chats.brand import BrandPart
from bot.chats.key import ChatKey
from bot.jobs.buttons import RemoveBrandFile, SetBrandFormat, ShowBrand
from bot.jobs.generation_choice import RATIOS
from bot.jobs.messages import Button, ListMessage, LocalizedMessage
from bot.jobs.model import JobKind
from bot.jobs.payloads import BrandPayload
from bot.jobs.steps.add_brand import named_part
from bot.jobs.steps.set_brand import CATEGORIES
from bot.jobs.steps.show_settings import BACK
from bot.media.kinds import category_of, kind_of_name
from bot.telegram.handlers.button_presses import OLD_BUTTON, Press, PressReply
from bot.telegram.handlers.handler_family import (
    CommandInCaption,
    HandlerFamily,
    Handlers,
    TextCommandHandler,
    on_message,
)
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.reading.attachments import attachment_elsewhere, attachment_of
from bot.telegram.reading.commands import find_command
from bot.telegram.reading.request import words_of
from bot.telegram.receiving.application import Context

_OF_CLIP = "clip"


class BrandHandlers(HandlerFamily):
    """Handles ``/brand``, also under a file, and the buttons of the brand's settings."""

    def _handlers(self) -> Handlers:
        return [
            TextCommandHandler("brand", self._brand),
            on_message(CommandInCaption("brand"), self._brand),
            self._on_press(self._show, ShowBrand),
            self._on_press(self._set_format, SetBrandFormat),
            self._on_press(self._remove, RemoveBrandFile),
        ]

    async def _brand(self, update: Update, context: Context) -> None:
        """Show the brand, or have a file of it set: the one that the command comes with, or answers."""
        message, chats = message_of(update), self._chats
        command = find_command(words_of(message), context.bot.username)
        key, part = chat_key_of(message), named_part(command.words if command is not None else "")
        if part is None:
            return await self._submitter.reply(update, await self._view(key))
        if not await self._permissions.may_change_settings(update, await chats.get(key)):
            return await self._submitter.reply(update, LocalizedMessage("error.admins_only"))
        given = attachment_of(message)
        if given is None and message.reply_to_message is not None:
            given = attachment_of(message.reply_to_message)
        given = given or attachment_elsewhere(message)
        if given is None:
            return await self._submitter.reply(update, LocalizedMessage(f"brand.how_{part}"))
        card = await self._submitter.card(update, message)
        file = self._services.refusals.fitting(given, card)
        refusal = self._services.refusals.why_refused(file, card)
        if refusal is None and category_of(kind_of_name(file.name)) not in CATEGORIES[part]:
            refusal = LocalizedMessage(f"brand.how_{part}")
        if refusal is not None:
            return await self._submitter.reply(update, refusal)
        job = self._submitter.job(update, JobKind.BRAND, files=(file,), payload=BrandPayload(part=part))
        await self._submitter.enqueue(update, [job])

    async def _show(self, press: Press, action: ShowBrand) -> PressReply:
        return await self.show_view(press, await self._view(press.chat))

    async def _set_format(self, press: Press, action: SetBrandFormat) -> PressReply:
        ratio = "" if action.ratio == _OF_CLIP else action.ratio.replace("x", ":")
        if ratio not in ("", *RATIOS):
            return OLD_BUTTON
        await self.ensure_may_change_settings(press)
        await self._chats.brands.set_ratio(press.chat, ratio)
        return PressReply("toast.saved", show=await self._view(press.chat))

    async def _remove(self, press: Press, action: RemoveBrandFile) -> PressReply:
        await self.ensure_may_change_settings(press)
        await self._chats.brands.set_file(press.chat, action.file, None)
        return PressReply("toast.saved", show=await self._view(press.chat))

    async def _view(self, key: ChatKey) -> ListMessage:
        brand = await self._chats.brands.load(key)
        form = "brand.format" if brand.ratio else "brand.format_of_clip"
        lines = [LocalizedMessage(form, {"ratio": brand.ratio} if brand.ratio else {})]
        lines += [
            LocalizedMessage(f"brand.has_{part}" if part in brand.files else f"brand.how_{part}")
            for part in BrandPart
        ]
        buttons = [
            Button(text=ratio, is_chosen=ratio == brand.ratio, action=SetBrandFormat(ratio.replace(":", "x")))
            for ratio in RATIOS
        ]
        buttons.append(
            Button("button.format_of_clip", is_chosen=not brand.ratio, action=SetBrandFormat(_OF_CLIP))
        )
        buttons += [Button(f"button.remove_{part}", RemoveBrandFile(part)) for part in brand.files]
        return ListMessage(LocalizedMessage("brand.heading"), tuple(lines), (*buttons, BACK))
