from dataclasses import replace
from typing import Any

import pytest

from bot.jobs.buttons import RunSuggestion, pack
from bot.jobs.next_steps import (
    MAX_BUTTONS,
    FileFacts,
    edits_clip,
    first_buttons,
    next_buttons,
    next_step,
    next_steps,
)
from bot.nemo.drafts import Draft, read_draft
from bot.skills.cards import SkillCard
from bot.words import Words, languages
from tests.cards import built_in_cards

CARDS = built_in_cards()
BACKGROUND = CARDS.active("video-editing-ai-background")
MUSIC = CARDS.active("ai-music-generator-free-ab-old")
WORDS = CARDS.active("sora-video-generation")

ALL = (
    "add_title",
    "calm_music",
    "softer_music",
    "short_cut",
    "bigger_title",
    "blur_background",
    "next_scene",
    "vertical",
    "other_music",
    "faster",
)


def draft(
    seconds: float = 5,
    *,
    picture: bool = True,
    title: bool = False,
    music: float | None = None,
    sound: str = "clip",
    size: tuple[int, int] = (90, 160),
) -> Draft:
    segment: dict[str, Any] = {"start": 0, "duration": seconds * 1000, "name": "clip"}
    tracks: list[dict[str, Any]] = []
    if picture:
        tracks.append({"tt": 0, "sg": [segment]})
    if music is not None:
        tracks.append({"tt": 1, "sg": [{**segment, "name": sound, "volume": music}]})
    if title:
        tracks.append({"tt": 7, "sg": [{**segment, "text": "Hello"}]})
    return read_draft({"d": seconds * 1000, "t": tracks, "m": {"width": size[0], "height": size[1]}})


def plain_card() -> SkillCard:
    """About nothing in particular."""
    return replace(BACKGROUND, name="helper", display_name="Helper", examples=())


def names(*given: Any) -> list[str]:
    return [one.name for one in next_steps(*given)]


@pytest.mark.parametrize(
    ("made", "offered"),
    [
        (draft(), ["add_title", "calm_music"]),
        (draft(title=True), ["calm_music", "bigger_title"]),
        (draft(music=0.5), ["add_title", "softer_music", "other_music"]),
        (draft(music=0.1), ["add_title", "other_music"]),
        (draft(music=0.5, sound="voice_12.ogg"), ["add_title", "calm_music"]),
        (draft(title=True, music=0.5), ["softer_music", "bigger_title", "other_music"]),
        (draft(15), ["add_title", "calm_music", "faster"]),
        (draft(15.5), ["add_title", "calm_music", "short_cut"]),
        (draft(15.5, title=True, music=0.5), ["softer_music", "short_cut", "bigger_title"]),
        (draft(size=(160, 90)), ["add_title", "calm_music", "vertical"]),
        (draft(picture=False, music=1.0), ["softer_music", "other_music"]),
    ],
)
def test_what_is_offered_fits_the_draft(made: Draft, offered: list[str]) -> None:
    assert names(made, plain_card()) == offered


@pytest.mark.parametrize(
    ("card", "made", "offered"),
    [
        (BACKGROUND, draft(20), ["blur_background", "add_title", "calm_music"]),
        (MUSIC, draft(20), ["calm_music", "add_title", "short_cut"]),
        (MUSIC, draft(20, music=0.5), ["softer_music", "add_title", "short_cut"]),
        (WORDS, draft(20), ["next_scene", "add_title", "calm_music"]),
    ],
)
def test_what_the_card_is_about_comes_first(card: SkillCard, made: Draft, offered: list[str]) -> None:
    assert names(made, card) == offered


@pytest.mark.parametrize(
    ("prompt", "missing"),
    [
        ("remove the title", "add_title"),
        ("去掉标题", "add_title"),
        ("no music please", "calm_music"),
        ("不要音乐", "calm_music"),
        ("cut it to 15 seconds", "short_cut"),
        ("剪到 15 秒", "short_cut"),
        ("blur the wall behind me", "blur_background"),
        ("把背景虚化", "blur_background"),
    ],
)
def test_what_was_just_asked_for_is_not_offered(prompt: str, missing: str) -> None:
    made = draft(20, title=missing == "short_cut")
    assert missing in names(made, BACKGROUND)
    assert missing not in names(made, BACKGROUND, prompt)


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("put a fifteenth lamp there", "short_cut"),
        ("a subtle texture", "add_title"),
        ("musical chairs", "calm_music"),
    ],
)
def test_a_word_inside_another_is_not_what_was_asked_for(prompt: str, kept: str) -> None:
    assert kept in names(draft(20), plain_card(), prompt)


