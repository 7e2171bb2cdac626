"""First contact: set things up for a chat, and say so, once."""

import structlog

from bot.chats.chats import AccountKind, ChatFields
from bot.jobs.messages import DoneFraction, Progress
from bot.jobs.model import JobKind
from bot.jobs.payloads import LinkPayload
from bot.jobs.worker.attempt import Attempt
from bot.nemo.errors import NemoError
from bot.projects.projects import Projects

log = structlog.get_logger(__name__)

READY_S = 5.0
"""How long "Ready" stays, above the stages that follow or behind the answer to a quick question."""


class FirstContact:
    """Set things up where a question is the chat's first contact.

    A question that can do without a project opens none: there the account is checked alone, and a guest account is too
    scarce to be made for it.
    """

    name = "first_contact"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        projects, job = self._projects, attempt.job
        chat = await projects.chats.get_for(job)
        is_guest = await projects.accounts.account_kind_for(chat) is AccountKind.GUEST
        needs_account = job.kind is JobKind.LINK and job.payload_as(LinkPayload).opens_project
        if chat.greeted or (is_guest and not needs_account):
            return
        await announce_setup(projects, attempt)
        try:
            if needs_account:
                await projects.ensure_open(job, attempt.lost.report)
            else:
                await projects.check_account(job)
        except NemoError as error:
            # The question's own step reports the error if it matters there; the next request sets things up.
            log.info("setup.failed", error=type(error).__name__)
            await projects.chats.update(job.chat, ChatFields(greeted=False))
            return
        await announce_ready(projects, attempt)


async def announce_setup(projects: Projects, attempt: Attempt) -> None:
    """Say that things are being set up; no other job of the chat says so."""
    await projects.chats.update(attempt.job.chat, ChatFields(greeted=True))
    attempt.responder.report_progress(Progress("setup.working"))
    await attempt.responder.show_progress()


async def announce_ready(projects: Projects, attempt: Attempt) -> None:
    """Say that all is ready, with the link to the project if there is one."""
    key = attempt.job.chat
    # Anyone who has the link can take the project over: not for everyone in a group.
    has_link = key.is_private and await projects.is_set_up(key)
    link = await projects.browser_link(attempt.job) if has_link else None
    attempt.responder.report_progress(
        Progress(
            "setup.ready",
            fraction=DoneFraction.CONNECTED,
            link=link or "",
            readable_s=READY_S,
            outlasts_job=True,
        )
    )
    await attempt.responder.flush_progress()
