"""What buttons do: one class an action; ``callback_data`` packs them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ButtonAction:
    """Base of all actions. Fields are booleans, or strings without a colon; the last one may hold colons."""

    name: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Cancel(ButtonAction):
    """Stop a job."""

    name = "cancel"
    job_id: str


@dataclass(frozen=True, slots=True)
class Retry(ButtonAction):
    """Do what a failed job has left to do."""

    name = "retry"
    job_id: str


@dataclass(frozen=True, slots=True)
class RenderLastOnly(ButtonAction):
    """Skip the renders of the chat's requests, except that of the last one that waits."""

    name = "last_only"


class GoOnChoice(StrEnum):
    """How a request that waits for a decision goes on."""

    RESTORE = "restore"  # after its project was lost: with the project's files put back
    EMPTY = "empty"  # after its project was lost: without them
    SPEND = "spend"  # with fewer credits than it takes


@dataclass(frozen=True, slots=True)
class GoOn(ButtonAction):
    """Run a request that waits for a decision; the choice is a ``GoOnChoice``."""

    name = "go_on"
    job_id: str
    choice: str


@dataclass(frozen=True, slots=True)
class ChooseGeneration(ButtonAction):
    """Choose format (``9x16``) and length in seconds of the clip that a job asks for, or generate it so."""

    name = "form"
    is_final: bool
    ratio: str
    length_s: str
    job_id: str


@dataclass(frozen=True, slots=True)
class DropRequest(ButtonAction):
    """Leave a request that waits for a decision."""

    name = "drop"
    job_id: str


@dataclass(frozen=True, slots=True)
class RemoveExtra(ButtonAction):
    """Ask the agent to remove what it added by itself: ``music``, ``title`` and so on."""

    name = "strip"
    extra: str
    job_id: str


@dataclass(frozen=True, slots=True)
class KeepExtras(ButtonAction):
    """Keep what the agent added by itself."""

    name = "keep"
    job_id: str


@dataclass(frozen=True, slots=True)
class RunOffer(ButtonAction):
    """Ask the agent for the edit that its answer to a job told people to make by hand."""

    name = "offer"
    job_id: str


@dataclass(frozen=True, slots=True)
class RunScreenButton(ButtonAction):
    """Send the agent the name of the button, by its number, that its answer to a job told people to press."""

    name = "screen"
    job_id: str
    number: str


@dataclass(frozen=True, slots=True)
class AnswerQuestion(ButtonAction):
    """Answer the question of this number, which the agent asked for a job.

    ``option`` is the option's number from 0, or ``DONE`` when all that is wanted is ticked.
    """

    name = "choose"
    DONE: ClassVar[str] = "done"
    job_id: str
    number: str
    option: str


@dataclass(frozen=True, slots=True)
class RunEdited(ButtonAction):
    """Run a request again in its edited words; the job is the one that offered it."""

    name = "edited"
    job_id: str


@dataclass(frozen=True, slots=True)
class RunCaption(ButtonAction):
    """Do what the texts of the forwarded messages in a job say."""

    name = "caption"
    job_id: str


@dataclass(frozen=True, slots=True)
class UseVoice(ButtonAction):
    """Do what somebody says in the voice or round video message of a job, or use it as the audio."""

    name = "voice"
    as_request: bool
    job_id: str


@dataclass(frozen=True, slots=True)
class EditHeard(ButtonAction):
    """Stop a job whose spoken request was not understood, and offer its text for correction."""

    name = "edit_heard"
    job_id: str


@dataclass(frozen=True, slots=True)
class RunHeld(ButtonAction):
    """Run the words and files of a request that was held back, without its links; the job is the one that holds it."""

    name = "held"
    job_id: str


@dataclass(frozen=True, slots=True)
class Export(ButtonAction):
    """Render the draft as it is."""

    name = "export"


@dataclass(frozen=True, slots=True)
class ShowMore(ButtonAction):
    """Show what else can be made of the finished video of a job."""

    name = "more"
    job_id: str


@dataclass(frozen=True, slots=True)
class MakeExtract(ButtonAction):
    """Make something else of the finished video of a job: an ``Extract``, a ``smaller`` version, a ``file``."""

    name = "extract"
    form: str
    job_id: str


@dataclass(frozen=True, slots=True)
class ShowCredits(ButtonAction):
    """Show the credits."""

    name = "credits"


@dataclass(frozen=True, slots=True)
class ShowStatus(ButtonAction):
    """Show the timeline and the current job."""

    name = "status"


@dataclass(frozen=True, slots=True)
class NewProject(ButtonAction):
    """Start an empty project."""

    name = "new"


@dataclass(frozen=True, slots=True)
class KeepProject(ButtonAction):
    """Stay in the present project."""

    name = "keep_project"


@dataclass(frozen=True, slots=True)
class ListProjects(ButtonAction):
    """List the chat's projects in this message, those of the page with this number, from 1.

    Without a number, send the list.
    """

    name = "projects"
    page: str = ""


@dataclass(frozen=True, slots=True)
class ShowProject(ButtonAction):
    """Show the project with a mark, and what can be done with it."""

    name = "project"
    mark: str


