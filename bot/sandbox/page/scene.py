"""People and chats of a new chat page."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.sandbox.botapi.client import People
from bot.sandbox.nemovideo.world import World
from bot.sandbox.page import clips


def add_accounts(nemo: World) -> None:
    """Create registered accounts of NemoVideo, whose tokens can be tried with /login: one without export.

    Args:
        nemo: The state of NemoVideo's stand-in.
    """
    nemo.accounts.register(credits_=1000)
    nemo.accounts.register(credits_=200, plan="free", may_render=False)


async def set_scene(people: People, clips_dir: Path) -> None:
    """Create the people and their chats.

    Two private chats in English and Chinese, a group, a forum with topics, and a channel without the bot, from
    which videos can be forwarded.

    Args:
        people: Telegram's control API.
        clips_dir: Directory for sample clips.
    """
    ann = await people.person("Ann", language_code="en")
    ming = await people.person("小明", language_code="zh-hans")
    bo = await people.person("Bo", language_code="en")
    await ann.open()
    await ming.open()
    await people.new_chat("supergroup", "Film club", ann, bo, ming)
    studio = await people.new_chat("supergroup", "Studio", ann, bo, ming, is_forum=True)
    for topic in ("Trailer", "Music"):
        await studio.topic(ann, topic)
    channel = await people.new_chat("channel", "Bo's clips", bo, ann, ming, bot="")
    for name in ("beach.mp4", "phone.mp4"):
        clip = await asyncio.to_thread(clips.make, name, clips_dir)
        await bo.send_file("video", clip, channel, caption=clips.CLIPS[name].about)
