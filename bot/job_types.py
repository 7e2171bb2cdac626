"""One row for each kind of job: its queue, its steps, and the command that asks for it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bot.chats.chats import Chats
from bot.jobs.model import Job, JobKind, QueueName
from bot.jobs.ports import GroupAdmins, Topics
from bot.jobs.queue.credit_limits import CreditLimits
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.queue.usual_times import UsualTimes
from bot.jobs.steps.announce import Announce
from bot.jobs.steps.ask_agent import AskAgent
from bot.jobs.steps.ask_for_clip import AskForClip
from bot.jobs.steps.cancel_job import CancelJob
from bot.jobs.steps.connect import Connect
from bot.jobs.steps.delete_token import DeleteToken
from bot.jobs.steps.deliver import Deliver
from bot.jobs.steps.export import Export, RenderLimits
from bot.jobs.steps.first_contact import FirstContact
from bot.jobs.steps.forget import Forget
from bot.jobs.steps.gather import Gather
from bot.jobs.steps.login import Login
from bot.jobs.steps.logout import Logout
from bot.jobs.steps.make_extract import MakeExtract
from bot.jobs.steps.make_variations import MakeVariations
from bot.jobs.steps.new_project import NewProject
from bot.jobs.steps.offer_variations import OfferVariations
from bot.jobs.steps.open_project import OpenProject
from bot.jobs.steps.post_to_channel import PostToChannel
from bot.jobs.steps.question import AskNextQuestion
from bot.jobs.steps.save_version import SaveVersion
from bot.jobs.steps.send_text import SendText
from bot.jobs.steps.set_brand import SetBrand
from bot.jobs.steps.show_comparison import ShowComparison
from bot.jobs.steps.show_credits import ShowCredits
from bot.jobs.steps.show_link import ShowLink
from bot.jobs.steps.show_private_message import ShowPrivateMessage
from bot.jobs.steps.show_sample import ShowSample
from bot.jobs.steps.show_settings import ShowSettings
from bot.jobs.steps.show_skills import ShowSkills
from bot.jobs.steps.show_stats import ShowStats
from bot.jobs.steps.show_status import ShowStatus
from bot.jobs.steps.spoken_answer import SpokenAnswer
from bot.jobs.steps.transcribe import Transcribe
from bot.jobs.steps.turn_draft import TurnLimits
from bot.jobs.steps.upload import Upload
from bot.jobs.steps.watch_upload import WatchUpload
from bot.jobs.worker.attempt import Step
from bot.media.transcription import Transcriber
from bot.projects.guest_account_count import GuestAccountCounter
from bot.projects.projects import Projects
from bot.skills.cards import SkillCards


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command with its place in the menus that Telegram shows; in each the lowest number comes first.

    Args:
        name: The command without its slash; its description is the text ``command.<name>``.
        private: Place in private chats; 0 if it is not listed there, as in the others.
        group: Place in groups.
        group_admin: Place below the others for admins of groups.
        operator: Place below the others in the private chats of the bot's admins.
        needs_handler: Whether it takes arguments or asks back, so that a handler of its own stores the job.
    """

    name: str
    private: int = 0
    group: int = 0
    group_admin: int = 0
    operator: int = 0
    needs_handler: bool = False


@dataclass(frozen=True, slots=True)
class StepDependencies:
    """Everything that steps need."""

    projects: Projects
    chats: Chats
    cards: SkillCards
    group_admins: GroupAdmins
    topics: Topics
    close_position_message: Callable[[Job], Awaitable[None]]
    guest_accounts: GuestAccountCounter
    eraser: ChatEraser
    usual_times: UsualTimes
    turn_limits: TurnLimits
    credit_limits: CreditLimits
    render_limits: RenderLimits
    transcriber: Transcriber | None = None


@dataclass(frozen=True, slots=True)
class JobType:
    """A kind of job.

    Args:
        kind: The kind.
        queue: The chat's queue that its jobs wait in.
        make_steps: Makes its steps.
        command: The command that asks for it, if one does.
    """

    kind: JobKind
    queue: QueueName
    make_steps: Callable[[StepDependencies], tuple[Step, ...]]
    command: CommandSpec | None = None


def _ask_agent(d: StepDependencies) -> AskAgent:
    return AskAgent(d.projects, d.turn_limits, d.cards, d.credit_limits, d.usual_times)


def _export(d: StepDependencies) -> Export:
    return Export(d.projects, d.render_limits, d.cards, d.usual_times)


def _deliver(d: StepDependencies) -> Deliver:
    return Deliver(d.projects, _export(d), d.usual_times)


def _save_version(d: StepDependencies) -> SaveVersion:
    return SaveVersion(d.projects, d.topics)


MAIN, QUICK = QueueName.MAIN, QueueName.QUICK

