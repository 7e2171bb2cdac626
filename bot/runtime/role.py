"""What a process of the bot is for."""

from enum import StrEnum


class Role(StrEnum):
    """What one process does."""

    ALL = "all"
    INTAKE = "intake"  # receives updates and stores jobs
    WORKER = "worker"  # runs jobs