def test_an_empty_draft_has_no_next_step() -> None:
    assert names(read_draft(None), BACKGROUND) == []
    assert names(read_draft({"t": [{"tt": 0, "sg": []}]}), BACKGROUND) == []


def test_there_are_never_more_than_three_and_none_twice() -> None:
    for card in CARDS.in_language("zh"):
        for seconds in (1, 10, 100):
            for music in (None, 0.1, 1.0):
                for title in (False, True):
                    found = names(draft(seconds, music=music, title=title, size=(160, 90)), card)
                    assert len(set(found)) == len(found)
                    assert 2 <= len(found) <= MAX_BUTTONS


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("language", languages())
def test_each_has_words_and_knows_its_own_prompt(language: str, name: str) -> None:
    suggestion = next_step(name)
    assert suggestion is not None
    words = Words(language)
    assert words.plain(suggestion.label)
    assert suggestion.said.search(words.plain(suggestion.prompt))


def test_buttons_carry_names_and_unknown_ones_are_left_out() -> None:
    (button,) = next_buttons(["faster", "of a later release"])
    assert button.action == RunSuggestion("faster")
    assert pack(button.action)
    assert next_step("of a later release") is None


@pytest.mark.parametrize(
    ("card", "files", "offered"),
    [
        (
            BACKGROUND,
            [FileFacts("video", duration_s=5)],
            [
                "Remove my background and replace it with a clean office",
                "Change the background to a beach at sunset",
                "next",
            ],
        ),
        (
            WORDS,
            [FileFacts("image")],
            ["Make this picture move: waves rolling in, slow camera", "next", "next"],
        ),
        (WORDS, [FileFacts("video", duration_s=5)], ["next", "next", "next"]),
        (MUSIC, [FileFacts("image")], ["next", "next", "next"]),
        (plain_card(), [FileFacts("image", width=640, height=640)], ["next", "next", "next"]),
        (plain_card(), [FileFacts("image", width=90, height=160)], ["next", "next", "next"]),
        (plain_card(), [FileFacts("video")], ["next", "next", "next"]),
        (plain_card(), [FileFacts("image"), FileFacts("audio")], ["next", "next", "next"]),
        (WORDS, [FileFacts("video", duration_s=3, width=90, height=160)], ["next", "next", "next"]),
        (BACKGROUND, [FileFacts("audio", duration_s=5)], ["next", "next", "next"]),
        (BACKGROUND, [FileFacts("audio", duration_s=50)], ["next", "next", "next"]),
    ],
)
def test_what_can_be_done_with_a_file_that_just_came(
    card: SkillCard, files: list[FileFacts], offered: list[str]
) -> None:
    buttons = first_buttons(card, files)
    assert [button.text or (button.action and button.action.name) for button in buttons] == offered
    assert all(button.action and pack(button.action) for button in buttons)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_which_examples_have_to_have_a_clip(language: str) -> None:
    edited = {
        card.name: "".join("x" if edits_clip(example) else "-" for example in card.examples)
        for card in CARDS.in_language(language)
    }
    assert edited == {
        "ai-music-generator-free-ab-old": "-xxx",
        # The last one of the Chinese card lays its music under a clip.
        "ai-music-generator-free": "----" if language == "en" else "---x",
        "sora-video-generation": "----x",
        "video-editing-ai-background": "xxxx",
        "video-editor": "xxx-",
    }


def test_what_a_long_wide_clip_is_offered_first() -> None:
    found = first_buttons(plain_card(), [FileFacts("video", duration_s=40, width=1920, height=1080)])
    assert [button.action for button in found] == [
        RunSuggestion("add_title"),
        RunSuggestion("calm_music"),
        RunSuggestion("short_cut"),
    ]


def test_a_new_format_of_a_generated_clip_is_a_new_generation() -> None:
    for is_generated, name in ((False, "vertical"), (True, "vertical_anew")):
        offered = {
            one.name for one in next_steps(draft(size=(160, 90)), plain_card(), is_generated=is_generated)
        }
        assert {one for one in offered if one.startswith("vertical")} == {name}


def test_a_short_upright_clip_is_offered_what_changes_it() -> None:
    file = FileFacts("video", duration_s=2, width=1080, height=1920)
    first, second, third = first_buttons(CARDS.active("video-editor"), [file])
    assert first.text == "Add calm music", "it is too short to be cut to 5 seconds"
    assert [second.action, third.action] == [RunSuggestion("add_title"), RunSuggestion("square")]


@pytest.mark.parametrize("is_generated", [False, True])
def test_an_upright_clip_is_offered_no_upright_format(is_generated: bool) -> None:
    offered = next_steps(draft(size=(90, 160)), plain_card(), is_generated=is_generated)
    assert not {one.name for one in offered if one.name.startswith("vertical")}
