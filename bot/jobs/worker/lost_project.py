"""What follows when NemoVideo lost a chat's project: notify the chat, and offer to put its files back.

That a project is lost, and a new one opened, is decided in ``Projects.call`` (``projects/projects.py``).
"""

from __future__ import annotations

from bot.chats.chats import Chat, Chats
from bot.jobs.buttons import GoOn, GoOnChoice
from bot.jobs.checkpoints import ProjectLost, PromptSent, Turn
from bot.jobs.messages import Button, LocalizedMessage, Param
from bot.jobs.model import JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.continued_jobs import MAX_RESTORED_FILES
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.projects.projects import LossReason, ProjectLoss


class LostProject:
    """Answers a lost project, in one of three ways for ``on_loss`` of a call.

    Args:
        attempt: The attempt whose call finds the project gone.
        chats: The chats.
    """

    def __init__(self, attempt: Attempt, chats: Chats) -> None:
        self._attempt = attempt
        self.chats = chats

    async def offer(self, loss: ProjectLoss) -> None:
        """Notify the chat; if the project had files, end the job until a person decides whether to put them back.

        Raises:
            JobEnded: The request waits.
        """
        message = await self._message(loss, is_waiting=bool(self._attempt.job.prompt))
        if message.buttons and self._attempt.job.prompt:
            raise JobEnded(message, JobState.DONE)
        turn = self._attempt.load(Turn) or Turn()
        if self._attempt.load(PromptSent, turn.key) is not None:
            await self._attempt.delete(PromptSent, turn.key)  # The prompt was refused, and is sent again.
        await self._send(message)

    async def end(self, loss: ProjectLoss) -> None:
        """End a job that can't be done any more because its project is gone.

        Raises:
            JobEnded: Always.
        """
        raise JobEnded(await self._message(loss), JobState.DONE)

    async def report(self, loss: ProjectLoss) -> None:
        """Notify the chat of what it lost, and let the job go on."""
        await self._send(await self._message(loss))

    async def offer_if_undecided(self, chat: Chat) -> None:
        """Ask what to do with the files if the chat's project was lost before, and nobody has decided that yet.

        Raises:
            JobEnded: The request waits.
        """
        job, lost = self._attempt.job, self._attempt.load(ProjectLost)
        session_id = lost.session_id if lost is not None else chat.lost_session_id
        is_undecided = not job.payload_as(EditPayload).lost_project_decided
        has_begun = lost is None and self._attempt.load(PromptSent) is not None
        if session_id is None or not job.prompt or not is_undecided or has_begun:
            return
        message = await self._message(ProjectLoss(session_id), is_waiting=True)
        if message.buttons:
            raise JobEnded(message, JobState.DONE)

    async def end_if_lost_since_asked(self) -> None:
        """End a job whose message went to a project that is lost since: an attempt crashed after it.

        Raises:
            JobEnded: So it is.
        """
        asked = self._attempt.load(PromptSent, (self._attempt.load(Turn) or Turn()).key)
        chat = await self.chats.get(self._attempt.job.chat)
        if asked is not None and asked.session_id and chat.lost_session_id == asked.session_id:
            await self.end(ProjectLoss(asked.session_id))

    async def _send(self, message: LocalizedMessage) -> None:
        await self._attempt.responder.send("project_lost", message)

    async def _message(self, loss: ProjectLoss, *, is_waiting: bool = False) -> LocalizedMessage:
        job = self._attempt.job
        key = f"lost.{loss.reason}"
        files = (
            await self.chats.project_files(job.chat, loss.session_id, MAX_RESTORED_FILES)
            if loss.session_id is not None
            else []
        )
        if loss.session_id is None:
            return LocalizedMessage(f"{key}_first" if loss.reason is LossReason.OPERATOR_REFUSED else key)
        if not files:
            return LocalizedMessage("lost.no_files", {"what": LocalizedMessage(key)})
        await self._attempt.save(ProjectLost(session_id=loss.session_id, is_waiting=is_waiting))
        restore = GoOn(job.id, GoOnChoice.RESTORE)
        params: dict[str, Param] = {"what": LocalizedMessage(key), "n": len(files)}
        if not is_waiting:
            return LocalizedMessage("lost.files_kept", params, (Button("button.restore", restore),))
        go_on = Button("button.go_on_empty", GoOn(job.id, GoOnChoice.EMPTY))
        buttons = (Button("button.restore_and_go_on", restore), go_on)
        return LocalizedMessage("lost.files_kept_waiting", params, buttons)
