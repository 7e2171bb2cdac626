"""Accounts and browser links: a token brought or taken back, a project handed to somebody's browser."""

from __future__ import annotations

from bot.chats.chats import Account
from bot.jobs.buttons import Retry
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, PrivateMessage
from bot.jobs.model import JobState
from bot.jobs.next_steps import how_to_begin
from bot.jobs.payloads import LinkPayload, LoginPayload
from bot.jobs.ports import GroupAdmins
from bot.jobs.steps.service_errors import ended_by, register_buttons
from bot.jobs.worker.runner import Attempt, JobEnded, Step
from bot.nemo.errors import AuthError, NemoError
from bot.projects.accounts import uses_token
from bot.projects.projects import Projects


def login(projects: Projects) -> Step:
    """Checks the token that somebody brought, and lets their chat work with it."""

    async def step(attempt: Attempt) -> None:
        token = projects.chats.unseal(attempt.job.payload_as(LoginPayload).encrypted_token)
        checked = attempt.get_value("checked")
        if checked is None:
            try:
                credits_ = await projects.check_token(attempt.job, token)
            except AuthError as error:
                raise JobEnded(LocalizedMessage("login.refused")) from error
            except NemoError as error:
                raise await ended_by(projects, attempt.job, error) from error
            chat = await projects.chats.get(attempt.job.chat)
            left = chat.session_id is not None and not uses_token(chat, token)
            checked = {"available": round(credits_.available or 0), "left_project": left}
            await attempt.save_value("checked", checked)
        await projects.accounts.bring_own(attempt.job.chat, token)
        heading = LocalizedMessage("login.done", {"available": checked["available"]})
        lines = _new_project(left_project=checked["left_project"])
        await attempt.responder.send(
            "login", ListMessage(heading, (*lines, LocalizedMessage("login.way_back")))
        )

    return step


def logout(projects: Projects) -> Step:
    """Forgets the token that somebody brought."""

    async def step(attempt: Attempt) -> None:
        asked = attempt.get_value("asked")
        if asked is None:
            chat = await projects.chats.get(attempt.job.chat)
            if chat.own_token is None:
                raise JobEnded(LocalizedMessage("logout.nothing"), JobState.DONE)
            asked = {"left_project": chat.session_id is not None}
            await attempt.save_value("asked", asked)
        await projects.accounts.drop_own(attempt.job.chat)
        account = (await projects.chats.get(attempt.job.chat)).account
        kind = "operator" if account is Account.OPERATOR else "anonymous"
        lines = _new_project(left_project=asked["left_project"])
        await attempt.responder.send("logout", ListMessage(LocalizedMessage(f"logout.done_{kind}"), lines))

    return step


def give_link(projects: Projects, group_admins: GroupAdmins) -> Step:
    """Answers where the project opens in a browser; that of a group is for the eyes of the admin who asks."""

    async def step(attempt: Attempt) -> None:
        job = attempt.job
        if not job.chat.is_private and not await group_admins.is_admin(job.chat, job.owner_id):
            raise JobEnded(LocalizedMessage("link.admins_only"), JobState.DONE)
        if not job.payload_as(LinkPayload).opens_project and not await projects.is_set_up(job.chat):
            raise JobEnded(
                LocalizedMessage("link.no_project", {"begin": how_to_begin(job.chat)}), JobState.DONE
            )
        link = await projects.browser_link(job)
        if link is None:
            raise JobEnded(
                LocalizedMessage("link.unavailable", buttons=(Button("button.retry", Retry(job.id)),))
            )
        chat = await projects.chats.get(job.chat)
        buttons = (Button("button.open_browser", url=link), *register_buttons(projects, chat))
        key = "link.here" if job.chat.is_private else "link.here_of_group"
        await attempt.responder.send(
            "link",
            PrivateMessage(LocalizedMessage(key, buttons=buttons), (LocalizedMessage("link.in_private"),)),
        )

    return step


def _new_project(*, left_project: bool) -> tuple[LocalizedMessage, ...]:
    return (LocalizedMessage("account.new_project"),) if left_project else ()
