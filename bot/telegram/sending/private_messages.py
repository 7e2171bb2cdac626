"""What a group's job has for one person's eyes: sent to their private chat, or kept until they begin one."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import STORED_LIST, ListMessage, LocalizedMessage, PrivateMessage
from bot.jobs.model import Job, JobState
from bot.jobs.payloads import PrivateAnswerPayload
from bot.jobs.ports import GroupAdmins
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.worker.runner import Attempt, JobEnded, Step

_START_PAYLOAD = re.compile(r"see_(?P<chat>-\d+)(?:_(?P<topic>\d+))?_(?P<job>[0-9a-f]{16})")


class WaitingPrivateMessage(Checkpoint):
    """A message that waits to be read in private, encrypted because a link in it is as good as the account."""

    name = "private_message"
    encrypted: str


def for_private(message: LocalizedMessage | ListMessage, chat_title: str) -> ListMessage:
    """Return what is sent to the private chat: the group's name, the message, and the buttons that work there."""
    whole = message if isinstance(message, ListMessage) else ListMessage(message, (), message.buttons)
    buttons = tuple(button for button in whole.buttons if button.url)
    lines = (LocalizedMessage(whole.heading.key, whole.heading.params), *whole.lines)
    return ListMessage(LocalizedMessage("private.of_group", {"title": chat_title}), lines, buttons)


def for_group(message: PrivateMessage, *, is_sent: bool) -> ListMessage:
    """Return what the group reads, without the button that leads to the private chat."""
    where = LocalizedMessage("private.sent" if is_sent else "private.waits")
    buttons = tuple(button for button in message.buttons if not button.url)
    heading, *lines = (*message.about, where)
    return ListMessage(heading, tuple(lines), buttons)


def start_payload(job: Job) -> str:
    """Return what the button under a group's message sends along with ``/start``."""
    return f"see_{str(job.chat).replace(':', '_')}_{job.id}"


def read_payload(payload: str) -> PrivateAnswerPayload | None:
    """Return the chat and the job that a payload of ``/start`` names, or ``None``."""
    match = _START_PAYLOAD.fullmatch(payload)
    if match is None:
        return None
    chat = ChatKey(int(match["chat"]), int(match["topic"]) if match["topic"] else None)
    return PrivateAnswerPayload(chat=str(chat), job_id=match["job"])


def encrypted(message: ListMessage, encrypt: Callable[[str], str]) -> WaitingPrivateMessage:
    """Return the checkpoint that keeps a message until it is read."""
    return WaitingPrivateMessage(encrypted=encrypt(STORED_LIST.dump_json(message).decode()))


def show_private_message(
    job_queue: JobQueue, decrypt: Callable[[str], str], group_admins: GroupAdmins
) -> Step:
    """Return the step that sends the kept message to whoever asked for it.

    What an anonymous admin asked for, any admin of the group may read.
    """

    async def step(attempt: Attempt) -> None:
        payload = attempt.job.payload_as(PrivateAnswerPayload)
        chat = ChatKey.parse(payload.chat)
        status = await job_queue.find(chat, payload.job_id)
        waiting = await job_queue.load_checkpoint(status.job, WaitingPrivateMessage) if status else None
        if status is None or waiting is None:
            raise JobEnded(LocalizedMessage("private.gone"), JobState.DONE)
        reader, asker = attempt.job.owner_id, status.job.owner_id
        if reader != asker and not (asker == chat.chat_id and await group_admins.is_admin(chat, reader)):
            raise JobEnded(LocalizedMessage("private.not_yours"), JobState.DONE)
        message = STORED_LIST.validate_json(decrypt(waiting.encrypted))
        await attempt.responder.send("private_message", message)

    return step