JOB_TYPES: Final = (
    JobType(
        JobKind.EDIT,
        MAIN,
        lambda d: (
            AskNextQuestion(),
            ShowSample(),
            Gather(),
            SpokenAnswer(d.transcriber),
            AskForClip(d.projects),
            Connect(d.projects),
            Upload(d.projects, d.cards, d.usual_times),
            Transcribe(d.transcriber),
            _ask_agent(d),
            _save_version(d),
            _export(d),
            _deliver(d),
        ),
        CommandSpec("edit", private=140, group=10, needs_handler=True),
    ),
    JobType(
        JobKind.EXPORT,
        MAIN,
        lambda d: (Connect(d.projects), _export(d), _deliver(d)),
        CommandSpec("export", private=10, group=20),
    ),
    JobType(JobKind.OFFER_VARIATIONS, QUICK, lambda d: (OfferVariations(d.projects),)),
    JobType(
        JobKind.VARIATIONS,
        MAIN,
        lambda d: (
            Connect(d.projects),
            MakeVariations(d.projects, _ask_agent(d), _save_version(d), _export(d)),
        ),
    ),
    JobType(JobKind.EXTRACT, MAIN, lambda d: (MakeExtract(d.projects),)),
    JobType(
        JobKind.NEW,
        MAIN,
        lambda d: (NewProject(d.projects, d.topics),),
        CommandSpec("new", private=40, group=50, needs_handler=True),
    ),
    JobType(JobKind.OPEN_PROJECT, MAIN, lambda d: (OpenProject(d.projects, d.topics),)),
    JobType(
        JobKind.LOGIN,
        MAIN,
        lambda d: (Login(d.projects),),
        CommandSpec("login", private=100, needs_handler=True),
    ),
    JobType(JobKind.LOGOUT, MAIN, lambda d: (Logout(d.projects),), CommandSpec("logout", private=110)),
    JobType(
        JobKind.FORGET,
        MAIN,
        lambda d: (Forget(d.eraser),),
        CommandSpec("forget", private=130, group_admin=20, needs_handler=True),
    ),
    # Beside the requests, one right behind it would miss the file.
    JobType(JobKind.BRAND, MAIN, lambda d: (SetBrand(d.chats),)),
    JobType(JobKind.POST, QUICK, lambda d: (PostToChannel(d.chats, d.group_admins),)),
    JobType(JobKind.COMPARE, QUICK, lambda d: (ShowComparison(d.chats),)),
    JobType(
        JobKind.STATUS,
        QUICK,
        lambda d: (ShowStatus(d.projects), FirstContact(d.projects)),
        CommandSpec("status", private=20, group=30),
    ),
    JobType(
        JobKind.CREDITS,
        QUICK,
        lambda d: (FirstContact(d.projects), ShowCredits(d.projects)),
        CommandSpec("credits", private=30, group=70),
    ),
    JobType(
        JobKind.LINK,
        QUICK,
        lambda d: (FirstContact(d.projects), ShowLink(d.projects, d.group_admins)),
        CommandSpec("link", private=90, group_admin=10),
    ),
    JobType(JobKind.WATCH_UPLOAD, QUICK, lambda d: (WatchUpload(d.projects),)),
    JobType(
        JobKind.SETTINGS,
        QUICK,
        lambda d: (ShowSettings(d.chats, d.cards),),
        CommandSpec("settings", private=70, group=80),
    ),
    JobType(
        JobKind.SKILL,
        QUICK,
        lambda d: (ShowSkills(d.cards, d.chats), FirstContact(d.projects)),
        CommandSpec("skill", private=60, group=60, needs_handler=True),
    ),
    JobType(
        JobKind.STATS,
        QUICK,
        lambda d: (ShowStats(d.guest_accounts, d.usual_times),),
        CommandSpec("stats", operator=10, needs_handler=True),
    ),
    JobType(
        JobKind.ANNOUNCE,
        QUICK,
        lambda _: (Announce(),),
        CommandSpec("announce", operator=40, needs_handler=True),
    ),
    JobType(
        JobKind.CANCEL,
        QUICK,
        lambda d: (CancelJob(d.close_position_message),),
        CommandSpec("cancel", private=50, group=40, needs_handler=True),
    ),
    JobType(JobKind.PRIVATE_ANSWER, QUICK, lambda d: (ShowPrivateMessage(d.chats, d.group_admins),)),
    JobType(JobKind.MESSAGE, QUICK, lambda _: (SendText(),)),
    JobType(JobKind.DELETE_TOKEN, QUICK, lambda _: (DeleteToken(),)),
)

_COMMANDS: Final = (
    *(job_type.command for job_type in JOB_TYPES if job_type.command is not None),
    # Answered by their handlers, without a job of their own.
    CommandSpec("projects", private=45, group=55, needs_handler=True),
    CommandSpec("history", private=47, group=57, needs_handler=True),
    CommandSpec("save", private=48, group=58, needs_handler=True),
    CommandSpec("templates", private=49, group=59, needs_handler=True),
    CommandSpec("brand", private=75, group=85, needs_handler=True),
    CommandSpec("language", private=80, group=90, needs_handler=True),
    CommandSpec("privacy", private=120, group=100, needs_handler=True),
    CommandSpec("help", private=150, group=110, needs_handler=True),
    CommandSpec("pause", operator=20, needs_handler=True),
    CommandSpec("resume", operator=30, needs_handler=True),
    CommandSpec("alerts", operator=45, needs_handler=True),
    CommandSpec("ban", operator=50, needs_handler=True),
    CommandSpec("unban", operator=60, needs_handler=True),
)

COMMAND_JOBS: Final[Mapping[str, JobType]] = {
    job_type.command.name: job_type
    for job_type in JOB_TYPES
    if job_type.command is not None and not job_type.command.needs_handler
}
"""The job that each command asks for which needs no handler of its own."""


QUEUES: Final[Mapping[JobKind, QueueName]] = {job_type.kind: job_type.queue for job_type in JOB_TYPES}


def _menu(menu_order: Callable[[CommandSpec], int]) -> tuple[str, ...]:
    return tuple(command.name for command in sorted(_COMMANDS, key=menu_order) if menu_order(command))


PRIVATE_MENU: Final = _menu(lambda command: command.private)
GROUP_MENU: Final = _menu(lambda command: command.group)
GROUP_ADMIN_MENU: Final = (*GROUP_MENU, *_menu(lambda command: command.group_admin))
OPERATOR_COMMANDS: Final = _menu(lambda command: command.operator)
