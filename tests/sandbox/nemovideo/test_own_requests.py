"""The stand-in's agent carries out every request that a button of the bot sends, in both languages."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.jobs.next_steps import _BY_NAME
from bot.sandbox.nemovideo import agent, drafts
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.media import Media
from bot.sandbox.nemovideo.prompts import Generate, parse
from bot.sandbox.nemovideo.sessions import Session, new_session
from bot.sandbox.samples import make_video
from bot.words import Words
from bot.words.phrases import action_for
from tests.cards import built_in_cards
from tests.sandbox.nemovideo.caller import Caller
from tests.sandbox.nemovideo.test_render import colour, rendered

Draft = dict[str, Any]
_OTHER_TRACK = 9


def session() -> Session:
    """A project with a 20-second clip, a title, calm music, and a track of another type."""
    project = new_session("user", "en", "Test", datetime.now(UTC))
    drafts.place(project.draft, Media("video", "beach.mp4", "https://media/beach.mp4", 20.0, 640, 360))
    drafts.add_title(project.draft, "Summer")
    drafts.add_music(project.draft, "Calm", 0.4)
    segment = {"id": "sg_x", "name": "logo.png", "start": 0, "duration": 1000}
    project.draft["t"].append({"tt": _OTHER_TRACK, "id": "tr_x", "name": "Sticker", "sg": [segment]})
    return project


def ask(project: Session, text: str) -> Draft:
    """Let the agent carry out a text; return the draft it leaves."""
    prompts = parse(text)
    assert prompts, f"the stand-in does not know: {text}"
    for prompt in prompts:
        clip = None
        if isinstance(prompt, Generate):
            clip = Media("video", prompt.prompt, "https://media/new.mp4", prompt.seconds, 640, 360)
        agent.carry_out(project, prompt, clip)
    return project.draft


def music(draft: Draft) -> list[Draft]:
    return drafts.segments(draft, drafts.AUDIO)


def titles(draft: Draft) -> list[Draft]:
    return drafts.segments(draft, drafts.TEXT)


def clips(draft: Draft) -> list[Draft]:
    return drafts.segments(draft, drafts.VIDEO)


_DOES: dict[str, Callable[[Draft, Draft], bool]] = {
    "add_title": lambda was, now: (
        len(titles(now)) == len(titles(was)) + 1 and titles(now)[-1]["name"] == "Beach"
    ),
    "vertical_anew": lambda was, now: (now["m"]["width"], now["m"]["height"]) == (360, 640),
    "square": lambda was, now: now["m"]["width"] == now["m"]["height"],
    "as_music": lambda was, now: bool(music(now)),
    "video_for_audio": lambda was, now: len(clips(now)) == 2,
    "subtitles": lambda was, now: len(titles(now)) == len(titles(was)) + 1,
    "calm_music": lambda was, now: music(now)[0]["mood"] == "Calm" and now["d"] == was["d"],
    "softer_music": lambda was, now: (
        music(now)[0]["volume"] < music(was)[0]["volume"] and clips(now)[0]["volume"] == 1.0
    ),
    "short_cut": lambda was, now: now["d"] == 15_000,
    "bigger_title": lambda was, now: (
        [title["name"] for title in titles(now)] == ["Summer"] and titles(now)[0]["scale"] > 1
    ),
    "blur_background": lambda was, now: clips(now)[0]["background"] == "blur",
    "next_scene": lambda was, now: len(clips(now)) == 2 and clips(now)[1]["start"] == was["d"],
    "vertical": lambda was, now: (
        (now["m"]["width"], now["m"]["height"]) == (360, 640) and now["d"] == was["d"]
    ),
    "other_music": lambda was, now: (
        music(now)[0]["mood"] == "Calm" and music(now)[0]["piece"] != music(was)[0]["piece"]
    ),
    "faster": lambda was, now: now["d"] == 16_000,
    "strip_audio": lambda was, now: not music(now) and titles(now) == titles(was),
    "strip_text": lambda was, now: not titles(now) and music(now) == music(was),
    "strip_other": lambda was, now: (
        {track["tt"] for track in now["t"]} == {drafts.VIDEO, drafts.AUDIO, drafts.TEXT}
        and titles(now) == titles(was)
    ),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", _DOES)
def test_a_suggestion_does_what_it_says(name: str, language: str) -> None:
    project = session()
    was = deepcopy(project.draft)
    assert _DOES[name](was, ask(project, Words(language).plain(f"prompt.{name}")))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_audio_alone_plays_faster(language: str) -> None:
    project = new_session("user", language, "Test", datetime.now(UTC))
    drafts.place(project.draft, Media("audio", "talk.mp3", "https://media/talk.mp3", 10.0, 0, 0))
    draft = ask(project, Words(language).plain("prompt.faster"))
    assert (draft["d"], music(draft)[0]["speed"]) == (8_000, 1.25)


def test_every_suggestion_has_a_check() -> None:
    assert _BY_NAME.keys() <= _DOES.keys()


_EXAMPLES = [
    (language, example)
    for language in ("en", "zh")
    for card in built_in_cards().in_language(language)
    for example in card.examples
]


@pytest.mark.parametrize(("language", "example"), _EXAMPLES)
def test_an_example_of_a_card_changes_the_project(language: str, example: str) -> None:
    if action_for(example) is not None:
        return
    project = session()
    was = deepcopy(project.draft)
    assert ask(project, example) != was


async def test_music_needs_no_clip(caller: Caller) -> None:
    await caller.say("Compose a 60-second lo-fi hip-hop loop as music for a study tips video")
    draft = (await caller.state())["draft"]
    assert draft["d"] == 60_000
    assert [segment["mood"] for segment in music(draft)] == ["Lo-fi"]


async def test_another_shape_and_a_plain_background_are_rendered(
    caller: Caller, nemo: NemoControl, tmp_path: Path
) -> None:
    await caller.upload(make_video(tmp_path / "a.mp4", 0.5, colour="red"))
    await caller.say("Make it vertical, 9:16, for phones.")
    await caller.say("Make the background plain white")
    out = await rendered(caller, nemo, tmp_path / "out.mp4")
    red, green, blue = colour(out)
    assert red > green > 100, "white above and below a red picture"
    assert blue > 100


def test_without_music_the_volume_is_that_of_everything() -> None:
    project = session()
    drafts.remove(project.draft, drafts.AUDIO)
    (prompt,) = parse("Turn the volume of the music down a little.")
    assert agent.carry_out(project, prompt).said == "The volume is 70% now."
    assert clips(project.draft)[0]["volume"] == 0.7


def test_the_agent_says_once_that_it_stands_in() -> None:
    project = session()
    first, second = (agent.small_talk(project, "paint my cat", chinese=False) for _ in range(2))
    assert "stand in" in first
    assert second.startswith("I can't do that here.")
    assert "stand in" not in second
    assert agent.small_talk(project, "hello!", chinese=False).startswith("Hi!")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_an_earlier_version_is_put_back_by_its_tracks(
    caller: Caller, tmp_path: Path, language: str
) -> None:
    await caller.upload(make_video(tmp_path / "sea.mp4", 4))
    for request in ("trim it to 3 seconds", 'add a title "Sea" and calm music', "make it vertical"):
        await caller.say(request)
    back = Words(language).plain("prompt.restore_version")
    await caller.say(f"{back}\n1. Video: sea.mp4 (0–3 s, 100%)")
    draft = (await caller.state())["draft"]
    assert (draft["d"], draft["m"]["width"] > draft["m"]["height"]) == (3000, True)
    assert not titles(draft)
    await caller.say(f"{back}\n1. Video: lake.mp4 (0–3 s, 100%)")
    assert (await caller.state())["draft"] == draft


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_files_that_were_cut_away_are_placed_again(
    caller: Caller, tmp_path: Path, language: str
) -> None:
    await caller.upload(make_video(tmp_path / "sea.mp4", 2), make_video(tmp_path / "lake.mp4", 1))
    await caller.say("trim it to 2 seconds")
    await caller.say(Words(language).plain("prompt.place_files"))
    assert [clip["name"] for clip in clips((await caller.state())["draft"])] == ["sea.mp4", "lake.mp4"]
