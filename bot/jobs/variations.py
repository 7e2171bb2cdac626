"""Versions of a project that differ in one thing: what they are called, and how the agent is asked for each."""

from collections.abc import Sequence
from math import isclose

from bot.jobs.buttons import VariationAspect
from bot.jobs.messages import LocalizedMessage
from bot.nemo.drafts import Draft
from bot.words import Words

VARIATIONS = 3


_STYLES = {
    VariationAspect.MUSIC: ("calm", "upbeat", "cinematic"),
    VariationAspect.TITLE: ("bold", "question", "playful"),
    VariationAspect.FORMAT: ("9:16", "1:1", "16:9", "4:5"),
}


def styles(aspect: VariationAspect, draft: Draft) -> Sequence[str]:
    """Return the style of each version; a format that the draft already has is left out.

    Args:
        aspect: What they differ in.
        draft: The draft that all of them begin with.
    """
    return [one for one in _STYLES[aspect] if not _is_format_of(draft, one)][:VARIATIONS]


def style_name(aspect: VariationAspect, style: str) -> LocalizedMessage:
    """Return what a version is called."""
    if aspect is VariationAspect.FORMAT:
        return LocalizedMessage("variations.format", {"ratio": style})
    return LocalizedMessage(f"variations.{style}")


def variation_prompt(words: Words, aspect: VariationAspect, style: str, base: Draft | None) -> str:
    """Return the message that asks the agent for one version.

    NemoVideo has no call that puts a draft back, so the same message asks for that: a message of its own would be
    charged for.

    Args:
        words: The texts in the chat's language.
        aspect: What the versions differ in.
        style: What makes this one.
        base: The draft that it begins with; ``None`` if the project is still as it was.
    """
    if aspect is VariationAspect.FORMAT:
        prompt = words.plain("prompt.variation_format", ratio=style)
    else:
        prompt = words.plain(f"prompt.variation_{style}")
    if base is None:
        return prompt
    return "\n".join((f"{prompt}\n", words.plain("prompt.variation_base"), *_tracks(base)))


def _tracks(draft: Draft) -> list[str]:
    return [
        f"- {track.kind.value}: "
        + "; ".join(
            f"{segment.text or segment.name} ({(segment.start_ms or 0) / 1000:g}-{(segment.end_ms or 0) / 1000:g} s)"
            for segment in track.segments
        )
        for track in draft.tracks
        if track.segments
    ]


def _is_format_of(draft: Draft, style: str) -> bool:
    width, _, height = style.partition(":")
    if not height or not draft.width or not draft.height:
        return False
    return isclose(draft.width / draft.height, int(width) / int(height), rel_tol=0.02)
