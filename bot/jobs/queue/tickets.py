"""Tickets: docket tasks that make some worker look at a queue."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from docket import Docket
from docket.dependencies import TaskKey
from docket.execution import Disposition, ExecutionState

from bot.chats.key import ChatKey
from bot.jobs.model import QueueName
from bot.store.docket_json import UNREADABLE

TicketHandler = Callable[[str, str, str], Awaitable[None]]
"""Runs a ticket: id of the queue, id of the job that it was added for, the ticket's own key."""

_TASK = "work"

_ENDED = (ExecutionState.COMPLETED, ExecutionState.FAILED, ExecutionState.CANCELLED)


async def _no_worker(queue: str, job_id: str, ticket: str) -> None:
    raise RuntimeError("this process adds tickets but does not run them")


class Tickets:
    """The tickets of all queues."""

    def __init__(self, docket: Docket) -> None:
        self._docket = docket
        self.run_with(_no_worker)

    def run_with(self, handler: TicketHandler) -> None:
        """Set what a ticket does in this process."""

        async def work(queue: str, job_id: str, ticket: str = TaskKey()) -> None:
            await handler(queue, job_id, ticket)

        self._docket.register(work, names=[_TASK])

    async def add(self, queue: str, job_id: str = "") -> None:
        """Add a ticket, under a key that was never used: docket drops repeated ones silently.

        Args:
            queue: Id of the queue.
            job_id: The job that it is added for; empty for whichever is next.
        """
        await self._docket.add(_TASK, key=uuid4().hex)(queue, job_id)

    async def replace_lost(self, queue: str, job_id: str) -> bool:
        """Add a ticket for a job that lost its own, unless this was done before and the ticket waits for a worker.

        Returns:
            Whether a ticket was added.
        """
        execution = await self._docket.add(_TASK, key=f"sweep:{queue}:{job_id}")(queue, "")
        return execution.disposition is Disposition.SCHEDULED

    async def is_alive(self, ticket: str) -> bool:
        """Return whether a ticket waits or runs."""
        if not ticket:
            return False
        try:
            execution = await self._docket.get_execution(ticket)
        except UNREADABLE:
            return False
        return execution is not None and execution.state not in _ENDED


def queue_id(chat: ChatKey, queue: QueueName) -> str:
    """Return the id of a queue, as tickets carry it."""
    return f"{chat}/{queue}"


def parse_queue_id(text: str) -> tuple[ChatKey, QueueName]:
    """Return the chat and the name of a queue."""
    chat, _, queue = text.rpartition("/")
    return ChatKey.parse(chat), QueueName(queue)
