"""What buttons do: one class an action, packed into Telegram's 64 bytes of callback data."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import ClassVar, Final, dataclass_transform, get_type_hints

from bot.chats.brand import BrandPart

VERSION = "1"
"""The first field of all callback data, so that a later release recognizes the buttons of an older one."""

MAX_PACKED_BYTES = 64  # the Bot API's limit for callback data


@dataclass_transform(frozen_default=True)
@dataclass(frozen=True)
class ButtonAction:
    """Base of all actions.

    Fields are booleans, strings without a colon, or members of a ``StrEnum``; the last one may hold colons.
    """

    name: ClassVar[str]

    def __init_subclass__(cls, name: str) -> None:
        """Make the action a dataclass, and register it under its name in callback data; bases have none."""
        super().__init_subclass__()
        if cls.__annotations__:  # Without fields of its own it is as its base, and 0.4 ms are saved.
            dataclass(frozen=True)(cls)
        if name:
            cls.name = name
            ACTIONS[name] = cls


ACTIONS: dict[str, type[ButtonAction]] = {}
"""All actions by the name that stands in callback data."""


class JobButton(ButtonAction, name=""):
    """Base of the actions that belong to a job."""

    job_id: str


class MarkedButton(ButtonAction, name=""):
    """Base of the actions on a project, a template, a card or an example, each known by its mark."""

    mark: str


class VersionButton(MarkedButton, name=""):
    """Base of the actions on a version of the project with a mark."""

    number: str


class Setting(StrEnum):
    """What a chat can switch on and off; the values are fields of ``ChatFields``."""

    AUTO_EXPORT = "auto_export"  # send the video after every edit, or only when asked
    SEND_AS_FILE = "send_as_file"  # send videos as files, or as videos
    SHRINK_RESULTS = "shrink_results"  # send a smaller version of videos that are too large, or only a link
    REPLACE_RESULTS = "replace_results"  # delete the earlier video when a new one arrives, or keep it
    # Let all members of a group change its settings, or only its admins.
    MEMBERS_MAY_CHANGE = "members_may_change"


class SwitchSetting(ButtonAction, name="set"):
    """Switch a setting on or off."""

    on: bool
    setting: Setting


class Cancel(JobButton, name="cancel"):
    """Stop a job."""


class Retry(JobButton, name="retry"):
    """Continue a failed job where it stopped."""


class RenderLastOnly(ButtonAction, name="last_only"):
    """Render only the last of the chat's waiting requests."""


class GoOnChoice(StrEnum):
    """How a request that waits for a decision goes on."""

    RESTORE = "restore"  # after its project was lost: with the project's files put back
    EMPTY = "empty"  # after its project was lost: without them
    SPEND = "spend"  # with fewer credits than it takes


class GoOn(JobButton, name="go_on"):
    """Run a request that waits for a decision."""

    choice: GoOnChoice


class ChooseGeneration(ButtonAction, name="form"):
    """Choose format (``9x16``) and length in seconds of a job's clip, or confirm the choice and generate."""

    is_final: bool
    ratio: str
    length_s: str
    job_id: str


class DropRequest(JobButton, name="drop"):
    """Discard a request that awaits a decision."""


class RemoveExtra(ButtonAction, name="strip"):
    """Ask the agent to remove what it added by itself: ``music``, ``title`` and so on."""

    extra: str
    job_id: str


class KeepExtras(JobButton, name="keep"):
    """Keep what the agent added by itself."""


class RunOffer(JobButton, name="offer"):
    """Ask the agent to make the edit that its answer to a job left to people."""


class RunScreenButton(JobButton, name="screen"):
    """Send the agent the label of the screen button of this number in its answer to a job."""

    number: str


class AnswerQuestion(JobButton, name="choose"):
    """Answer a question that the agent asked for a job.

    ``option`` is the option's number from 0, or ``DONE`` when all that is wanted is ticked.
    """

    DONE: ClassVar[str] = "done"
    question_id: str
    option: str


class RunEdited(JobButton, name="edited"):
    """Rerun a request with its edited words; ``job_id`` is the job that offered it."""


class RunCaption(JobButton, name="caption"):
    """Do what the texts of the forwarded messages in a job say."""


class UseVoice(ButtonAction, name="voice"):
    """Do what a person says in the voice or round video message of a job, or use it as the audio."""

    as_request: bool
    job_id: str


class EditHeard(JobButton, name="edit_heard"):
    """Stop a job whose spoken request was not understood, and offer its text for correction."""


class RunSaved(JobButton, name="held"):
    """Run a saved request with its text and files, but without its links; ``job_id`` names the job that has it.

    Without a job id: in a refusal whose request isn't stored yet.
    """

    job_id: str = ""


class Export(ButtonAction, name="export"):
    """Render the draft as it is."""


class ShowMore(JobButton, name="more"):
    """Show what else can be made of the finished video of a job."""


class ExtractKind(StrEnum):
    """What else can be made of a finished video, in the order of the buttons; the values are in catalogue keys."""

    GIF = "gif"
    ROUND = "round"
    AUDIO = "audio"
    STILL = "still"
    SMALLER = "smaller"  # a smaller version
    FILE = "file"  # the same, sent as a file


class MakeExtract(ButtonAction, name="extract"):
    """Make something else of the finished video of a job."""

    kind: ExtractKind
    job_id: str


class Post(ButtonAction, name="post"):
    """Post the finished video above to a channel, or go on with a job's post: a ``PostChoice``, or a channel's id."""

    choice: str = ""
    job_id: str = ""


class ShowCredits(ButtonAction, name="credits"):
    """Show the credits."""


