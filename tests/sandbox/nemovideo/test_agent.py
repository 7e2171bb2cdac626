from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.prompts import (
    AddClips,
    Background,
    Between,
    Generate,
    Music,
    Prompt,
    Remove,
    Speed,
    Title,
    Trim,
    Undo,
    Volume,
    parse,
)
from bot.sandbox.samples import make_audio, make_video
from tests.sandbox.nemovideo.caller import Caller, texts


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("Make a 5-second clip of a cat", [Generate("a cat", 5)]),
        ("generate a video about the sea at night", [Generate("the sea at night", 5)]),
        ("create a ten second city timelapse", [Generate("create a ten second city timelapse", 10)]),
        ("make a 4s clip of rain with calm music", [Generate("rain", 4), Music("Calm")]),
        ("生成一个5秒的海边日落视频", [Generate("海边日落", 5)]),
        ("帮我做一段关于猫的视频", [Generate("猫", 5)]),
        ("I want a video of a paper boat, 10 seconds", [Generate("a paper boat", 10)]),
        ("a 10-second clip of a cat", [Generate("a cat", 10)]),
        ("我想要一个下雨天纸船的视频，10秒", [Generate("下雨天纸船的视频", 10)]),
        ("做一段10秒的视频:雨中的纸船", [Generate("雨中的纸船", 10)]),
        ("put the words Summer 2026 at the top", [Title("Summer 2026")]),
        ("write Happy birthday at the end", [Title("Happy birthday")]),
        ("顶部加上黄色的字:夏天", [Title("夏天")]),
        ("写上生日快乐", [Title("生日快乐")]),
        ("actually no, undo that", [Undo()]),
        ("I don't like it, go back", [Undo()]),
        ("算了，退回上一步", [Undo()]),
        ("remove the sound", [Volume(0)]),
        ("去掉声音", [Volume(0)]),
        ("no music please", [Remove("music")]),
        ("add calm piano music", [Music("Calm")]),
        ("把两段视频合起来", [AddClips()]),
        ("cut out the middle 2 seconds", []),
        ("剪掉中间两秒", []),
        ("trim to 3 seconds", [Trim(3)]),
        ("Trim it down to three seconds, please", [Trim(3)]),
        ("cut the first 2 seconds", [Trim(2, "first", True)]),
        ("remove the last 1.5s", [Trim(1.5, "last", True)]),
        ("keep the first 4 seconds", [Trim(4, "first")]),
        ("剪到3秒", [Trim(3)]),
        ("剪掉前2秒", [Trim(2, "first", True)]),
        ("make it shorter", [Trim(None)]),
        ("cut from 2 to 5 seconds", [Between(2, 5)]),
        ('add a title "Urban Dreams"', [Title("Urban Dreams")]),
        ("add a title saying Hello there", [Title("Hello there")]),
        ("添加标题“你好”", [Title("你好")]),
        ("trim to 3 seconds and add a title “Hi”", [Trim(3), Title("Hi")]),
        ("add some upbeat music", [Music("Upbeat")]),
        ("Add lo-fi background music", [Music("Lo-fi")]),
        ("加上史诗背景音乐", [Music("Epic")]),
        ("change the background to a beach", [Background("beach")]),
        ("把背景换成海滩", [Background("海滩")]),
        ("make it 2x faster", [Speed(2)]),
        ("slow it down", [Speed(0.5)]),
        ("加速到1.5倍", [Speed(1.5)]),
        ("remove the music", [Remove("music")]),
        ("strip the title", [Remove("title")]),
        ("去掉音乐", [Remove("music")]),
        ("set the volume to 40%", [Volume(0.4)]),
        ("静音", [Volume(0)]),
        ("append the second clip", [AddClips()]),
        ("合并这些视频", [AddClips()]),
        ("hello, what can you do?", []),
        ("你好", []),
        ("", []),
    ],
)
def test_prompts_are_understood(text: str, prompts: list[Prompt]) -> None:
    assert parse(text) == prompts


def shown(draft: dict[str, Any]) -> list[tuple[int, str, int, int]]:
    return [
        (track["tt"], segment["name"], segment["start"], segment["duration"])
        for track in draft["t"]
        for segment in track["sg"]
    ]


async def test_edits_change_the_draft(caller: Caller, tmp_path: Path) -> None:
    await caller.upload(make_video(tmp_path / "a.mp4", 4))
    await caller.say('add a title "Urban Dreams" and lo-fi music')
    draft = (await caller.state())["draft"]
    length = draft["d"]
    assert length == pytest.approx(4000, abs=60)
    assert shown(draft) == [
        (0, "a.mp4", 0, length),
        (7, "Urban Dreams", 0, 3000),
        (1, "Lo-fi BGM", 0, length),
    ]
    await caller.say("trim to 2 seconds")
    assert (await caller.state())["draft"]["d"] == 2000
    await caller.say("2x")
    assert (await caller.state())["draft"]["t"][0]["sg"][0]["speed"] == 2
    await caller.say("remove the music")
    await caller.say("strip the title")
    draft = (await caller.state())["draft"]
    assert shown(draft) == [(0, "a.mp4", 0, 1000)]
    await caller.say("set the volume to 40%")
    await caller.say("change the background to a beach")
    draft = (await caller.state())["draft"]
    assert draft["t"][0]["sg"][0]["volume"] == 0.4
    assert draft["m"]["background"] == "beach"


async def test_a_trim_moves_into_the_source(caller: Caller, tmp_path: Path) -> None:
    await caller.upload(make_video(tmp_path / "a.mp4", 4))
    await caller.say("cut the first 1 second")
    (segment,) = (await caller.state())["draft"]["t"][0]["sg"]
    assert (segment["start"], segment["source_start"]) == (0, 1000)


async def test_own_sound_is_taken_for_music(caller: Caller, tmp_path: Path) -> None:
    await caller.upload(make_video(tmp_path / "a.mp4", 1))
    await caller.upload(make_audio(tmp_path / "song.mp3", 1))
    await caller.say("use my song as background music")
    assert [name for track, name, *_ in shown((await caller.state())["draft"]) if track == 1] == ["song.mp3"]


@pytest.mark.parametrize("text", ["hello there", "trim to 3 seconds"])
async def test_talk_and_edits_of_nothing_change_nothing(caller: Caller, nemo: NemoControl, text: str) -> None:
    events = await caller.say(text)
    assert texts(events)
    assert (await caller.state())["draft"]["t"] == []
    assert await nemo.charges() == []


async def test_answers_are_in_the_asker_s_language(caller: Caller) -> None:
    assert texts(await caller.say("你好"))[0].startswith("你好")
    assert texts(await caller.say("hello"))[0].startswith("Hi")
    await caller.open_session("zh-CN")
    assert texts(await caller.say("👋"))[0].startswith("你好")
    await caller.say("生成一个2秒的海边日落视频")
    state = await caller.state()
    assert state["draft"]["d"] == 2000
    assert state["generated_media"][0]["prompt"] == "海边日落"
