"""Posting to a channel: which channels are known, which message is the caption, and what Telegram says."""

from typing import Any
from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis

from bot.chats.channels import MAX_CHANNELS
from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import Post, ShowMore, pack
from bot.jobs.model import Attachment, Job, JobKind
from bot.jobs.payloads import PostChoice, PostPayload
from bot.jobs.ports import ChatGone, FileGone
from bot.jobs.steps.post_to_channel import CAPTION_FOR
from bot.sandbox import samples
from bot.store.keys import channels_key
from bot.telegram.handlers.channel_posts import ChannelPosts
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.receiving.receiver import UpdateReceiver
from bot.telegram.sending.group_admins import CachedGroupAdmins
from bot.words import Words
from tests.telegram.conftest import Telegram
from tests.telegram.test_forged_presses import stored
from tests.telegram.test_group_life import joined
from tests.telegram.test_handlers import (
    ANN,
    BO,
    CHANNEL,
    GROUP,
    PRIVATE,
    VIDEO,
    Json,
    Received,
    docket,
    message,
    press,
    received,
    said_key,
)

__all__ = ["docket", "received"]  # fixtures

KEY = ChatKey(PRIVATE["id"])
POST, MORE = pack(Post()), pack(ShowMore("0123456789abcdef"))


def rights(received: Received, *, may_post: bool, by: Json = ANN) -> Json:
    """Telegram's news that somebody has made the bot an admin of the channel."""
    change = joined(received, now="administrator", kind="channel")
    change["my_chat_member"] |= {"chat": CHANNEL, "from": by}
    change["my_chat_member"]["new_chat_member"]["can_post_messages"] = may_post
    return change


def pressed(data: str, chat: Json = PRIVATE, sender: Json = ANN) -> Json:
    """A press of a button under a video."""
    update = press(data, sender, chat)
    keyboard = [[{"text": "x", "callback_data": data}]]
    update["callback_query"]["message"] |= {"video": VIDEO, "reply_markup": {"inline_keyboard": keyboard}}
    return update


async def waiting(received: Received, **post: Any) -> Job:
    """Let the chat's next message be the caption of a post."""
    await received(rights(received, may_post=True))
    (job,) = await received(pressed(POST))
    await received.chats.update(KEY, ChatFields(caption_job_id=job.id))
    return job


async def test_a_channel_is_known_as_long_as_its_admin_lets_the_bot_post(received: Received) -> None:
    assert await received(rights(received, may_post=True)) == []
    assert await received.chats.channels.all(ANN["id"]) == {CHANNEL["id"]: CHANNEL["title"]}
    await received(rights(received, may_post=False))
    assert await received.chats.channels.all(ANN["id"]) == {}
    await received.access.ban(BO["id"])
    await received(rights(received, may_post=True, by=BO))
    assert await received.chats.channels.all(BO["id"]) == {}
    await received.access.unban(BO["id"])
    await received.access.ban(CHANNEL["id"])
    await received(rights(received, may_post=True, by=BO))
    assert await received.chats.channels.all(BO["id"]) == {}


async def test_so_many_channels_are_kept_of_a_person(received: Received, redis: Redis) -> None:
    channels = received.chats.channels
    for number in range(MAX_CHANNELS + 1):
        await channels.save(1, number, "海" * 128)
    await channels.save(1, 0, "renamed")
    assert (await channels.all(1))[0] == "renamed"
    assert len(await channels.all(1)) == MAX_CHANNELS
    size_bytes = await redis.memory_usage(channels_key("1"), samples=0)
    assert size_bytes is not None
    assert size_bytes < MAX_CHANNELS * 500


async def test_the_button_is_there_for_whoever_has_a_channel_and_in_private_only(received: Received) -> None:
    async def labels(chat: Json) -> str:
        await received(pressed(MORE, chat))
        call = (await received.telegram.people.calls("editMessageReplyMarkup", state=["ok", "error"]))[-1]
        return str(call["params"]["reply_markup"])

    assert "Post to channel" not in await labels(PRIVATE)
    await received(rights(received, may_post=True))
    assert "Post to channel" in await labels(PRIVATE)
    assert "Post to channel" not in await labels(GROUP)
    assert await received(pressed(POST, GROUP)) == []


async def test_the_only_channel_is_chosen_already(received: Received) -> None:
    job = await waiting(received)
    assert (job.kind, job.files[0].file_id) == (JobKind.POST, VIDEO["file_id"])
    assert job.payload == PostPayload(channel_id=CHANNEL["id"], title=CHANNEL["title"])
    await received.chats.channels.save(ANN["id"], -1, "Other")
    (several,) = await received(pressed(POST))
    assert several.payload == PostPayload()
    (chosen,) = await received(pressed(pack(Post("-1", several.id))))
    assert chosen.payload_as(PostPayload).title == "Other"
    # One that is not known any more is asked for again.
    (unknown,) = await received(pressed(pack(Post("-2", several.id))))
    assert unknown.payload == PostPayload()


