"""The choice of format and length before a clip is generated: a format that is changed later is another generation."""

from collections.abc import Mapping

from bot.jobs.buttons import ChooseGeneration
from bot.jobs.messages import Button, LocalizedMessage, Param

RATIOS = ("9:16", "1:1", "16:9")
LENGTHS = {"5": "button.length_5", "10": "button.length_10", "15": "button.length_15"}
"""Lengths in seconds with the keys of their labels; NemoVideo generates at most 15 s."""


def choice_buttons(job_id: str, ratio: str = RATIOS[0], length_s: str = "5") -> tuple[Button, ...]:
    """Return the buttons of a choice, with ticks on what is chosen.

    Args:
        job_id: The job whose request waits.
        ratio: The chosen format.
        length_s: The chosen length in seconds.
    """
    ratios = tuple(
        Button(text=one, is_chosen=one == ratio, action=_choose(job_id, one, length_s)) for one in RATIOS
    )
    lengths = tuple(
        Button(label, is_chosen=one == length_s, action=_choose(job_id, ratio, one))
        for one, label in LENGTHS.items()
    )
    go = Button("button.generate", _choose(job_id, ratio, length_s, is_final=True), style="success")
    return (*ratios, *lengths, go)


def choice_message(job_id: str, needed: int, available: float | None, ratio: str) -> LocalizedMessage:
    """Ask for format and length, and say what the clip takes.

    Args:
        job_id: The job whose request waits.
        needed: The credits that it takes, about.
        available: The credits that are left; ``None`` if that is unknown or not for everyone in the chat.
        ratio: The format that is ticked first.
    """
    buttons, params = choice_buttons(job_id, ratio), {"needed": needed}
    if available is None:
        return LocalizedMessage("generation.choose", params, buttons)
    told: Mapping[str, Param] = {**params, "available": round(available)}
    return LocalizedMessage("generation.choose_of", told, buttons)


def _choose(job_id: str, ratio: str, length_s: str, *, is_final: bool = False) -> ChooseGeneration:
    return ChooseGeneration(is_final, ratio.replace(":", "x"), length_s, job_id)
