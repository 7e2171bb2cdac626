"""Show a job's answer in private, if a group shouldn't see it."""

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.jobs.checkpoints import PrivateMessageKept
from bot.jobs.messages import STORED_LIST, LocalizedMessage
from bot.jobs.model import JobState
from bot.jobs.payloads import PrivateAnswerPayload
from bot.jobs.ports import GroupAdmins
from bot.jobs.worker.attempt import Attempt, JobEnded


class ShowPrivateMessage:
    """Show a kept answer to the person who asked; an anonymous admin's to any admin of the group."""

    name = "show_private_message"

    def __init__(self, chats: Chats, group_admins: GroupAdmins) -> None:
        self._chats = chats
        self._group_admins = group_admins

    async def __call__(self, attempt: Attempt) -> None:
        payload = attempt.job.payload_as(PrivateAnswerPayload)
        group = ChatKey.parse(payload.chat)
        status = await attempt.job_queue.find(group, payload.job_id)
        if (
            status is None
            or (kept := await attempt.job_queue.load_checkpoint(status.job, PrivateMessageKept)) is None
        ):
            raise JobEnded(LocalizedMessage("private.gone"), JobState.DONE)
        reader_id, requester_id = attempt.job.requester_id, status.job.requester_id
        is_for_admins = requester_id == group.chat_id and not group.is_private
        if reader_id != requester_id and not (
            is_for_admins and await self._group_admins.is_admin(group, reader_id)
        ):
            raise JobEnded(LocalizedMessage("private.not_yours"), JobState.DONE)
        message = STORED_LIST.validate_json(
            self._chats.decrypt(group, PrivateMessageKept.use(status.job.id), kept.encrypted)
        )
        await attempt.responder.send("private_answer", message)