@pytest.mark.parametrize("text", ["export", "make it shorter", "thanks"])
async def test_the_next_message_is_the_caption_whatever_it_says(received: Received, text: str) -> None:
    await waiting(received)
    bold = {"entities": [{"type": "bold", "offset": 0, "length": 2}]}
    said = message(text, PRIVATE, message_id=20, **{"from": ANN}, **bold)
    (job,) = await received(said, times=2)
    assert (job.kind, job.payload_as(PostPayload).caption) == (JobKind.POST, f"<b>{text[:2]}</b>{text[2:]}")
    (request,) = await received(message("a cat", PRIVATE, message_id=21, **{"from": ANN}))
    assert request.kind is JobKind.EDIT


async def test_a_caption_that_is_too_long_is_asked_for_again(received: Received) -> None:
    await waiting(received)
    (told,) = await received(message("x" * 1025, PRIVATE, message_id=20, **{"from": ANN}))
    assert said_key(told) == "post.caption_too_long"
    (job,) = await received(message("x" * 1024, PRIVATE, message_id=21, **{"from": ANN}))
    assert job.kind is JobKind.POST


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"location": {"longitude": 1.0, "latitude": 2.0}}, id="a place"),
        pytest.param({"video": {"file_id": "x"}}, id="what can't be read"),
    ],
)
async def test_what_can_not_be_used_leaves_the_caption_awaited(received: Received, content: Json) -> None:
    await waiting(received)
    receiver = UpdateReceiver(received.application, received.telegram.clock, AsyncMock(), AsyncMock())
    odd = message("", PRIVATE, message_id=19, **{"from": ANN}, **content)
    await receiver.receive_one({"update_id": 900, **odd})
    (job,) = await received(message("a cat", PRIVATE, message_id=20, **{"from": ANN}))
    assert job.payload_as(PostPayload).caption == "a cat"


@pytest.mark.parametrize("comes_a_file", [True, False])
async def test_after_a_file_or_a_while_a_message_is_a_request_again(
    received: Received, *, comes_a_file: bool
) -> None:
    await waiting(received)
    if comes_a_file:
        await received(message("", PRIVATE, message_id=19, video=VIDEO, **{"from": ANN}))
    else:
        await received.telegram.clock.advance(CAPTION_FOR.total_seconds() + 1)
    jobs = await received(message("a cat", PRIVATE, message_id=20, **{"from": ANN}))
    # With a file that has just come the words are one request.
    assert [job.kind for job in jobs] == ([] if comes_a_file else [JobKind.EDIT])


async def test_an_older_question_leaves_the_caption_of_a_later_post_alone(received: Received) -> None:
    older, later = await waiting(received), await waiting(received)
    await received(pressed(pack(Post(PostChoice.DROP, older.id))))
    (job,) = await received(message("a cat", PRIVATE, message_id=20, **{"from": ANN}))
    assert (job.kind, job.files) == (JobKind.POST, later.files)


@pytest.mark.parametrize("text", ["cancel", "/cancel", "取消"])
async def test_a_post_that_waits_for_its_caption_can_be_cancelled(received: Received, text: str) -> None:
    await waiting(received)
    (told,) = await received(message(text, PRIVATE, message_id=20, **{"from": ANN}), times=2)
    assert said_key(told) == "post.dropped"
    (again,) = await received(message("/cancel", PRIVATE, message_id=21, **{"from": ANN}))
    assert said_key(again) == "job.nothing_to_cancel"
    (request,) = await received(message("a cat", PRIVATE, message_id=22, **{"from": ANN}))
    assert request.kind is JobKind.EDIT


@pytest.mark.parametrize(
    ("button", "kind"),
    [(Post(PostChoice.NO_CAPTION, "0123456789abcdef"), JobKind.POST), (Post(), JobKind.EDIT)],
)
async def test_a_reply_to_something_else_is_no_caption(
    received: Received, button: Post, kind: JobKind
) -> None:
    await waiting(received)
    keyboard = [[{"text": "x", "callback_data": pack(button)}]]
    replied = {
        **message("x", PRIVATE, message_id=9)["message"],
        "reply_markup": {"inline_keyboard": keyboard},
    }
    said = message("a cat", PRIVATE, message_id=20, reply_to_message=replied, **{"from": ANN})
    (job,) = await received(said)
    assert job.kind is kind


async def test_each_choice_goes_on_with_the_post_once(received: Received) -> None:
    job = await waiting(received)
    (plain,) = await received(pressed(pack(Post(PostChoice.NO_CAPTION, job.id))))
    assert plain.payload_as(PostPayload).caption == ""
    assert (await received.chats.get(KEY)).caption_job_id is None
    (approved,) = await received(pressed(pack(Post(PostChoice.POST, plain.id))))
    assert approved.payload_as(PostPayload).is_approved
    assert await received(pressed(pack(Post(PostChoice.POST, plain.id)))) == []
    (retry,) = await received(pressed(pack(Post(PostChoice.AGAIN, approved.id))))
    assert retry.payload == approved.payload
    assert await received(pressed(pack(Post(PostChoice.DROP, plain.id)))) == []


