"""The states of a job. The command line names them, and imports nothing else of jobs."""

from enum import StrEnum


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"  # its id is in the list of its queue
    RUNNING = "running"  # a worker has it, or had it when it died
    ASKING = "asking"  # it waits for a person's answer to the agent; no worker has it
    DONE = "done"  # answered
    FAILED = "failed"  # answered with an error
    CANCELLED = "cancelled"  # stopped by the chat
