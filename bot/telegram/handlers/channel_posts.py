"""Posting a finished video to a channel: the buttons, and the message that is its caption."""

from telegram import Message, Update
from telegram.constants import MessageLimit

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import Post
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Job, JobKind
from bot.jobs.payloads import PostChoice, PostPayload
from bot.jobs.steps.post_to_channel import CAPTION_FOR
from bot.telegram.handlers.button_presses import (
    NO_BUTTONS,
    OLD_BUTTON,
    Press,
    PressReply,
    action_of,
    buttons_of,
)
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers
from bot.telegram.handlers.job_submitter import ANSWER_MARK
from bot.telegram.reading.addressing import chat_key_of, is_reply, message_of
from bot.telegram.reading.attachments import attachment_of
from bot.telegram.sending.formatting import visible_length
from bot.words import Html

_NO_CAPTION_AWAITED = ChatFields(caption_job_id=None)


class ChannelPosts(HandlerFamily):
    """Handles the buttons that post a video to a channel, and the message with its caption.

    In private chats only: a group's videos belong to the group.
    """

    def _handlers(self) -> Handlers:
        return [self._on_press(self._continue_post, Post)]

    async def take_caption(self, update: Update) -> bool:
        """Take a message as the caption that a post waits for, and return whether it is one."""
        message = message_of(update)
        if (asking := await self._asking_job(update)) is None:
            return False
        if not message.text:
            if attachment_of(message) is not None:  # It begins something else.
                await self._chats.update(asking.chat, _NO_CAPTION_AWAITED)
            return False
        if is_reply(message) and not _asks_for_caption(message.reply_to_message):
            return False
        if visible_length(Html(message.text_html)) > MessageLimit.CAPTION_LENGTH:
            params = {"limit": int(MessageLimit.CAPTION_LENGTH)}
            await self._submitter.reply(update, LocalizedMessage("post.caption_too_long", params))
            return True
        payload = asking.payload_as(PostPayload).changed(caption=message.text_html)
        job = self._submitter.job(update, JobKind.POST, files=asking.files, payload=payload)
        await self._submitter.enqueue(update, [job])
        await self._chats.update(asking.chat, _NO_CAPTION_AWAITED)
        await self._submitter.record(message, ANSWER_MARK)
        return True

    async def drop(self, update: Update) -> bool:
        """Drop the post that waits for its caption, and return whether there was one."""
        if (asking := await self._asking_job(update)) is None:
            return False
        await self._submitter.reply(update, LocalizedMessage("post.dropped"))
        await self._chats.update(asking.chat, _NO_CAPTION_AWAITED)
        return True

    async def _asking_job(self, update: Update) -> Job | None:
        """Return the job that asked for a caption and still waits for it."""
        chat = await self._submitter.chat(update, chat_key_of(message_of(update)))
        if chat.caption_job_id is None:
            return None
        status = await self._job_queue.find(chat.key, chat.caption_job_id)
        if status is None or status.job.asked_at + CAPTION_FOR < self._clock.now():
            return None
        return status.job

    async def _begin(self, press: Press) -> PressReply:
        file, channels = attachment_of(press.message), await self._channels(press.chat)
        if file is None or not channels:
            return OLD_BUTTON
        (channel_id, title), *others = channels.items()
        payload = PostPayload() if others else PostPayload(channel_id=channel_id, title=title)
        job = self._submitter.job(press.update, JobKind.POST, files=(file,), payload=payload)
        await self._submitter.enqueue(press.update, [job])
        return PressReply()

    async def _continue_post(self, press: Press, action: Post) -> PressReply:
        if not action.choice:
            return await self._begin(press)
        asking = await self.job_behind(press, action.job_id)
        if asking.kind is not JobKind.POST:
            return OLD_BUTTON
        post = asking.payload_as(PostPayload)
        match action.choice:
            case PostChoice.DROP | PostChoice.NO_CAPTION:
                chat = await self._chats.get(press.chat)
                if chat.caption_job_id == action.job_id:  # Not the caption of a later post.
                    await self._chats.update(press.chat, _NO_CAPTION_AWAITED)
                if action.choice == PostChoice.DROP:
                    return PressReply(show=LocalizedMessage("post.dropped"))
                post = post.changed(caption="")
            case PostChoice.POST:
                post = post.changed(is_approved=post.caption is not None)
            case PostChoice.AGAIN:
                pass
            case channel_id:
                # If the store no longer has it, ask again.
                channels = await self._channels(press.chat)
                chosen = next((one for one in channels if str(one) == channel_id), 0)
                post = post.changed(channel_id=chosen, title=channels.get(chosen, ""))
        if await self._services.access.why_denied(press.chat.chat_id, post.channel_id) is not None:
            return OLD_BUTTON  # The channel has been banned since.
        job = await self.job_of(press, JobKind.POST, message_id=None, files=asking.files, payload=post)
        if job is not None:
            await self._submitter.enqueue(press.update, [job])
        return PressReply(buttons=NO_BUTTONS)

    async def _channels(self, chat: ChatKey) -> dict[int, str]:
        return await self._chats.channels.all(chat.chat_id) if chat.is_private else {}


def _asks_for_caption(message: Message | None) -> bool:
    actions = map(action_of, buttons_of(message))
    return any(isinstance(one, Post) and one.choice == PostChoice.NO_CAPTION for one in actions)
