"""Suggestions for the next step after an edit, from a table, by the draft, the skill card and the last prompt."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from bot.chats.key import ChatKey
from bot.jobs.buttons import RunExample, RunSuggestion
from bot.jobs.clip_names import is_voice
from bot.jobs.messages import Button, LocalizedMessage
from bot.nemo.drafts import Draft, TrackKind
from bot.skills.cards import SkillCard, example_mark
from bot.words import bounded

MAX_BUTTONS: Final = 3

_LABEL_CHARS: Final = 60

# Examples that edit an existing video begin with these words, or contain those; others describe a new one.
_EDITS: Final = re.compile(
    r"^(?:replace|put|make(?! an?\b| \d)|blur|add|remove|cut|trim|turn|change|crop)\b|^[把让给加去剪换虚配]|^背景"
    r"|\b(?:my|this) (?:video|clip|picture|photo|image)s?\b|我的视频|这[段张]",
    re.I,
)
_PICTURE: Final = re.compile(r"\bthis (?:picture|photo|image)\b|这张", re.I)
_TITLE_WORDS: Final = re.compile(r"\btitles?:|标题[:：]", re.I)
_LENGTH: Final = re.compile(r"(\d+)[\s-]*(?:s\b|sec|秒)", re.I)
_CLIP: Final = re.compile(r"\b(?:clip|video)s?\b|\b(?:trim|cut)\b|视频|片段|^剪", re.I)

SHORT_CUT_MS: Final = 15_000
"""The length that short vertical videos usually have; what is longer may be cut to it."""

_WORTH_SPEEDING_MS = 6_000
_SOFT = 0.2


class SuggestionTopic(Enum):
    """What a suggestion, or a card, is about."""

    TITLE = "title"
    MUSIC = "music"
    LENGTH = "length"
    FORMAT = "format"
    BACKGROUND = "background"
    SCENE = "scene"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file that arrived."""

    kind: str  # ``video``, ``image`` or ``audio``
    name: str = ""  # its name; empty if it came without one
    size_bytes: int = 0  # its size; 0 if unknown
    duration_s: float | None = None  # length of audio and video in seconds
    width: int | None = None  # in pixels
    height: int | None = None  # in pixels


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the table decides by."""

    about: SuggestionTopic | None  # the topic of the skill card, if it has one
    has_picture: bool  # whether there is video or an image
    has_title: bool  # whether there is a text track
    has_music: bool  # whether there is an audio track that is not a person speaking
    volume: float | None  # the loudness of that track, if known; 1.0 is the original one
    length_ms: int  # length of the whole, in milliseconds
    is_wide: bool  # whether the picture is wider than high
    is_tall: bool = False  # whether it is higher than wide
    is_generated: bool = False  # whether the picture was generated, so that a new format is a new generation


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing to do next."""

    name: str  # its id, which the keys of its texts end with
    topic: SuggestionTopic  # what it is about
    fits: Callable[[_Facts], bool]  # whether it makes sense for a draft
    said: re.Pattern[str]  # matches a prompt that asked for just this, in any language

    @property
    def label(self) -> str:
        """Key of its button's label."""
        return f"button.next_{self.name}"

    @property
    def prompt(self) -> str:
        """Key of the prompt that is sent to the agent."""
        return f"prompt.{self.name}"


def _suggestion(name: str, topic: SuggestionTopic, fits: Callable[[_Facts], bool], said: str) -> Suggestion:
    return Suggestion(name, topic, fits, re.compile(said, re.IGNORECASE))


