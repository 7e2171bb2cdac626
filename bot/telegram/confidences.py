"""What a group's job has to tell to one person: sent to their private chat, or kept until they begin one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from bot.chats.key import ChatKey
from bot.jobs.job import Job, State
from bot.jobs.lanes import Lanes
from bot.jobs.notices import pack_report, unpack_report
from bot.jobs.ports import Confidential, Membership, Notice, Report
from bot.jobs.runner import Ended, Run, Step

KEPT = "confided"
"""The checkpoint that holds what waits to be read in private, encrypted: links in it are as good as the account."""

_PAYLOAD = re.compile(r"see_(?P<chat>-\d+)(?:_(?P<topic>\d+))?_(?P<job>[0-9a-f]{16})")


def for_private(message: Notice | Report, chat_title: str) -> Report:
    """What is told of a group in a private chat: which group it is about, and buttons that work from there."""
    report = message if isinstance(message, Report) else Report(message, (), message.buttons)
    buttons = tuple(button for button in report.buttons if button.url)
    lines = (Notice(report.heading.key, report.heading.params), *report.lines)
    return Report(Notice("private.of_group", {"title": chat_title}), lines, buttons)


def for_group(confidential: Confidential, *, is_sent: bool) -> Report:
    """What the group reads, without the button that leads to the private chat."""
    where = Notice("private.sent" if is_sent else "private.waits")
    buttons = tuple(button for button in confidential.buttons if not button.url)
    heading, *lines = (*confidential.about, where)
    return Report(heading, tuple(lines), buttons)


def start_payload(job: Job) -> str:
    """What ``/start`` brings along from the button under a group's message."""
    return f"see_{str(job.chat).replace(':', '_')}_{job.id}"


def read_payload(payload: str) -> dict[str, str] | None:
    """The chat and the job that a payload names."""
    found = _PAYLOAD.fullmatch(payload)
    if found is None:
        return None
    chat = ChatKey(int(found["chat"]), int(found["topic"]) if found["topic"] else None)
    return {"chat": str(chat), "job": found["job"]}


def sealed(report: Report, seal: Callable[[str], str]) -> str:
    """The form in which it is kept."""
    return seal(json.dumps(pack_report(report)))


def show_confided(lanes: Lanes, unseal: Callable[[str], str], membership: Membership) -> Step:
    """The step that shows what was kept, to whoever asked for it.

    What an anonymous admin asked for, any admin of the group may read.
    """

    async def step(run: Run) -> None:
        chat = ChatKey.parse(run.job.data["chat"])
        standing = await lanes.find(chat, run.job.data["job"])
        kept = await lanes.checkpoint(standing.job, KEPT) if standing is not None else None
        if standing is None or kept is None:
            raise Ended(Notice("private.gone"), State.DONE)
        reader, asker = run.job.owner_id, standing.job.owner_id
        if reader != asker and not (asker == chat.chat_id and await membership.is_admin(chat, reader)):
            raise Ended(Notice("private.not_yours"), State.DONE)
        await run.front.say("confided", unpack_report(json.loads(unseal(kept))))

    return step
