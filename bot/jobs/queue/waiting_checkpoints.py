"""The checkpoints of a job that no attempt has: it waits, or has ended."""

from collections.abc import Mapping
from typing import Any

from bot.jobs.checkpoints import Checkpoints
from bot.jobs.model import Job
from bot.jobs.queue.job_queue import JobQueue


class WaitingCheckpoints(Checkpoints):
    """Saves checkpoints beside the attempts at a job, and loads those that it saved itself."""

    def __init__(self, job_queue: JobQueue, job: Job) -> None:
        super().__init__({})
        self._job_queue = job_queue
        self._job = job

    async def _write(self, values: Mapping[str, Any]) -> None:
        self._values |= values
        await self._job_queue.save_waiting(self._job, values)