async def test_nothing_is_posted_to_a_channel_that_was_banned_since(received: Received) -> None:
    in_private = {**PRIVATE, "id": BO["id"]}  # Bans don't hold for the bot's admins, such as Ann.
    await received(rights(received, may_post=True, by=BO))
    (job,) = await received(pressed(POST, in_private, BO))
    (plain,) = await received(pressed(pack(Post(PostChoice.NO_CAPTION, job.id)), in_private, BO))
    await received.access.ban(CHANNEL["id"])
    assert await received(pressed(pack(Post(PostChoice.POST, plain.id)), in_private, BO)) == []
    await received.access.unban(CHANNEL["id"])
    (approved,) = await received(pressed(pack(Post(PostChoice.POST, plain.id)), in_private, BO))
    assert approved.payload_as(PostPayload).is_approved


async def test_what_was_not_shown_is_not_posted(received: Received) -> None:
    job = await waiting(received)
    (forged,) = await received(pressed(pack(Post(PostChoice.POST, job.id))))
    assert not forged.payload_as(PostPayload).is_approved
    in_private = {**PRIVATE, "id": BO["id"]}
    assert await received(pressed(pack(Post(PostChoice.POST, job.id)), in_private, BO)) == []


async def test_both_have_to_be_admins_who_may_post(telegram: Telegram, redis: Redis) -> None:
    ada, bo = [await telegram.people.person(name) for name in ("Ada", "Bo")]
    news = await telegram.people.new_chat("channel", "News", ada, bo)
    admins = CachedGroupAdmins(telegram.telegram_calls, redis)
    assert not await admins.may_post(news.id, ada.id)
    await news.set_member(telegram.people.bot, "administrator", by=ada, can_post_messages=False)
    assert not await admins.may_post(news.id, ada.id)
    await news.set_member(telegram.people.bot, "administrator", by=ada)
    assert await admins.may_post(news.id, ada.id)
    assert not await admins.may_post(news.id, bo.id)
    await news.set_member(bo, "administrator", by=ada, can_post_messages=False)
    assert not await admins.may_post(news.id, bo.id)
    await news.set_member(telegram.people.bot, "left", by=ada)
    assert not await admins.may_post(news.id, ada.id)
    assert not await admins.may_post(-1009, ada.id)


async def test_a_post_has_a_link_and_telegrams_refusals_are_told_apart(
    telegram: Telegram, tmp_path: Any
) -> None:
    ada = await telegram.people.person()
    await ada.open()
    news = await telegram.people.new_chat("channel", "News", ada, bot="administrator")
    clip = samples.make_video(tmp_path / "clip.mp4", 1, 160, 90, 10)
    sent = await telegram.bot.send_video(ada.chat.id, clip.read_bytes())
    assert sent.video
    file = Attachment(sent.video.file_id, "video", "clip.mp4", None, "video/mp4")
    responder = telegram.responder(telegram.job(ada.chat.id))
    link = await responder.post(news.id, file, "<b>Sea</b>")
    (post,) = await news.messages()
    assert link == f"https://t.me/c/{str(news.id).removeprefix('-100')}/{post.id}"
    assert (post.text, post.json["caption_entities"][0]["type"]) == ("Sea", "bold")
    await responder.send_again("preview", file, "Sea")
    assert (await ada.chat.messages(from_bots=True))[-1].text == "Sea"
    gone = Attachment("gone", "video", "clip.mp4", None, "video/mp4")
    with pytest.raises(FileGone):
        await responder.post(news.id, gone, "")
    with pytest.raises(FileGone):
        await responder.send_again("second", gone, "")
    await telegram.people.faults.drop("sendVideo", when="after")
    assert await responder.post(news.id, file, "") is None
    await news.set_member(telegram.people.bot, "administrator", by=ada, can_post_messages=False)
    with pytest.raises(ChatGone):
        await responder.post(news.id, file, "")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_fault_of_the_bot_is_told_and_changes_nothing(
    received: Received, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    job = await waiting(received)
    await received.chats.update(KEY, ChatFields(language=language))
    receiver = UpdateReceiver(received.application, received.telegram.clock, AsyncMock(), AsyncMock())
    before = {job.id for job in await stored(received)}
    failing = AsyncMock(side_effect=ZeroDivisionError)
    monkeypatch.setattr(JobSubmitter, "read", failing)
    monkeypatch.setattr(ChannelPosts, "_begin", failing)
    bodies = (
        message("make it shorter", PRIVATE, **{"from": ANN}),
        message("make it shorter", GROUP, **{"from": ANN}),
        pressed(POST),
    )
    for number, body in enumerate(bodies, 900):
        await receiver.receive_one({"update_id": number, **body})
    assert failing.await_count == 3
    (told,) = [job for job in await stored(received) if job.id not in before]
    assert (said_key(told), told.chat, told.language) == ("error.not_handled", KEY, language)
    await received.application.stop()
    assert await received.toast() == Words(language).plain("toast.not_handled")
    await received.application.start()
    assert (await received.chats.get(KEY)).caption_job_id == job.id