class ShowStatus(ButtonAction, name="status"):
    """Show the timeline and the current job."""


class NewProject(ButtonAction, name="new"):
    """Start an empty project."""


class KeepProject(ButtonAction, name="keep_project"):
    """Stay in the current project."""


class ListProjects(ButtonAction, name="projects"):
    """List the chat's projects in this message, those of the page with this number, from 1.

    Without a number, send the list.
    """

    page: str = ""


class ShowProject(MarkedButton, name="project"):
    """Show the project with a mark, and what can be done with it."""


class OpenProject(MarkedButton, name="open_project"):
    """Go back to the project with a mark."""


class RenameProject(ButtonAction, name="rename_project"):
    """Say how the current project gets another name."""


class DeleteProject(ButtonAction, name="delete_project"):
    """Forget the project with a mark, or ask first."""

    is_sure: bool
    mark: str


class ShowVersion(VersionButton, name="version"):
    """Show the video of a version of the project with a mark."""


class RestoreVersion(VersionButton, name="restore_version"):
    """Go back to a version of the project with a mark."""


class VariationAspect(StrEnum):
    """What versions of a project differ in; the values are in catalogue keys."""

    MUSIC = "music"
    TITLE = "title"
    FORMAT = "format"


class OfferVariations(ButtonAction, name="offer_variations"):
    """Ask what several versions of the project should differ in."""


class MakeVariations(ButtonAction, name="make_variations"):
    """Make versions of the project that differ in one thing."""

    aspect: VariationAspect


class Compare(VersionButton, name="compare"):
    """Show a version of the project with a mark and the latest one side by side."""


class ListTemplates(ButtonAction, name="templates"):
    """List the requests that the chat has saved."""


class ShowTemplate(MarkedButton, name="template"):
    """Show the template with a mark, and what can be done with it."""


class RunTemplate(ButtonAction, name="run_template"):
    """Send the template with a mark to the agent, or keep it for the next file."""

    on_next_file: bool
    mark: str


class DeleteTemplate(MarkedButton, name="delete_template"):
    """Forget the template with a mark."""


class ShowLink(ButtonAction, name="link"):
    """Show where the project opens in a browser; make a project if there is none.

    With a job id: resume that job's held request once the project has its file.
    """

    job_id: str = ""


class ChooseLanguage(ButtonAction, name="language"):
    """Choose a catalogue; without one, list them."""

    language: str = ""


class ChooseSkill(MarkedButton, name="skill"):
    """Choose the skill card with a mark."""


class ListSkills(ButtonAction, name="skills"):
    """List the skill cards of the page with this number, from 1."""

    page: str = "1"


class ShowSkill(ButtonAction, name="card"):
    """Show the skill card with this mark, or further details of it."""

    with_details: bool
    mark: str


class RunExample(MarkedButton, name="example"):
    """Send the example with a mark to the agent."""


class TrySample(ButtonAction, name="sample"):
    """Send the sample clip and let the agent edit it."""


class RunSuggestion(ButtonAction, name="next"):
    """Send the suggested next step of this name to the agent."""

    suggestion: str


class PlaceFiles(ButtonAction, name="place"):
    """Ask the agent to put the files that are on no track on the timeline."""


class ShowSettings(ButtonAction, name="settings"):
    """Show the chat's settings."""


class ShowBrand(ButtonAction, name="brand"):
    """Show the chat's logo, intro, outro and default format."""


class SetBrandFormat(ButtonAction, name="brand_format"):
    """Begin new projects in a format (``9x16``), or in the clip's own (``clip``)."""

    ratio: str


class RemoveBrandFile(ButtonAction, name="brand_remove"):
    """Forget a file of the chat's brand."""

    file: BrandPart


class ForgetChat(ButtonAction, name="forget"):
    """Erase all that is kept of the chat."""


class KeepChat(ButtonAction, name="keep_chat"):
    """Erase nothing of the chat."""


CONFIRMING: Final = (KeepProject, KeepChat, DropRequest, ChooseGeneration, GoOn)
"""Actions of the buttons under what the bot wants decided; words decide none of it."""

OFFERED: Final = (RunEdited, RunSaved, RunCaption)
"""Actions that run a request which the bot has; "yes" doesn't say it again."""


def pack(action: ButtonAction) -> str:
    """Return the callback data of a button.

    Raises:
        ValueError: The data would be longer than Telegram allows.
    """
    values = (getattr(action, field.name) for field in fields(action))
    parts = [str(int(value)) if isinstance(value, bool) else value for value in values]
    data = ":".join((VERSION, action.name, *parts))
    if len(data.encode()) > MAX_PACKED_BYTES:
        raise ValueError("too long for callback data")
    return data


def unpack(data: str | None) -> ButtonAction | None:
    """Parse callback data; return ``None`` for data that no release has written."""
    version, _, rest = (data or "").partition(":")
    name, _, packed = rest.partition(":")
    action = ACTIONS.get(name)
    if version != VERSION or action is None or not _may_be_sent(rest):
        return None
    types = get_type_hints(action)
    names = [field.name for field in fields(action)]
    values = packed.split(":", len(names) - 1) if names and packed else []
    given = zip(names, values, strict=False)
    try:
        return action(*(value == "1" if types[name] is bool else types[name](value) for name, value in given))
    except (TypeError, ValueError):
        return None  # A field is missing, or a value is unknown.


def _may_be_sent(data: str) -> bool:
    """Return whether a button can have this data; a forged press may bring any."""
    try:
        return len(data.encode()) <= MAX_PACKED_BYTES
    except UnicodeEncodeError:  # Half of a surrogate pair.
        return False
