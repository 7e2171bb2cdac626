"""What is sent to a chat: keys of the message catalogue with typed parameters and buttons, never finished words.

All of it can be stored: pydantic reads and writes these classes as fields of a payload or a checkpoint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Union, overload

from pydantic import BeforeValidator, PlainSerializer, TypeAdapter

from bot.jobs.buttons import ButtonAction, pack, unpack
from bot.media.clip_look import ClipLook
from bot.nemo.drafts import Draft


def _read_action(value: Any) -> Any:
    return unpack(value) if isinstance(value, str) else value


StoredAction = Annotated[
    ButtonAction | None,
    BeforeValidator(_read_action),
    PlainSerializer(lambda action: pack(action) if action else None, return_type=str | None),
]
"""An action that is stored in its packed form."""


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a message."""

    label: str = ""  # key of its label in the catalogue; empty if it shows ``text``
    action: StoredAction = None  # what pressing it does; ``None`` for a link
    url: str = ""  # where a link leads
    text: str = ""  # a label that is the same in every language, such as a name
    share: str = ""  # what is typed behind the bot's name in the chat that the person chooses
    style: str = ""  # ``success`` or ``danger`` where the color helps; older clients show none
    params: Mapping[str, str] = field(default_factory=dict)  # values of the label's placeholders
    is_chosen: bool = False  # whether a tick stands in front of its label


@dataclass(frozen=True, slots=True)
class Seconds:
    """A parameter that is shown as a length of time; with tenths on a timeline."""

    duration_s: float
    tenths: bool = False


@dataclass(frozen=True, slots=True)
class Bytes:
    """A parameter that is shown as a file's size."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class UncutText:
    """A parameter that is shown whole, because the operator wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Names:
    """A parameter that is shown as names side by side."""

    names: tuple[Union[str, "LocalizedMessage"], ...]
    are_all: bool = True  # whether there are no others


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A parameter that is shown as a range on a timeline, with its unit once; ``None`` for an unknown time."""

    start_ms: float | None
    end_ms: float | None


Param = Union[str, int, float, Seconds, Bytes, UncutText, Names, TimeRange, "LocalizedMessage"]
"""What fills a placeholder; a message is phrased first."""


@dataclass(frozen=True, slots=True)
class LocalizedMessage:
    """A text in the reader's language."""

    key: str  # its key in the message catalogue
    params: Mapping[str, Param] = field(default_factory=dict)  # values of its placeholders
    buttons: tuple[Button, ...] = ()  # buttons under the message
    quiet: bool = False  # whether it is sent without a notification sound


@dataclass(frozen=True, slots=True)
class AgentMessage:
    """Words of the agent in Markdown, with lines of our own under them."""

    markdown: str
    buttons: tuple[Button, ...] = ()
    lines: tuple[LocalizedMessage, ...] = ()


@dataclass(frozen=True, slots=True)
class ListMessage:
    """A heading with lines under it, each a key with its parameters."""

    heading: LocalizedMessage
    lines: tuple[LocalizedMessage, ...]
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class TimelinePicture:
    """A picture of the timeline with a caption of one line; where it can't be sent, a list says all of it.

    Args:
        draft: What it shows.
        caption: The list.
        parts: What the picture doesn't show, side by side in the line.
        waiting: A line for each request that waits.
        looks: What its clips look like, by the URL of their media.
    """

    draft: Draft
    caption: ListMessage
    parts: tuple[LocalizedMessage, ...]
    waiting: tuple[LocalizedMessage, ...] = ()
    looks: Mapping[str, ClipLook] = field(default_factory=dict)

    @property
    def buttons(self) -> tuple[Button, ...]:
        """The buttons of the caption."""
        return self.caption.buttons


@dataclass(frozen=True, slots=True)
class SampleClip:
    """The sample clip with a caption; where it can't be sent, the caption alone."""

    caption: LocalizedMessage

    @property
    def buttons(self) -> tuple[Button, ...]:
        """The buttons of the caption."""
        return self.caption.buttons


@dataclass(frozen=True, slots=True)
class PrivateMessage:
    """A message for the person who asked alone: in a group it goes to their private chat, and the group is notified.

    Args:
        message: The message. Buttons that do something for the group's job stay in the group.
        about: What the group may know.
    """

    message: LocalizedMessage | ListMessage
    about: tuple[LocalizedMessage, ...] = ()

    @property
    def buttons(self) -> tuple[Button, ...]:
        """The buttons of the message."""
        return self.message.buttons


TextMessage = LocalizedMessage | AgentMessage | ListMessage
"""A message that more lines can be put under."""

OutgoingMessage = TextMessage | TimelinePicture | SampleClip | PrivateMessage


@overload
def with_lines(
    message: LocalizedMessage | ListMessage,
    lines: tuple[LocalizedMessage, ...],
    buttons: tuple[Button, ...] = (),
) -> LocalizedMessage | ListMessage: ...
@overload
def with_lines(
    message: TextMessage, lines: tuple[LocalizedMessage, ...], buttons: tuple[Button, ...] = ()
) -> TextMessage: ...
def with_lines(
    message: TextMessage, lines: tuple[LocalizedMessage, ...], buttons: tuple[Button, ...] = ()
) -> TextMessage:
    """Return a message with more lines and buttons under it."""
    every_button = (*message.buttons, *buttons)
    if isinstance(message, LocalizedMessage):
        if not lines:
            return replace(message, buttons=every_button)
        return ListMessage(replace(message, buttons=()), lines, every_button)
    return replace(message, lines=(*message.lines, *lines), buttons=every_button)


class DoneFraction:
    """How much of a whole request is done where one stage ends and the next begins, 0 to 1.

    Within a stage the bar is at ``start + (end - start) * share``. Bytes or percentages give the share; where there
    are none, `telegram/sending/progress_bar.py` derives it from the time that the stage usually takes.
    """

    CONNECTED = 0.05
    SENT = 0.1  # the last byte of the files
    READ = 0.15  # NemoVideo has read them
    ANSWERED = 0.7
    RENDERED = 0.95
    FETCHED = 0.97


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; the progress message shows the newest one."""

    stage: str  # key of the stage's text in the catalogue
    params: Mapping[str, Param] = field(default_factory=dict)  # values of its placeholders
    fraction: float = 0.0  # done of the whole job, 0 to 1
    preview: Callable[[], str] | None = None  # returns the agent's words so far; None keeps the earlier ones
    # Seconds that the stage usually still takes; the bar moves towards ``until`` meanwhile.
    expected_s: float = 0.0
    until: float = 0.0  # where the stage ends, 0 to 1
    # Seconds that the rest may take: what earlier ones took, or one estimate; empty to show no time left.
    estimates_s: tuple[float, ...] = ()
    link: str = ""  # where the project opens in a browser; it stays through the stages that follow
    buttons: tuple[Button, ...] = ()  # buttons beside that which cancels the job
    variation: LocalizedMessage | None = None  # the variation that it is about, if the job makes several
    readable_s: float = 0.0  # seconds for which its text stays, above the stages that follow
    outlasts_job: bool = False  # whether it stays that long also where the job ends sooner


STORED_LIST = TypeAdapter(ListMessage)  # reads and writes messages that are stored on their own
