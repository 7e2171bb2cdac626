"""The words in a picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.nemo.drafts import Track


@dataclass(frozen=True, slots=True)
class TimelineLabels:
    """The words in the picture, in the chat's language."""

    track: Callable[[Track], str]  # returns the label of a track
    unnamed: Callable[[int], str]  # returns the name of a segment without one, from its position on the track
    seconds: str = " s"  # what follows a number of seconds
    names: Mapping[str, str] = field(default_factory=dict)  # what people call some segments, by their names
