"""What an unmodified python-telegram-bot does with it."""

import asyncio
import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
import telegram
from telegram import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaPhoto,
    InputMediaVideo,
    ReplyParameters,
    Update,
)
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, RetryAfter

from bot.sandbox.botapi import FloodLimits

from .conftest import HandClock, Sandbox, Start


async def test_a_conversation_with_buttons(sandbox: Sandbox) -> None:
    bot, ada = sandbox.bot, await sandbox.people.person("Ada", language_code="de", is_premium=True)
    await ada.start("skill_music")
    (update,) = await bot.get_updates(timeout=5)
    assert update.message is not None
    assert update.message.text == "/start skill_music"
    assert update.message.from_user is not None
    assert update.message.from_user.language_code == "de"
    assert update.message.entities[0].type == "bot_command"
    assert update.message.entities[0].length == 6

    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Cancel", callback_data="v1:cancel")]])
    sent = await bot.send_message(
        ada.id,
        "<b>Working</b> on it",
        parse_mode="HTML",
        reply_markup=keyboard,
        reply_parameters=ReplyParameters(update.message.message_id),
    )
    assert sent.text == "Working on it"
    assert sent.entities[0].type == "bold"
    assert sent.reply_to_message is not None
    assert sent.reply_to_message.text == "/start skill_music"
    assert sent.reply_markup == keyboard
    assert sent.from_user == bot.bot

    shown = await ada.chat.wait(matching="Working")
    assert shown.buttons == ["Cancel"]
    pressing = asyncio.create_task(ada.press(shown, "cancel"))
    (update,) = await bot.get_updates(offset=update.update_id + 1, timeout=5)
    query = update.callback_query
    assert query is not None
    assert query.data == "v1:cancel"
    assert query.message == sent
    await bot.answer_callback_query(query.id, "Cancelled", show_alert=True)
    assert await pressing == {"text": "Cancelled", "show_alert": True, "url": ""}

    edited = await bot.edit_message_text("Stopped", ada.id, sent.message_id)
    assert isinstance(edited, telegram.Message)
    assert edited.text == "Stopped"
    assert edited.edit_date is not None
    assert edited.reply_markup is None
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("Stopped", ada.id, sent.message_id)
    await bot.delete_message(ada.id, sent.message_id)
    (gone,) = await ada.chat.messages(only_deleted=True)
    assert [version["text"] for version in gone.versions] == ["Working on it", "Stopped"]


async def test_files_go_both_ways(
    sandbox: Sandbox, clip: Path, picture: Path, clip_data: bytes, picture_data: bytes
) -> None:
    bot, ada = sandbox.bot, await sandbox.people.person()
    await ada.send_file("video", clip, caption="trim it", width=640, height=480, duration=20)
    (update,) = await bot.get_updates(timeout=5)
    assert update.message is not None
    assert update.message.video is not None
    video = update.message.video
    assert (video.width, video.duration, video.file_name) == (640, timedelta(seconds=20), "clip.mp4")
    assert video.mime_type == "video/mp4"
    assert video.file_size == len(clip_data)
    file = await bot.get_file(video.file_id)
    assert bytes(await file.download_as_bytearray()) == clip_data

    thumbnail = picture.with_suffix(".jpg")
    with telegram_image(picture) as small:
        small.save(thumbnail, "JPEG")
    with clip.open("rb") as handle:
        sent = await bot.send_video(
            ada.id,
            InputFile(handle, filename="done.mp4", read_file_handle=False),
            caption="*done*",
            parse_mode="MarkdownV2",
            width=1280,
            height=720,
            duration=61,
            thumbnail=thumbnail,
            cover=picture_data,
            supports_streaming=True,
        )
    assert sent.video is not None
    assert sent.video.thumbnail is not None
    assert (sent.video.width, sent.video.height, sent.video.file_name) == (1280, 720, "done.mp4")
    assert (sent.video.thumbnail.width, sent.video.thumbnail.height) == (320, 160)
    assert sent.caption == "done"
    assert sent.caption_entities[0].type == "bold"
    assert await sandbox.people.download(sent.video.file_id) == clip_data

    assert sent.video.cover
    assert sent.video.cover[-1].width == 1000
    again = await bot.send_document(ada.id, sent.video.file_id)
    assert again.video is not None
    assert again.video.file_unique_id == sent.video.file_unique_id
    photo = await bot.send_photo(ada.id, picture)
    assert [size.width for size in photo.photo] == [90, 320, 800, 1000]
    with pytest.raises(BadRequest, match=r"(?i)can't use file of type photo as video"):
        await bot.send_video(ada.id, photo.photo[-1].file_id)
    call = (await sandbox.people.calls("sendVideo"))[0]
    assert call["params"]["video"]["sha256"] == hashlib.sha256(clip_data).hexdigest()


