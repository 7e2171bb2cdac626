"""What a group's job has to tell to one person: sent to their private chat, or kept until they begin one."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.chats.key import ChatKey
from bot.jobs.messages import STORED_LIST, ListMessage, LocalizedMessage, PrivateMessage
from bot.jobs.model import Job
from bot.jobs.payloads import PrivateAnswerPayload

_PAYLOAD = re.compile(r"see_(?P<chat>-\d+)(?:_(?P<topic>\d+))?_(?P<job>[0-9a-f]{16})")


def for_private(message: LocalizedMessage | ListMessage, chat_title: str) -> ListMessage:
    """What is told of a group in a private chat: which group it is about, and buttons that work from there."""
    report = message if isinstance(message, ListMessage) else ListMessage(message, (), message.buttons)
    buttons = tuple(button for button in report.buttons if button.url)
    lines = (LocalizedMessage(report.heading.key, report.heading.params), *report.lines)
    return ListMessage(LocalizedMessage("private.of_group", {"title": chat_title}), lines, buttons)


def for_group(confidential: PrivateMessage, *, is_sent: bool) -> ListMessage:
    """What the group reads, without the button that leads to the private chat."""
    where = LocalizedMessage("private.sent" if is_sent else "private.waits")
    buttons = tuple(button for button in confidential.buttons if not button.url)
    heading, *lines = (*confidential.about, where)
    return ListMessage(heading, tuple(lines), buttons)


def start_payload(job: Job) -> str:
    """What ``/start`` brings along from the button under a group's message."""
    return f"see_{str(job.chat).replace(':', '_')}_{job.id}"


def read_payload(payload: str) -> PrivateAnswerPayload | None:
    """The chat and the job that a payload names."""
    found = _PAYLOAD.fullmatch(payload)
    if found is None:
        return None
    chat = ChatKey(int(found["chat"]), int(found["topic"]) if found["topic"] else None)
    return PrivateAnswerPayload(chat=str(chat), job_id=found["job"])


def sealed(report: ListMessage, seal: Callable[[str], str]) -> str:
    """The form in which it is kept."""
    return seal(STORED_LIST.dump_json(report).decode())
