"""The words in a picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.nemo.drafts import TrackKind


@dataclass(frozen=True, slots=True)
class TimelineLabels:
    """The words in the picture, in the chat's language."""

    video: str  # the label of a video track
    audio: str  # the label of an audio track
    text: str  # the label of a track of titles
    other: str  # the label of any other track
    unnamed: Callable[[int], str]  # returns the name of a segment without one, from its position on the track
    seconds: str = " s"  # what follows a number of seconds
    names: Mapping[str, str] = field(default_factory=dict)  # what people call some segments, by their names

    def of(self, kind: TrackKind) -> str:
        """Return the label of a kind of track."""
        names = {
            TrackKind.VIDEO: self.video,
            TrackKind.AUDIO: self.audio,
            TrackKind.TEXT: self.text,
            TrackKind.OTHER: self.other,
        }
        return names[kind]