def telegram_image(picture: Path):  # type: ignore[no-untyped-def]  # Pillow's type is long
    from PIL import Image

    image = Image.open(picture)
    image.thumbnail((320, 320))
    return image


async def test_every_kind_of_media_comes_back_as_itself(sandbox: Sandbox, clip_data: bytes) -> None:
    bot, ada = sandbox.bot, await sandbox.people.person()
    await ada.open()
    data = clip_data
    sent = [
        await bot.send_animation(ada.id, data),
        await bot.send_audio(ada.id, data, title="Song", performer="Band", duration=3),
        await bot.send_document(ada.id, data, filename="a.pdf"),
        await bot.send_voice(ada.id, data),
        await bot.send_video_note(ada.id, data),
        await bot.send_sticker(ada.id, data),
    ]
    kinds = ["animation", "audio", "document", "voice", "video_note", "sticker"]
    assert [getattr(message, kind) is not None for message, kind in zip(sent, kinds, strict=True)] == [
        True
    ] * 6
    assert sent[0].animation is not None
    assert sent[0].animation.width == 64
    assert sent[1].audio is not None
    assert sent[1].audio.title == "Song"
    assert sent[2].document is not None
    assert sent[2].document.mime_type == "application/pdf"


async def test_albums(
    sandbox: Sandbox, clip: Path, picture: Path, clip_data: bytes, picture_data: bytes
) -> None:
    bot, ada = sandbox.bot, await sandbox.people.person()
    await ada.send_album([("video", clip), ("photo", picture)], caption="both", caption_on=1)
    first, second = await bot.get_updates(timeout=5)
    assert first.message is not None
    assert second.message is not None
    assert first.message.media_group_id == second.message.media_group_id is not None
    assert (first.message.caption, second.message.caption) == (None, "both")

    sent = await bot.send_media_group(
        ada.id,
        [
            InputMediaVideo(clip_data, caption="<i>one</i>", parse_mode="HTML"),
            InputMediaPhoto(picture_data),
        ],
    )
    assert len({message.media_group_id for message in sent}) == 1
    assert sent[0].video is not None
    assert sent[0].caption_entities[0].type == "italic"
    edited = await bot.edit_message_media(InputMediaPhoto(picture_data), ada.id, sent[0].message_id)
    assert isinstance(edited, telegram.Message)
    assert edited.photo
    assert not edited.video
    text = await bot.send_message(ada.id, "soon a picture")
    turned = await bot.edit_message_media(InputMediaPhoto(picture_data), ada.id, text.message_id)
    assert isinstance(turned, telegram.Message)
    assert turned.photo
    assert turned.text is None


async def test_forwards_copies_reactions_and_pins(sandbox: Sandbox) -> None:
    bot, ada = sandbox.bot, await sandbox.people.person()
    bob = await sandbox.people.person("Bob")
    await bob.start()
    said = await ada.say("look at https://example.org now")
    assert said.json["entities"] == [{"type": "url", "offset": 8, "length": 19}]
    forwarded = await bot.forward_message(bob.id, ada.id, said.id)
    assert forwarded.forward_origin is not None
    assert forwarded.forward_origin.to_dict()["sender_user"]["id"] == ada.id
    copied = await bot.copy_message(bob.id, ada.id, said.id)
    assert (await bob.chat.wait(message=copied.message_id)).text == said.text
    await bob.forward(said, hidden=True)
    update = (await bot.get_updates(offset=-1))[0]
    assert update.message is not None
    assert update.message.forward_origin is not None
    assert update.message.forward_origin.type == "hidden_user"
    assert await bot.set_message_reaction(ada.id, said.id, "👀")
    assert await bot.pin_chat_message(ada.id, said.id)
    info = await bot.get_chat(ada.id)
    assert info.pinned_message is not None
    assert info.pinned_message.text == said.text
    assert await bot.send_chat_action(ada.id, "upload_video")
    assert await bot.send_message_draft(ada.id, 7, "thinking")
    state = await sandbox.people.ask("state")
    assert state["chat_actions"][0]["action"] == "upload_video"
    assert state["drafts"][0]["text"] == "thinking"
    assert state["reactions"][0]["reaction"] == [{"type": "emoji", "emoji": "👀"}]


async def test_its_profile(sandbox: Sandbox) -> None:
    bot = sandbox.bot
    scope = BotCommandScopeAllPrivateChats()
    await bot.set_my_commands([BotCommand("new", "Start over")], scope=scope, language_code="zh")
    assert await bot.get_my_commands(scope, "zh") == (BotCommand("new", "Start over"),)
    assert await bot.get_my_commands() == ()
    await bot.delete_my_commands(scope, "zh")
    assert await bot.get_my_commands(scope, "zh") == ()
    await bot.set_my_description("edits video")
    assert (await bot.get_my_description("en")).description == "edits video"
    await bot.set_my_short_description("short", "zh")
    assert (await bot.get_my_short_description()).short_description == ""
    await bot.set_my_name("Nemo")
    assert (await bot.get_my_name()).name == "Nemo"
    assert (await bot.get_chat_menu_button()).type == "commands"


