"""What else can be made of a finished video: the button "More", and those that it shows."""

from telegram import InlineKeyboardMarkup

from bot.jobs.buttons import MakeExtract, OfferVariations, Post, RunSuggestion, ShowMore
from bot.jobs.messages import Button
from bot.jobs.model import JobKind
from bot.jobs.payloads import ExtractPayload
from bot.jobs.steps.make_extract import FORMS
from bot.telegram.handlers.button_presses import OLD_BUTTON, Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, on_press
from bot.telegram.handlers.job_buttons import without_button
from bot.telegram.reading.attachments import attachment_of
from bot.telegram.sending.keyboards import in_rows, inline_button


class MoreHandlers(HandlerFamily):
    """Handles these buttons."""

    @on_press
    async def _show(self, press: Press, action: ShowMore) -> PressReply:
        """Put the other buttons in the place of this one; links stay the last."""
        if not press.is_genuine:
            return OLD_BUTTON
        words = await self.words_for(press)
        extra = [Button("button.next_subtitles", RunSuggestion("subtitles"))]
        extra.append(Button("button.variations", OfferVariations()))
        extra += [Button(f"button.make_{form}", MakeExtract(form, action.job_id)) for form in FORMS]
        if press.chat.is_private and await self._chats.channels.all(press.chat.chat_id):
            extra.append(Button("button.post", Post()))
        markup = press.message.reply_markup
        shown = [button for row in markup.inline_keyboard for button in row] if markup is not None else []
        rest = [button for button in shown if button.callback_data != press.data]
        buttons = [button for button in rest if not button.url]
        buttons += [inline_button(button, words) for button in extra]
        buttons += [button for button in rest if button.url]
        return PressReply(buttons=InlineKeyboardMarkup(in_rows(buttons)))

    @on_press
    async def _make(self, press: Press, action: MakeExtract) -> PressReply:
        message = press.message
        file = attachment_of(message)
        if file is None or not press.is_genuine:
            return OLD_BUTTON
        others = without_button(message.reply_markup, press.data)
        payload = ExtractPayload(form=action.form, result_job_id=action.job_id)
        job = await self.job_of(press, JobKind.EXTRACT, files=(file,), payload=payload)
        if job is None:
            return PressReply("toast.sent_already", buttons=others)
        return await self.send_prompt(press, job, "toast.extract", others)
