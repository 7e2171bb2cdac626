"""Show where the project opens in a browser."""

from bot.jobs.buttons import Retry, RunSaved
from bot.jobs.checkpoints import UploadAwaited
from bot.jobs.messages import Button, LocalizedMessage, PrivateMessage
from bot.jobs.model import JobState
from bot.jobs.next_steps import how_to_begin
from bot.jobs.payloads import LinkPayload
from bot.jobs.ports import GroupAdmins
from bot.jobs.steps.service_errors import register_buttons
from bot.jobs.steps.watch_upload import look_later
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.projects.projects import Projects


class ShowLink:
    """Answer with the browser link; that of a group only to an admin, and in private."""

    name = "show_link"

    def __init__(self, projects: Projects, group_admins: GroupAdmins) -> None:
        self._projects = projects
        self._group_admins = group_admins

    async def __call__(self, attempt: Attempt) -> None:
        job, projects = attempt.job, self._projects
        if not job.chat.is_private and not await self._group_admins.is_admin(job.chat, job.requester_id):
            raise JobEnded(LocalizedMessage("link.admins_only"), JobState.DONE)
        if not job.payload_as(LinkPayload).opens_project and not await projects.is_set_up(job.chat):
            raise JobEnded(
                LocalizedMessage("link.no_project", {"begin": how_to_begin(job.chat)}), JobState.DONE
            )
        link = await projects.browser_link(job, attempt.lost.end)
        if link is None:
            retry = Button("button.retry", Retry(job.id))
            page = await projects.project_link(job.chat)
            if page is None:
                raise JobEnded(LocalizedMessage("link.unavailable", buttons=(retry,)))
            message = LocalizedMessage("link.sign_in", buttons=(Button("button.sign_in", url=page), retry))
            raise JobEnded(PrivateMessage(message, (LocalizedMessage("link.in_private"),)))
        chat = await projects.chats.get(job.chat)
        buttons = (Button("button.open_browser", url=link), *await register_buttons(projects, chat))
        key = "link.here" if job.chat.is_private else "link.here_of_group"
        if job.prompt and job.chat.is_private:
            state = await projects.get_state(job)
            before = job.payload_as(LinkPayload).uploads_before or state.uploads_digest
            await attempt.save(UploadAwaited(digest_before=before, session_id=chat.session_id))
            key, buttons = "link.here_to_upload", (*buttons, Button("button.uploaded", RunSaved(job.id)))
        message = LocalizedMessage(key, buttons=buttons)
        await attempt.responder.send("link", PrivateMessage(message, (LocalizedMessage("link.in_private"),)))
        if key == "link.here_to_upload":
            await look_later(attempt, job)
