"""What the agent's tools do, by their names: which stage each stands for.

The names are not documented in full. A name says what a tool makes by the last thing that it names: a
``generate_video_from_image`` makes a video, a ``generate_video_thumbnail`` makes none. What is unknown is "other".
"""

import re

from bot.jobs.queue.usual_times import TimedStage
from bot.nemo import lenient_json as read

GENERATING = "progress.turn_tool_generate"
EDITING = "progress.turn_tool_edit"
SOUND = "progress.turn_tool_sound"
LOOKING = "progress.turn_tool_look"
OTHER = "progress.turn_tool_other"


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Words in the singular as `_words` makes it, so "statu" and "melodie" too.
_VIDEOS = _set("video vid movie film footage animation broll")
_SHOTS = _set("clip scene shot")
"""Words that mean a video where it is generated, and otherwise something on the timeline."""
_MODELS = _set("seedance kling veo sora hailuo pika vidu hunyuan pixverse runway luma")
"""Models that make videos and nothing else, unless a name says so."""
_SOUNDS = _set(
    "music song bgm sfx sound soundtrack audio voice voiceover vocal lyric melody melodie jingle beat "
    "speech tts narration dubbing suno"
)
_PICTURES = _set(
    "image img picture photo thumbnail thumb cover poster frame keyframe avatar logo sticker background "
    "still slide"
)
_WORDS = _set(
    "title caption subtitle script storyboard prompt text txt summary summarie description plan outline "
    "idea name tag hashtag transcript story lip status statu progress result history cost price estimate "
    "option setting"
)
_PARTS = _set(
    "transition effect filter overlay draft timeline track template edit link url download preview "
    "metadata export project session"
)
_NO_VIDEOS = _SOUNDS | _PICTURES | _WORDS | _PARTS
_GENERATES = _set("generate generation generator generating gen regenerate regeneration synthesize synth")
_MAKES = _GENERATES | {"create", "creation", "make", "maker", "produce"}
_OTHER_VERBS = _set(
    "add put insert attach apply append place overlay burn set sync write get list check fetch query poll "
    "find search wait await show load read understand analyze analyse describe inspect watch review "
    "detect estimate upload download import export save delete remove cancel stop trim cut edit update "
    "select choose ask confirm transcribe mute replace"
)
_READS = _set(
    "get list read show query fetch load describe find search inspect check view review look estimate detect"
)
"""Verbs of tools that change nothing."""
_PREPOSITIONS = _set("with without from for by using via and in on of at as")
"""What comes behind them is not what is made."""

_STUCK_TOGETHER = (
    (re.compile(r"\b(?:[it]|text|image|img)2v\b"), "image_to_video"),
    (re.compile(r"(?<=[a-z])2(?=[a-z])"), "_to_"),
    (re.compile(r"(generate|create|make|gen|to)(?=video)"), r"\1_"),
    (re.compile(r"(video)(?=gen)"), r"\1_"),
)
_SOUND = re.compile("|".join(sorted(_SOUNDS - {"beat", "lyric", "melodie"})) + "|dubb|narrat|lyric")
_LOOK = re.compile("understand|analy")
_EDIT = re.compile("edit|trim|track|draft|timeline|title|add|caption|(?<![a-z])(?:set|cut)")


def stage_of(tool: str) -> tuple[str, TimedStage]:
    """Return the stage that a tool's name stands for, and what it is timed as."""
    name = read.in_snake_case(tool)
    if _makes_video(name):
        return GENERATING, TimedStage.GENERATION
    if _SOUND.search(name):
        return SOUND, TimedStage.AUDIO
    if _LOOK.search(name):
        return LOOKING, TimedStage.EDIT
    if not _EDIT.search(name):
        return OTHER, TimedStage.EDIT
    return (LOOKING if _verb(name) in _READS else EDITING), TimedStage.EDIT


def _verb(name: str) -> str:
    return next(iter(_words(re.split(r"__|[^a-z0-9_]+", name)[-1])), "")


def _makes_video(name: str) -> bool:
    for pattern, separated in _STUCK_TOGETHER:
        name = pattern.sub(separated, re.sub("_", " ", name)).replace(" ", "_")
    segments = re.split(r"__|[^a-z0-9_]+", name)
    verb = _verb(name)
    words = [word for segment in segments for word in _words(segment)]
    if verb in _OTHER_VERBS:
        return False
    made = _what_is_made(words)
    things = [word for word in made if word in _VIDEOS | _SHOTS | _MODELS | _NO_VIDEOS]
    if verb == "animate":
        return not things or things[-1] not in _NO_VIDEOS - _PICTURES
    if not things:
        return bool(made) and _GENERATES.issuperset(set(made) - {"mcp"})
    is_generated = not _GENERATES.isdisjoint(made)
    is_made = not _MAKES.isdisjoint(made) or (len(made) < len(words) and "to" in words)
    return (
        things[-1] in _MODELS
        or (is_made and things[-1] in _VIDEOS)
        or (is_generated and things[-1] in _SHOTS)
    )


def _words(segment: str) -> list[str]:
    """Return the words of a name in the singular, without their numbers."""
    words = (word.strip("0123456789") for word in segment.split("_"))
    return [word[:-1] if word.endswith("s") and not word.endswith("ss") else word for word in words if word]


def _what_is_made(words: list[str]) -> list[str]:
    """Return the words before the first that leads to something else; behind "to" is what something becomes."""
    if "to" in words:
        at = words.index("to")
        return (
            words[at + 1 :] if at and words[at - 1] in _VIDEOS | _PICTURES | _WORDS | _SOUNDS else words[:at]
        )
    return words[: next((at for at, word in enumerate(words) if at and word in _PREPOSITIONS), len(words))]
