"""Play the stand-in with unmodified aiogram and pyTelegramBotAPI, which the project doesn't depend on.

::

    uv run nemovideo-bot sandbox --only services
    uv run --no-project --with aiogram --with pyTelegramBotAPI \\
        python tests/sandbox/botapi/other_libraries.py URL CONTROL_URL TOKEN

All three are what the first command prints. Imports nothing of the project. Ends with an exit code of 1 where a
library can't parse an answer.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import traceback
import urllib.request
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

URL, CONTROL_URL, TOKEN = sys.argv[1:4]


def picture() -> bytes:
    """Return a PNG of 64 by 64 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + b"\x20\x80\x80" * 64) * 64)
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def control(action: str, **values: Any) -> Any:
    """Run an action of the stand-in's control API."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{CONTROL_URL}{action}", json.dumps(values).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


def scene() -> tuple[int, int, int]:
    """Return the IDs of a person, of a forum where the bot is an admin, and of a topic there."""
    control("flood_limits", off=True)
    person = control("add_user", first_name="Ada")["id"]
    control("write", user=person, chat=person, text="/start")
    forum = control("add_chat", type="supergroup", title="F", is_forum=True, creator=person)["id"]
    bot = int(TOKEN.partition(":")[0])
    control("set_member", chat=forum, member=bot, status="administrator", user=person)
    topic = control("add_topic", chat=forum, user=person, name="T")["message_thread_id"]
    return person, forum, topic


async def with_aiogram() -> list[str]:
    """Call the stand-in with aiogram; return what failed."""
    from aiogram import Bot, types
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    person, forum, topic = await asyncio.to_thread(scene)
    failed: list[str] = []
    file = types.BufferedInputFile(picture(), "picture.png")
    clip = types.BufferedInputFile(b"not really a clip", "clip.mp4")
    async with Bot(TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(URL))) as bot:

        async def run(name: str, call: Callable[[], Awaitable[Any]]) -> Any:
            try:
                return await call()
            except Exception:
                failed.append(f"aiogram {name}: {traceback.format_exc(limit=-1)}")

        await run("delete_webhook", bot.delete_webhook)
        await run("get_me", bot.get_me)
        await run("get_updates", bot.get_updates)
        text = await run("send_message", lambda: bot.send_message(person, "hello *there*"))
        at: dict[str, Any] = {"chat_id": person, "message_id": text.message_id}
        reply = types.ReplyParameters(message_id=text.message_id, quote="hello")
        await run("quote", lambda: bot.send_message(person, "x", reply_parameters=reply))
        await run("send_photo", lambda: bot.send_photo(person, file, caption="c"))
        await run("send_video", lambda: bot.send_video(person, clip, width=4, height=4, duration=1))
        await run("send_animation", lambda: bot.send_animation(person, clip))
        document = await run("send_document", lambda: bot.send_document(person, file))
        await run("get_file", lambda: bot.get_file(document.document.file_id))
        await run("download", lambda: bot.download(document.document))
        album = [types.InputMediaPhoto(media=file), types.InputMediaPhoto(media=file)]
        await run("send_media_group", lambda: bot.send_media_group(person, album))
        button = types.InlineKeyboardButton(text="b", callback_data="d")
        keys = types.InlineKeyboardMarkup(inline_keyboard=[[button]])
        await run("edit_message_text", lambda: bot.edit_message_text("new", **at, reply_markup=keys))
        await run(
            "press",
            lambda: asyncio.to_thread(
                control, "press", user=person, chat=person, message=at["message_id"], button="b"
            ),
        )
        updates = await run("get_updates", lambda: bot.get_updates(offset=-1))
        await run("answer_callback_query", lambda: bot.answer_callback_query(updates[0].callback_query.id))
        commands = [types.BotCommand(command="a", description="b")]
        await run("set_my_commands", lambda: bot.set_my_commands(commands))
        await run("get_my_commands", bot.get_my_commands)
        await run("send_chat_action", lambda: bot.send_chat_action(person, "typing"))
        like = [types.ReactionTypeEmoji(emoji="👍")]
        await run("set_message_reaction", lambda: bot.set_message_reaction(person, at["message_id"], like))
        await run("get_chat", lambda: bot.get_chat(forum))
        await run("get_chat_private", lambda: bot.get_chat(person))
        await run("get_chat_member", lambda: bot.get_chat_member(forum, bot.id))
        await run("get_chat_administrators", lambda: bot.get_chat_administrators(forum))
        await run("copy_message", lambda: bot.copy_message(forum, person, at["message_id"]))
        await run("forward_message", lambda: bot.forward_message(forum, person, at["message_id"]))
        await run("pin_chat_message", lambda: bot.pin_chat_message(forum, topic))
        made = await run("create_forum_topic", lambda: bot.create_forum_topic(forum, "made"))
        await run(
            "topic message", lambda: bot.send_message(forum, "x", message_thread_id=made.message_thread_id)
        )
        await run("edit_forum_topic", lambda: bot.edit_forum_topic(forum, topic, name="n"))
        await run("send_location", lambda: bot.send_location(person, 1.0, 2.0))
        await run("send_contact", lambda: bot.send_contact(person, "1", "Ada"))
        await run("send_dice", lambda: bot.send_dice(person))
        poll = await run("send_poll", lambda: bot.send_poll(person, "q", ["a", "b"]))
        await run("stop_poll", lambda: bot.stop_poll(person, poll.message_id))
        await run("get_user_profile_photos", lambda: bot.get_user_profile_photos(person))
        await run("get_my_star_balance", bot.get_my_star_balance)
        await run("get_webhook_info", bot.get_webhook_info)
        video = await run("send_video", lambda: bot.send_video(person, clip, width=4, height=4, duration=1))
        await with_modes(bot, person, video.video.file_id, run)
        await run("delete_message", lambda: bot.delete_message(**at))
    return failed


async def with_modes(bot: Any, person: int, file_id: str, run: Callable[..., Awaitable[Any]]) -> None:
    """Play guest mode and inline mode with aiogram: what people do comes as its types, and it answers with them."""
    from aiogram import types

    kinds = ["inline_query", "chosen_inline_result", "guest_message", "callback_query"]
    switches = {"inline": True, "inline_feedback": True, "guest": True}
    await asyncio.to_thread(control, "set_bot", bot=bot.id, **switches)
    group = await asyncio.to_thread(control, "add_chat", type="group", title="G", creator=person)
    name = (await bot.get_me()).username
    # So that these kinds are sent from here on.
    earlier = await run("get_updates", lambda: bot.get_updates(allowed_updates=kinds))
    first = earlier[-1].update_id + 1 if earlier else 0
    await asyncio.to_thread(control, "write", user=person, chat=group["id"], text=f"@{name} cut it")
    (update,) = await run("guest_message", lambda: bot.get_updates(first))
    text = types.InputTextMessageContent(message_text="At work")
    keys = types.InlineKeyboardMarkup(
        inline_keyboard=[[types.InlineKeyboardButton(text="b", callback_data="d")]]
    )
    result = types.InlineQueryResultArticle(id="a", title="t", input_message_content=text, reply_markup=keys)
    query_id = update.guest_message.guest_query_id
    sent = await run("answer_guest_query", lambda: bot.answer_guest_query(query_id, result))
    inline: dict[str, Any] = {"inline_message_id": sent.inline_message_id}
    await run("edit inline", lambda: bot.edit_message_text("Half", **inline, reply_markup=keys))
    (shown,) = await asyncio.to_thread(control, "messages", chat=group["id"], from_bots=True)
    press = {"user": person, "chat": group["id"], "message": shown["message_id"], "button": "b"}
    await asyncio.to_thread(control, "press", **press)
    (pressed,) = await run("inline press", lambda: bot.get_updates(update.update_id + 1))
    assert pressed.callback_query.inline_message_id == sent.inline_message_id
    await run("answer press", lambda: bot.answer_callback_query(pressed.callback_query.id))
    video = types.InputMediaVideo(media=file_id, caption="Done")
    await run("inline video", lambda: bot.edit_message_media(video, **inline))

    await asyncio.to_thread(control, "inline_query", user=person, query="cats")
    (typed,) = await run("inline_query", lambda: bot.get_updates(pressed.update_id + 1))
    cached = types.InlineQueryResultCachedVideo(id="v", video_file_id=file_id, title="t")
    await run(
        "answer_inline_query",
        lambda: bot.answer_inline_query(
            typed.inline_query.id, [result, cached], cache_time=0, is_personal=True
        ),
    )
    pick = {"id": typed.inline_query.id, "result": "v", "chat": group["id"]}
    await asyncio.to_thread(control, "pick", **pick)
    (chosen,) = await run("chosen_inline_result", lambda: bot.get_updates(typed.update_id + 1))
    assert chosen.chosen_inline_result.result_id == "v"


def with_telebot() -> list[str]:
    """Call the stand-in with pyTelegramBotAPI; return what failed."""
    import telebot
    from telebot import apihelper, types

    person, forum, topic = scene()
    failed: list[str] = []
    apihelper.API_URL = URL + "/bot{0}/{1}"
    apihelper.FILE_URL = URL + "/file/bot{0}/{1}"
    bot = telebot.TeleBot(TOKEN)

    def run(name: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception:
            failed.append(f"pyTelegramBotAPI {name}: {traceback.format_exc(limit=-1)}")

    run("get_me", bot.get_me)
    run("get_updates", lambda: bot.get_updates(timeout=0))
    text = run("send_message", lambda: bot.send_message(person, "hello there"))
    reply = types.ReplyParameters(text.message_id, quote="hello")
    run("quote", lambda: bot.send_message(person, "x", reply_parameters=reply))
    run("send_photo", lambda: bot.send_photo(person, picture()))
    run("send_video", lambda: bot.send_video(person, b"no clip", width=4, height=4, duration=1))
    run("send_animation", lambda: bot.send_animation(person, b"no clip"))
    document = run("send_document", lambda: bot.send_document(person, picture(), visible_file_name="a.png"))
    file = run("get_file", lambda: bot.get_file(document.document.file_id))
    run("download_file", lambda: bot.download_file(file.file_path))
    album = [types.InputMediaPhoto(picture()), types.InputMediaPhoto(picture())]
    run("send_media_group", lambda: bot.send_media_group(person, album))
    run("edit_message_text", lambda: bot.edit_message_text("new", person, text.message_id))
    run("set_my_commands", lambda: bot.set_my_commands([types.BotCommand("a", "b")]))
    run("send_chat_action", lambda: bot.send_chat_action(person, "typing"))
    like = [types.ReactionTypeEmoji("👍")]
    run("set_message_reaction", lambda: bot.set_message_reaction(person, text.message_id, like))
    run("get_chat", lambda: bot.get_chat(forum))
    run("get_chat_member", lambda: bot.get_chat_member(forum, bot.user.id))
    run("get_chat_administrators", lambda: bot.get_chat_administrators(forum))
    run("copy_message", lambda: bot.copy_message(forum, person, text.message_id))
    run("forward_message", lambda: bot.forward_message(forum, person, text.message_id))
    run("pin_chat_message", lambda: bot.pin_chat_message(forum, topic))
    run("create_forum_topic", lambda: bot.create_forum_topic(forum, "made"))
    run(
        "send_poll",
        lambda: bot.send_poll(person, "q", [types.InputPollOption("a"), types.InputPollOption("b")]),
    )
    run("delete_message", lambda: bot.delete_message(person, text.message_id))
    return failed


if __name__ == "__main__":
    _failed = asyncio.run(with_aiogram()) + with_telebot()
    print("\n".join(_failed) or "both libraries parse every answer")
    sys.exit(bool(_failed))
