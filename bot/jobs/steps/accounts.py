"""Accounts and browser links: a token brought or taken back, a project handed to somebody's browser."""

from __future__ import annotations

from bot.chats.chats import Account
from bot.jobs.accounts import works_with
from bot.jobs.job import State
from bot.jobs.next_steps import how_to_begin
from bot.jobs.ports import Button, Confidential, Membership, Notice, Report
from bot.jobs.runner import Ended, Run, Step
from bot.jobs.workspace import Workspace
from bot.nemo.errors import AuthError, NemoError


def login(workspace: Workspace) -> Step:
    """Checks the token that somebody brought, and lets their chat work with it."""

    async def step(run: Run) -> None:
        token = workspace.chats.unseal(run.job.data["token"])
        checked = run.get("checked")
        if checked is None:
            try:
                credits_ = await workspace.check_token(run.job, token)
            except AuthError as error:
                raise Ended(Notice("login.refused")) from error
            except NemoError as error:
                raise await workspace.ended_by(run.job, error) from error
            chat = await workspace.chats.get(run.job.chat)
            left = chat.session_id is not None and not works_with(chat, token)
            checked = {"available": round(credits_.available or 0), "left_project": left}
            await run.save("checked", checked)
        await workspace.accounts.bring_own(run.job.chat, token)
        heading = Notice("login.done", {"available": checked["available"]})
        lines = _new_project(left_project=checked["left_project"])
        await run.front.say("login", Report(heading, (*lines, Notice("login.way_back"))))

    return step


def logout(workspace: Workspace) -> Step:
    """Forgets the token that somebody brought."""

    async def step(run: Run) -> None:
        asked = run.get("asked")
        if asked is None:
            chat = await workspace.chats.get(run.job.chat)
            if chat.own_token is None:
                raise Ended(Notice("logout.nothing"), State.DONE)
            asked = {"left_project": chat.session_id is not None}
            await run.save("asked", asked)
        await workspace.accounts.drop_own(run.job.chat)
        account = (await workspace.chats.get(run.job.chat)).account
        kind = "operator" if account is Account.OPERATOR else "anonymous"
        lines = _new_project(left_project=asked["left_project"])
        await run.front.say("logout", Report(Notice(f"logout.done_{kind}"), lines))

    return step


def give_link(workspace: Workspace, membership: Membership) -> Step:
    """Answers where the project opens in a browser; that of a group is for the eyes of the admin who asks."""

    async def step(run: Run) -> None:
        job = run.job
        if not job.chat.is_private and not await membership.is_admin(job.chat, job.owner_id):
            raise Ended(Notice("link.admins_only"), State.DONE)
        if not job.data.get("begin") and not await workspace.is_set_up(job.chat):
            raise Ended(Notice("link.no_project", {"begin": how_to_begin(job.chat)}), State.DONE)
        link = await workspace.browser_link(job)
        if link is None:
            raise Ended(Notice("link.unavailable", buttons=(Button("button.retry", "retry", job.id),)))
        chat = await workspace.chats.get(job.chat)
        buttons = (Button("button.open_browser", url=link), *workspace.register_buttons(chat))
        key = "link.here" if job.chat.is_private else "link.here_of_group"
        await run.front.say("link", Confidential(Notice(key, buttons=buttons), (Notice("link.in_private"),)))

    return step


def _new_project(*, left_project: bool) -> tuple[Notice, ...]:
    return (Notice("account.new_project"),) if left_project else ()