_TABLE: Final = (
    _suggestion("add_title", SuggestionTopic.TITLE, lambda f: f.has_picture and not f.has_title,
                r"\btitles?\b|\btext\b|标题|文字"),
    _suggestion("calm_music", SuggestionTopic.MUSIC, lambda f: f.has_picture and not f.has_music,
                r"\bmusic\b|\bbgm\b|\bsong\b|\bsoundtrack\b|音乐|配乐"),
    _suggestion("softer_music", SuggestionTopic.MUSIC, lambda f: f.has_music and (f.volume is None or f.volume > _SOFT),
                r"\bsoft|\bquiet|\bvolume\b|\bloud|音量|轻一点|小声|大声"),
    _suggestion("short_cut", SuggestionTopic.LENGTH, lambda f: f.has_picture and f.length_ms > SHORT_CUT_MS,
                r"\b(?:15|fifteen)\b|15\s*秒|十五秒"),
    _suggestion("bigger_title", SuggestionTopic.TITLE, lambda f: f.has_title,
                r"\bbigger\b|\blarger\b|更大|放大|变大|大一点|大一些"),
    _suggestion("blur_background", SuggestionTopic.BACKGROUND,
                lambda f: f.about is SuggestionTopic.BACKGROUND and f.has_picture, r"\bblur|虚化|模糊"),
    _suggestion("next_scene", SuggestionTopic.SCENE, lambda f: f.about is SuggestionTopic.SCENE and f.has_picture,
                r"\bnext scene\b|下一个场景|下一幕"),
    _suggestion("vertical", SuggestionTopic.FORMAT, lambda f: f.has_picture and f.is_wide and not f.is_generated,
                r"\bvertical\b|\bportrait\b|9\s*[:：]\s*16|竖"),
    _suggestion("vertical_anew", SuggestionTopic.FORMAT, lambda f: f.has_picture and f.is_wide and f.is_generated,
                r"\bvertical\b|\bportrait\b|9\s*[:：]\s*16|竖"),
    _suggestion("other_music", SuggestionTopic.MUSIC, lambda f: f.has_music,
                r"\banother\b.*\bmusic\b|\bother music\b|\bdifferent music\b|换.*(?:音乐|配乐)"),
    _suggestion("faster", SuggestionTopic.LENGTH, lambda f: f.has_picture and f.length_ms >= _WORTH_SPEEDING_MS,
                r"\bfast|\bspeed|\bslow|加速|快一|快点|慢"),
)  # fmt: skip

_ON_REQUEST: Final = (
    _suggestion("subtitles", SuggestionTopic.TITLE, lambda f: f.has_picture, r"\bsubtitles?\b|字幕"),
    _suggestion("square", SuggestionTopic.FORMAT, lambda f: f.has_picture and f.is_tall,
                r"\bsquare\b|1\s*[:：]\s*1|方"),
    _suggestion("as_music", SuggestionTopic.MUSIC, lambda f: not f.has_picture, r"\bmusic\b|音乐"),
    _suggestion("video_for_audio", SuggestionTopic.SCENE, lambda f: not f.has_picture, r"\bvideo\b|视频"),
)  # fmt: skip
"""Suggestions that stand in "More", or under files that arrive."""

ANEW: Final = frozenset({"vertical_anew", "video_for_audio"})
"""Suggestions that make the agent generate a clip, whatever their words."""

_BY_NAME: Final = {suggestion.name: suggestion for suggestion in (*_TABLE, *_ON_REQUEST)}

# The first match counts: "background music" is about music.
_ABOUT: Final = (
    (SuggestionTopic.MUSIC, re.compile(r"music|audio|song|sound", re.IGNORECASE)),
    (SuggestionTopic.BACKGROUND, re.compile(r"background|backdrop", re.IGNORECASE)),
    (SuggestionTopic.TITLE, re.compile(r"caption|title", re.IGNORECASE)),
    (SuggestionTopic.SCENE, re.compile(r"sora|generat|text.to.video", re.IGNORECASE)),
)


def next_steps(
    draft: Draft, card: SkillCard, prompt: str = "", *, is_generated: bool = False
) -> tuple[Suggestion, ...]:
    """Return up to three things to do next; none for an empty draft.

    Args:
        draft: The draft now.
        card: The active skill card; its topic goes first.
        prompt: The last prompt; a suggestion that repeats it is left out.
        is_generated: Whether all of its pictures were generated.
    """
    if not draft.is_ready:
        return ()
    facts = replace(_facts(draft, card), is_generated=is_generated)
    fitting = [one for one in _TABLE if one.fits(facts) and not one.said.search(prompt)]
    fitting.sort(key=lambda one: one.topic is not facts.about)
    return tuple([*_one_a_topic(fitting), *_one_a_topic(fitting, first=False)][:MAX_BUTTONS])


