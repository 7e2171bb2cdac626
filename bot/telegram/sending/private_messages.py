"""What a group's job has for one person's eyes: sent to their private chat, or kept until they begin one."""

import re
from collections.abc import Callable
from dataclasses import replace

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import PrivateMessageKept
from bot.jobs.messages import (
    STORED_LIST,
    AgentMessage,
    ListMessage,
    LocalizedMessage,
    OutgoingMessage,
    PrivateMessage,
    SampleClip,
    TimelinePicture,
)
from bot.jobs.model import Job
from bot.jobs.payloads import PrivateAnswerPayload

_START_PAYLOAD = re.compile(r"see_(?P<chat>-?\d+)(?:_(?P<topic>\d+))?_(?P<job>[0-9a-f]{16})")


def for_private(message: LocalizedMessage | ListMessage, chat_title: str) -> ListMessage:
    """Return the message for the private chat, below the group's name, with the buttons that work there."""
    whole = message if isinstance(message, ListMessage) else ListMessage(message, (), message.buttons)
    buttons = tuple(button for button in whole.buttons if button.url)
    lines = (LocalizedMessage(whole.heading.key, whole.heading.params), *whole.lines)
    return ListMessage(LocalizedMessage("private.of_group", {"title": chat_title}), lines, buttons)


def for_owner(message: OutgoingMessage, chat_title: str) -> OutgoingMessage:
    """Return a group's message for the private chat of the person who asked."""
    match message:
        case AgentMessage():
            return replace(message, buttons=tuple(button for button in message.buttons if button.url))
        case TimelinePicture() | SampleClip():
            return for_private(message.caption, chat_title)
        case PrivateMessage():
            return for_private(message.message, chat_title)
    return for_private(message, chat_title)


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


def encrypted(
    message: ListMessage, job: Job, encrypt: Callable[[ChatKey, str, str], str]
) -> PrivateMessageKept:
    """Return the checkpoint that keeps a message of a job until it is read."""
    plain = STORED_LIST.dump_json(message).decode()
    return PrivateMessageKept(encrypted=encrypt(job.chat, PrivateMessageKept.use(job.id), plain))
