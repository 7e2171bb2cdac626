"""What is sent to a chat: keys of the message catalogue with typed parameters and buttons, never finished words.

All of it can be stored: pydantic reads and writes these classes as fields of a payload or a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Union

from pydantic import BeforeValidator, PlainSerializer, TypeAdapter

from bot.jobs.buttons import ButtonAction, pack, unpack
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
    """A button under a message.

    Args:
        label: Key of its words in the catalogue; empty where it says ``text``.
        action: What pressing it does; ``None`` for a link.
        url: Where a link button leads.
        text: What it says in every language, such as a name.
    """

    label: str = ""
    action: StoredAction = None
    url: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Seconds:
    """A parameter that is shown as a length of time; on a timeline tenths count."""

    duration_s: float
    tenths: bool = False


@dataclass(frozen=True, slots=True)
class Bytes:
    """A parameter that is shown as a file's size."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class UncutText:
    """A parameter that is shown whole, because whoever runs the bot wrote it."""

    text: str


Param = Union[str, int, float, Seconds, Bytes, UncutText, "LocalizedMessage"]
"""What stands in a placeholder; a notice is phrased first."""


@dataclass(frozen=True, slots=True)
class LocalizedMessage:
    """Something to tell the chat: a key of the message catalogue with its parameters, never finished words.

    Args:
        key: Of the catalogue.
        params: What stands in its placeholders.
        buttons: Under the message.
        quiet: Whether it comes without a sound.
    """

    key: str
    params: Mapping[str, Param] = field(default_factory=dict)
    buttons: tuple[Button, ...] = ()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class AgentMessage:
    """Words of the agent, in its Markdown, and lines of our own under them."""

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
    """A drawn timeline with a caption; where a picture can't be sent, the caption alone."""

    draft: Draft
    caption: ListMessage

    @property
    def buttons(self) -> tuple[Button, ...]:
        """Those of the caption."""
        return self.caption.buttons


@dataclass(frozen=True, slots=True)
class PrivateMessage:
    """What only whoever asked may read: in a group it goes to their private chat, and the group is told where it is.

    Args:
        message: It. Buttons that do something for the group's job stay in the group.
        about: What the group may know.
    """

    message: LocalizedMessage | ListMessage
    about: tuple[LocalizedMessage, ...] = ()

    @property
    def buttons(self) -> tuple[Button, ...]:
        """Those of the message."""
        return self.message.buttons


OutgoingMessage = LocalizedMessage | AgentMessage | ListMessage | TimelinePicture | PrivateMessage


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands; the newest one is what the live message shows.

    Args:
        stage: Key of the stage's words in the catalogue.
        params: Their parameters.
        fraction: 0 to 1 of the whole job.
        preview: The agent's words so far.
        expected_s: Over how many seconds the bar moves on by itself from ``fraction`` to ``until``.
        until: Where that movement ends.
        link: Where the project opens in a browser; stays on the live message through the stages that follow.
    """

    stage: str
    params: Mapping[str, Param] = field(default_factory=dict)
    fraction: float = 0.0
    preview: str = ""
    expected_s: float = 0.0
    until: float = 0.0
    link: str = ""


STORED_MESSAGE = TypeAdapter(LocalizedMessage)
STORED_LIST = TypeAdapter(ListMessage)
"""Read and write messages that are stored on their own."""
