"""Tickets: docket tasks that make some worker look at a queue, with ``JobRunner.work`` as their handler.

A ticket says nothing of the order in a chat. Its queue's list keeps that, and lets one job run at a time
(``job_queue.py``, ``lua/claim.lua``). Tickets of quick queues are in a docket of their own, with a worker of its own:
docket begins tasks in their order, and a quick job would wait for a place behind all requests.
"""

import secrets
from collections.abc import Awaitable, Callable

from docket import Docket
from docket.dependencies import TaskKey
from docket.execution import Disposition

from bot.chats.key import ChatKey
from bot.jobs.model import QueueName

TicketHandler = Callable[[str, str, str], Awaitable[None]]
"""Runs a ticket: id of the queue, id of the job that it was added for, the ticket's own key."""

_TASK = "work"


_JOB_ID_END = "."
"""Separates the job's id from the random bytes in the key of a ticket for one job."""

_KEY_BYTES = 6
"""Random bytes in a ticket's key, beside the job's id or the queue's."""


async def _no_worker(queue: str, job_id: str, ticket: str) -> None:
    raise RuntimeError("this process adds tickets but does not run them")


class Tickets:
    """The tickets of all queues."""

    def __init__(self, main: Docket, quick: Docket) -> None:
        self.dockets = {QueueName.MAIN: main, QueueName.QUICK: quick}
        self.run_with(_no_worker)

    def run_with(self, handler: TicketHandler) -> None:
        """Set what a ticket does in this process; ``JobRunner`` does so when it is created."""

        async def work(queue: str, ticket: str = TaskKey()) -> None:
            await handler(queue, job_of(ticket), ticket)

        for docket in self.dockets.values():
            docket.register(work, names=[_TASK])

    async def add(self, queue: str, job_id: str = "") -> None:
        """Add a ticket, under a key that was never used: docket drops repeated ones silently.

        The key names the job, because docket stores the arguments twice.

        Args:
            queue: Id of the queue.
            job_id: The job that it is added for; empty for whichever is next.
        """
        name = f"{job_id}{_JOB_ID_END}" if job_id else f"{queue}:"
        await self._docket_of(queue).add(_TASK, key=name + secrets.token_urlsafe(_KEY_BYTES))(queue)

    async def replace_lost(self, queue: str, job_id: str) -> bool:
        """Add a ticket for a job that lost its own, unless this was done before and the ticket waits for a worker.

        Returns:
            Whether a ticket was added.
        """
        execution = await self._docket_of(queue).add(_TASK, key=f"sweep:{queue}:{job_id}")(queue)
        return execution.disposition is Disposition.SCHEDULED

    def state_key(self, name: QueueName, ticket: str) -> str:
        """Return the key under which docket keeps the state of a ticket, a hash with a field ``state``."""
        return self.dockets[name].runs_key(ticket)

    def _docket_of(self, queue: str) -> Docket:
        return self.dockets[parse_queue_id(queue)[1]]


def job_of(ticket: str) -> str:
    """Return the id of the job that a ticket was added for, by the ticket's key; empty if it is for any."""
    job_id, is_for_one, _ = ticket.partition(_JOB_ID_END)
    return job_id if is_for_one else ""


def queue_id(chat: ChatKey, queue: QueueName) -> str:
    """Return the id of a queue, as tickets carry it."""
    return f"{chat}/{queue}"


def parse_queue_id(text: str) -> tuple[ChatKey, QueueName]:
    """Return the chat and the name of a queue."""
    chat, _, queue = text.rpartition("/")
    return ChatKey.parse(chat), QueueName(queue)