def first_buttons(card: SkillCard, files: Sequence[FileFacts]) -> tuple[Button, ...]:
    """Return three things to do with files that just arrived.

    Args:
        card: The active skill card; its examples that are about such a file go first.
        files: The files.
    """
    seen = [file for file in files if file.kind != "audio"]
    if not seen:
        length_ms = 1000 * sum(file.duration_s or 0 for file in files)
        length = "short_cut" if length_ms > SHORT_CUT_MS else "faster"
        return next_buttons(("as_music", "video_for_audio", length))
    facts = _Facts(
        about=_topic(card),
        has_picture=True,
        has_title=False,
        has_music=any(file.kind == "audio" for file in files),
        volume=None,
        length_ms=round(1000 * sum(file.duration_s or 0 for file in seen)),
        # A square, or a picture of unknown size, may become vertical too.
        is_wide=(seen[0].width or 0) >= (seen[0].height or 0),
        is_tall=(seen[0].height or 0) > (seen[0].width or 0),
    )
    kinds = {file.kind for file in seen}
    about = [
        one for one in card.examples if _is_about(one, kinds) and not _cuts_nothing(one, facts.length_ms)
    ]
    examples = about[:2]
    table = (*_TABLE, *_ON_REQUEST)
    asked = {one.topic for one in table if one.said.search("\n".join(examples))}
    rest = [one for one in table if one.fits(facts) and one.topic not in asked]
    return (
        *(
            Button(text=bounded(one, _LABEL_CHARS), action=RunExample(example_mark(card.name, one)))
            for one in examples
        ),
        *next_buttons(suggestion.name for suggestion in _one_a_topic(rest)),
    )[:MAX_BUTTONS]


def edits_clip(example: str) -> bool:
    """Return whether an example edits something that has to be there."""
    return bool(_EDITS.search(example))


def _is_about(example: str, kinds: set[str]) -> bool:
    """Return whether an example edits something that is there, and such a file, whatever that shows."""
    if not edits_clip(example) or _TITLE_WORDS.search(example):
        return False
    return ("image" in kinds or not _PICTURE.search(example)) and (
        "video" in kinds or not _CLIP.search(example)
    )


def _cuts_nothing(example: str, length_ms: int) -> bool:
    """Return whether an example cuts to a length that the file is known not to reach."""
    length = _LENGTH.search(example)
    return length is not None and 0 < length_ms <= 1000 * int(length[1])


def next_step(name: str) -> Suggestion | None:
    """Return the suggestion behind a button, or ``None`` if a later release dropped it."""
    return _BY_NAME.get(name)


def next_buttons(names: Iterable[str]) -> tuple[Button, ...]:
    """Return the buttons of suggestions, by their names."""
    return tuple(Button(_BY_NAME[name].label, RunSuggestion(name)) for name in names if name in _BY_NAME)


def _one_a_topic(fitting: list[Suggestion], *, first: bool = True) -> Iterator[Suggestion]:
    """Yield the first of each topic, or all the others."""
    seen: set[SuggestionTopic] = set()
    for one in fitting:
        if (one.topic not in seen) is first:
            yield one
        seen.add(one.topic)


def _facts(draft: Draft, card: SkillCard) -> _Facts:
    kinds = {track.kind for track in draft.tracks if track.segments}
    audio_tracks = (track for track in draft.tracks if track.kind is TrackKind.AUDIO and track.segments)
    music = next((track for track in audio_tracks if not is_voice(track)), None)
    volume = None
    if music is not None:
        volume = music.segments[0].volume if music.volume is None else music.volume
    return _Facts(
        about=_topic(card),
        has_picture=TrackKind.VIDEO in kinds,
        has_title=TrackKind.TEXT in kinds,
        has_music=music is not None,
        volume=volume,
        length_ms=draft.duration_ms or 0,
        is_wide=(draft.width or 0) > (draft.height or 0),
    )


def _topic(card: SkillCard) -> SuggestionTopic | None:
    said = f"{card.name} {card.display_name}"
    return next((topic for topic, pattern in _ABOUT if pattern.search(said)), None)


def how_to_begin(chat: ChatKey) -> LocalizedMessage:
    """Say what to do in a chat whose project is empty: in groups bots see little but commands."""
    return LocalizedMessage("begin.private" if chat.is_private else "begin.group")
