"""Connect: make sure of an account and a project for the chat."""

from __future__ import annotations

from bot.chats.chats import AccountKind, Chat, ChatFields
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import LocalizedMessage, Progress
from bot.jobs.model import JobKind, JobState, guest_job_id
from bot.jobs.next_steps import how_to_begin
from bot.jobs.payloads import EditPayload
from bot.jobs.steps.first_contact import announce_ready, announce_setup
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.projects.projects import Project, Projects


class Connected(Checkpoint):
    """Saved before and after the project is opened: which project of whose account the chat works with."""

    name = "connected"
    session_id: str | None = None  # the project; ``None`` if there is none
    account: AccountKind = AccountKind.NONE  # the kind of account
    epoch: str | None = None  # of the account


class Connect:
    """Open the chat's project, and welcome the chat the first time."""

    name = "connect"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        before = attempt.load(Connected)
        query = attempt.job.guest_query
        if before is None and query is not None and attempt.job.id == guest_job_id(query.id):
            # Once, and not for a retry, which goes on with what is uploaded. Nothing of the person's
            # other projects may come up where others see it; they can go back to them.
            await self._projects.leave(attempt.job.chat)
        chat = await self._projects.chats.get_for(attempt.job)
        if before is None:
            before = _connection(chat)
            await attempt.save(before)
        if attempt.job.kind is JobKind.EDIT:
            await attempt.lost.offer_if_undecided(chat)
        is_first = not chat.greeted
        is_guest = await self._projects.accounts.account_kind_for(chat) is AccountKind.GUEST
        if chat.session_id is None and attempt.job.kind is JobKind.EXPORT and is_guest:
            # Nothing can be there, and a guest account is too scarce to be made for that answer.
            raise JobEnded(nothing_to_export(attempt), JobState.DONE)
        if is_first:
            await announce_setup(self._projects, attempt)
        else:
            attempt.responder.report_progress(Progress("progress.connect"))
            if attempt.job.kind is not JobKind.EXPORT:
                await attempt.responder.show_progress()  # An export that is there already needs none.
        project = await self._projects.ensure_open(attempt.job, attempt.lost.offer)
        now = _connection(project)
        is_other_account = (before.account, before.epoch) != (now.account, now.epoch)
        if before.session_id is not None and is_other_account:
            # The operator set a token or removed it, or the guest account became another.
            await attempt.responder.send("new_project", LocalizedMessage("account.new_project"))
        if now != before:
            await attempt.save(now)
        is_decided = attempt.job.prompt or attempt.job.payload_as(EditPayload).lost_project_decided
        if chat.lost_session_id is not None and is_decided:
            # Somebody has decided about the lost files, or there were none.
            await self._projects.chats.update(attempt.job.chat, ChatFields(lost_session_id=None))
        if is_first:
            await announce_ready(self._projects, attempt)


def nothing_to_export(attempt: Attempt) -> LocalizedMessage:
    """Say that the project is empty, and how to begin."""
    return LocalizedMessage("export.nothing_yet", {"begin": how_to_begin(attempt.job.chat)})


def _connection(to: Chat | Project) -> Connected:
    epoch = to.project_epoch if isinstance(to, Chat) else to.epoch
    return Connected(session_id=to.session_id, account=to.account, epoch=epoch)
