"""Log a chat in with an API token of its own."""

from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, Progress
from bot.jobs.payloads import LoginPayload
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.answers import tokens_link
from bot.nemo.errors import AuthError
from bot.projects.projects import Projects

PAUSE_S = 2.0  # between two looks whether the other topics are done


class TopicsAwaited(Checkpoint):
    """Saved before each pause: the attempt stops here if it was cancelled, or if another worker has the job."""

    name = "topics_awaited"


async def wait_for_other_topics(attempt: Attempt) -> None:
    """Wait until no request runs in another topic: the new account couldn't reach what the request has paid for."""
    while await attempt.job_queue.is_other_topic_busy(attempt.job.chat):
        attempt.responder.report_progress(Progress("account.waits_for_topics"))
        await attempt.responder.show_progress()
        await attempt.save(TopicsAwaited())
        await attempt.clock.sleep(PAUSE_S)


class TokenChecked(Checkpoint):
    """Saved when NemoVideo has accepted the token."""

    name = "token_checked"
    available: int = 0  # credits of its account
    is_other: bool = True  # whether the chat works with another account so far
    left_project: bool = False  # whether the chat leaves a project behind: another account can't see it


class Login:
    """Check the token in the payload, and let the chat work with it."""

    name = "login"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        projects, key = self._projects, attempt.job.chat
        payload = attempt.job.payload_as(LoginPayload)
        token = projects.chats.decrypt(key, LoginPayload.use, payload.encrypted_token)
        checked = attempt.load(TokenChecked)
        if checked is None:
            try:
                credits_ = await projects.check_token(attempt.job, token)
            except AuthError as error:
                button = Button("button.copy_token", url=tokens_link(projects.options.web_url))
                raise JobEnded(LocalizedMessage("login.refused", buttons=(button,))) from error
            chat = await projects.chats.get(key)
            is_other = chat.own_token != token
            checked = TokenChecked(
                available=round(credits_.available or 0),
                is_other=is_other,
                left_project=is_other and chat.session_id is not None,
            )
            await attempt.save(checked)
        if checked.is_other:
            await wait_for_other_topics(attempt)
        await projects.accounts.set_own_token(key, token)
        heading = LocalizedMessage("login.done", {"available": checked.available})
        lines = (*new_project_line(left_project=checked.left_project), LocalizedMessage("login.way_back"))
        await attempt.responder.send("login", ListMessage(heading, lines))


def new_project_line(*, left_project: bool) -> tuple[LocalizedMessage, ...]:
    """Say that the next request begins a new project, if there was another."""
    return (LocalizedMessage("account.new_project"),) if left_project else ()
