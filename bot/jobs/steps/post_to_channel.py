"""Post a finished video to a channel: its channel and its caption are asked for, then it is shown and approved."""

from datetime import timedelta
from typing import Final

from bot.chats.chats import ChatFields, Chats
from bot.jobs.buttons import Post
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import Button, LocalizedMessage, Param
from bot.jobs.model import JobState
from bot.jobs.payloads import PostChoice, PostPayload
from bot.jobs.ports import ChatGone, FileGone, GroupAdmins
from bot.jobs.worker.attempt import Attempt, JobEnded

CAPTION_FOR: Final = timedelta(minutes=15)
"""How long after the press the next message is taken for the caption."""


class Posting(Checkpoint):
    """Saved right before the video is posted, so that it isn't posted twice, and again with the outcome."""

    name = "posting"
    link: str | None = None  # the post's address; ``None`` while nobody knows whether it is there


class PostToChannel:
    """Ask for what is missing, one thing a job, and post once all of it is there.

    Whether the bot and the person may post is looked up each time: it may have changed since.
    """

    name = "post_to_channel"

    def __init__(self, chats: Chats, group_admins: GroupAdmins) -> None:
        self._chats = chats
        self._group_admins = group_admins

    async def __call__(self, attempt: Attempt) -> None:
        post, send = attempt.job.payload_as(PostPayload), attempt.responder.send
        about: dict[str, Param] = {"channel": post.title}
        if attempt.load(Posting) is None:
            if not post.channel_id:
                return await send("channels", await self._channels(attempt))
            if not await self._group_admins.may_post(post.channel_id, attempt.job.requester_id):
                raise _ended(attempt, "post.not_allowed")
        if post.caption is None:
            await self._chats.update(attempt.job.chat, ChatFields(caption_job_id=attempt.job.id))
            buttons = _buttons(attempt, PostChoice.NO_CAPTION, PostChoice.DROP)
            return await send("caption", LocalizedMessage("post.caption", about, buttons))
        if post.is_approved:
            return await self._post(attempt, post.caption)
        try:
            await attempt.responder.send_again("preview", attempt.job.files[0], post.caption)
        except FileGone:
            raise _ended(attempt, "post.file_gone") from None
        buttons = _buttons(attempt, PostChoice.POST, PostChoice.DROP)
        return await send("sure", LocalizedMessage("post.sure", about, buttons))

    async def _channels(self, attempt: Attempt) -> LocalizedMessage:
        """Ask in which of the person's channels to post."""
        requester_id = attempt.job.requester_id
        buttons = [
            Button(text=title, action=Post(str(channel_id), attempt.job.id))
            for channel_id, title in (await self._chats.channels.all(requester_id)).items()
            if await self._group_admins.may_post(channel_id, requester_id)
        ]
        if not buttons:
            raise _ended(attempt, "post.nowhere")
        return LocalizedMessage("post.where", buttons=(*buttons, *_buttons(attempt, PostChoice.DROP)))

    async def _post(self, attempt: Attempt, caption: str) -> None:
        post, posting = attempt.job.payload_as(PostPayload), attempt.load(Posting)
        if posting is None:
            await attempt.save(Posting())
            try:
                link = await attempt.responder.post(post.channel_id, attempt.job.files[0], caption)
            except Exception as error:
                await attempt.delete(Posting)  # Refused, or never sent.
                if isinstance(error, ChatGone | FileGone):
                    key = "post.file_gone" if isinstance(error, FileGone) else "post.not_allowed"
                    raise _ended(attempt, key) from error
                raise
            posting = Posting(link=link)
            await attempt.save(posting)
        if posting.link is None:
            raise _ended(attempt, "post.unknown")
        open_post = (Button("button.open_post", url=posting.link),)
        await attempt.responder.send(
            "posted", LocalizedMessage("post.done", {"channel": post.title}, open_post)
        )


def _ended(attempt: Attempt, key: str) -> JobEnded:
    """End a job that posted nothing, or doesn't know whether it did, with a button to try again."""
    buttons = () if key == "post.file_gone" else _buttons(attempt, PostChoice.AGAIN)
    title = attempt.job.payload_as(PostPayload).title
    return JobEnded(LocalizedMessage(key, {"channel": title}, buttons), JobState.DONE)


def _buttons(attempt: Attempt, *choices: PostChoice) -> tuple[Button, ...]:
    return tuple(Button(f"button.post_{one}", Post(one, attempt.job.id)) for one in choices)