@dataclass(frozen=True, slots=True)
class OpenProject(ButtonAction):
    """Go back to the project with a mark."""

    name = "open_project"
    mark: str


@dataclass(frozen=True, slots=True)
class RenameProject(ButtonAction):
    """Say how the present project gets another name."""

    name = "rename_project"


@dataclass(frozen=True, slots=True)
class DeleteProject(ButtonAction):
    """Forget the project with a mark, or ask first."""

    name = "delete_project"
    is_sure: bool
    mark: str


@dataclass(frozen=True, slots=True)
class ShowVersion(ButtonAction):
    """Show the video of a version of the project with a mark."""

    name = "version"
    mark: str
    number: str


@dataclass(frozen=True, slots=True)
class RestoreVersion(ButtonAction):
    """Go back to a version of the project with a mark."""

    name = "restore_version"
    mark: str
    number: str


@dataclass(frozen=True, slots=True)
class OfferVariations(ButtonAction):
    """Ask what several versions of the project should differ in."""

    name = "offer_variations"


@dataclass(frozen=True, slots=True)
class MakeVariations(ButtonAction):
    """Make versions of the project that differ in their ``music``, ``title`` or ``format``."""

    name = "make_variations"
    topic: str


@dataclass(frozen=True, slots=True)
class Compare(ButtonAction):
    """Show a version of the project with a mark and the latest one side by side."""

    name = "compare"
    mark: str
    number: str


@dataclass(frozen=True, slots=True)
class ListTemplates(ButtonAction):
    """List the requests that the chat has saved."""

    name = "templates"


@dataclass(frozen=True, slots=True)
class ShowTemplate(ButtonAction):
    """Show the template with a mark, and what can be done with it."""

    name = "template"
    mark: str


@dataclass(frozen=True, slots=True)
class RunTemplate(ButtonAction):
    """Send the template with a mark to the agent, or keep it for the next file."""

    name = "run_template"
    on_next_file: bool
    mark: str


@dataclass(frozen=True, slots=True)
class DeleteTemplate(ButtonAction):
    """Forget the template with a mark."""

    name = "delete_template"
    mark: str


@dataclass(frozen=True, slots=True)
class ShowLink(ButtonAction):
    """Show where the project opens in a browser; make a project if there is none.

    With the id of a job that holds a request, that is to go on when the project has its file.
    """

    name = "link"
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class ChooseLanguage(ButtonAction):
    """Choose a catalogue; without one, list them."""

    name = "language"
    language: str = ""


@dataclass(frozen=True, slots=True)
class ChooseSkill(ButtonAction):
    """Choose the skill card with a mark."""

    name = "skill"
    mark: str


@dataclass(frozen=True, slots=True)
class ListSkills(ButtonAction):
    """List the skill cards of the page with this number, from 1."""

    name = "skills"
    page: str = "1"


@dataclass(frozen=True, slots=True)
class ShowSkill(ButtonAction):
    """Show the skill card with a mark, or what else there is to know about it."""

    name = "card"
    with_details: bool
    mark: str


@dataclass(frozen=True, slots=True)
class RunExample(ButtonAction):
    """Send the example with a mark to the agent."""

    name = "example"
    mark: str


@dataclass(frozen=True, slots=True)
class TrySample(ButtonAction):
    """Send the sample clip and let the agent edit it."""

    name = "sample"


@dataclass(frozen=True, slots=True)
class RunSuggestion(ButtonAction):
    """Send the suggested next step of this name to the agent."""

    name = "next"
    suggestion: str


@dataclass(frozen=True, slots=True)
class PlaceFiles(ButtonAction):
    """Ask the agent to put the files that are on no track on the timeline."""

    name = "place"


@dataclass(frozen=True, slots=True)
class ShowSettings(ButtonAction):
    """Show the chat's settings."""

    name = "settings"


@dataclass(frozen=True, slots=True)
class ForgetChat(ButtonAction):
    """Erase all that is kept of the chat."""

    name = "forget"


@dataclass(frozen=True, slots=True)
class KeepChat(ButtonAction):
    """Erase nothing."""

    name = "keep_chat"


@dataclass(frozen=True, slots=True)
class SetMembersMayChange(ButtonAction):
    """Let all members of a group change its settings, or only its admins."""

    name = "members"
    on: bool


@dataclass(frozen=True, slots=True)
class SetAutoExport(ButtonAction):
    """Send the video after every edit, or only when asked."""

    name = "auto"
    on: bool


@dataclass(frozen=True, slots=True)
class SetSendAsFile(ButtonAction):
    """Send videos as files, or as videos."""

    name = "file"
    on: bool


@dataclass(frozen=True, slots=True)
class SetShrinkResults(ButtonAction):
    """Send a smaller version of videos that are too large, or only a link."""

    name = "shrink"
    on: bool


@dataclass(frozen=True, slots=True)
class SetReplaceResults(ButtonAction):
    """Delete the earlier video when a new one arrives, or keep it."""

    name = "replace"
    on: bool