async def test_a_group_that_moves(sandbox: Sandbox) -> None:
    bot, ada = sandbox.bot, await sandbox.people.person()
    group = await sandbox.people.new_chat("group", "Friends", ada)
    sent = await bot.send_message(group.id, "hello")
    new = await group.migrate(ada)
    with pytest.raises(ChatMigrated) as moved:
        await bot.send_message(group.id, "still there?")
    assert moved.value.new_chat_id == new.id
    leaving, arriving = await bot.get_updates()
    assert leaving.message is not None
    assert leaving.message.migrate_to_chat_id == new.id
    assert arriving.message is not None
    assert arriving.message.migrate_from_chat_id == group.id
    fresh = await bot.send_message(new.id, "here")
    assert fresh.message_id == 2
    assert fresh.chat.type == "supergroup"
    assert sent.message_id != 2


async def test_flood_limits(start: Start) -> None:
    clock = HandClock()
    sandbox = await start(flood_limits=FloodLimits(chat_burst=3, group_per_min=4), clock=clock)
    bot, ada = sandbox.bot, await sandbox.people.person()
    await ada.open()
    for _ in range(3):
        await bot.send_message(ada.id, "quick")
    with pytest.raises(RetryAfter) as flood:
        await bot.send_message(ada.id, "too quick")
    assert flood.value.retry_after == timedelta(seconds=1)
    clock.pass_time(1)
    await bot.send_message(ada.id, "fine")

    group = await sandbox.people.new_chat("supergroup", "Many", ada)
    for _ in range(4):
        clock.pass_time(1)
        await bot.send_message(group.id, "to all")
    clock.pass_time(1)
    body = await sandbox.call("sendMessage", chat_id=group.id, text="too many")
    assert body["error_code"] == 429
    assert body["parameters"]["retry_after"] == 11
    assert body["description"] == "Too Many Requests: retry after 11"


async def test_who_may_be_written_to(sandbox: Sandbox) -> None:
    bot, ada = sandbox.bot, await sandbox.people.person()
    with pytest.raises(Forbidden, match="bot can't initiate conversation with a user"):
        await bot.send_message(ada.id, "hi")
    await ada.start()
    await ada.block()
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(ada.id, "hi")
    await ada.block(False)
    await bot.send_message(ada.id, "hi")
    group = await sandbox.people.new_chat("group", "G", ada)
    await group.set_member(sandbox.people.bot, "kicked", by=ada)
    with pytest.raises(Forbidden, match="bot was kicked from the group chat"):
        await bot.send_message(group.id, "hi")
    updates = await bot.get_updates()
    members = [update.my_chat_member for update in updates if update.my_chat_member]
    assert [one.new_chat_member.status for one in members] == ["kicked", "member", "kicked"]


async def test_polls_and_conflicts(sandbox: Sandbox) -> None:
    bot, ada = sandbox.bot, await sandbox.people.person()
    waiting = asyncio.create_task(bot.get_updates(timeout=20))
    while not sandbox.world.bots[bot.token].queue.is_polled:
        await sandbox.call("getMe")
    second = asyncio.create_task(sandbox.call("getUpdates", timeout=20))
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await waiting
    await ada.say("one")
    await ada.say("two")
    first = Update.de_json((await second)["result"][0], bot)
    assert [update.update_id for update in await bot.get_updates()] == [first.update_id, first.update_id + 1]
    assert [update.update_id for update in await bot.get_updates(limit=1)] == [first.update_id]
    assert not await bot.get_updates(offset=first.update_id + 2)
    assert await sandbox.people.confirmed(0)
    await sandbox.people.ask("repeat_update")
    (repeated,) = await bot.get_updates(offset=first.update_id + 1)
    assert repeated.update_id == first.update_id + 1
    with pytest.raises(InvalidToken):
        async with telegram.Bot("1:nobody", base_url=f"{sandbox.url}/bot"):
            pass


async def test_reactions_come_only_when_asked_for(sandbox: Sandbox) -> None:
    bot, ada = sandbox.bot, await sandbox.people.person()
    said = await ada.say("hi")
    await ada.react(said, "👍")
    assert len(await bot.get_updates(allowed_updates=Update.ALL_TYPES)) == 1
    await ada.react(said, "🔥")
    assert (await bot.get_updates(offset=-1))[0].message_reaction is not None
