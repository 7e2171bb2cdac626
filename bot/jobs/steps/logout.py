"""Log a chat out of its own account."""

from bot.chats.chats import AccountKind
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import JobState
from bot.jobs.steps.login import new_project_line, wait_for_other_topics
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.projects.projects import Projects


class LogoutStarted(Checkpoint):
    """Saved before the token is forgotten."""

    name = "logout_started"
    left_project: bool = False  # whether the chat leaves a project behind


class Logout:
    """Forget the chat's own token."""

    name = "logout"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        key, chats = attempt.job.chat, self._projects.chats
        started = attempt.load(LogoutStarted)
        if started is None:
            chat = await chats.get(key)
            if chat.own_token is None:
                raise JobEnded(LocalizedMessage("logout.nothing"), JobState.DONE)
            started = LogoutStarted(left_project=chat.session_id is not None)
            await attempt.save(started)
        await wait_for_other_topics(attempt)
        await self._projects.accounts.clear_own_token(key)
        account = await self._projects.accounts.account_kind_for(await chats.get(key))
        kind = "operator" if account is AccountKind.OPERATOR else "anonymous"
        lines = new_project_line(left_project=started.left_project)
        await attempt.responder.send("logout", ListMessage(LocalizedMessage(f"logout.done_{kind}"), lines))
