"""The roles of a process."""

from enum import StrEnum


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    INTAKE = "intake"  # receives updates and stores jobs
    WORKER = "worker"  # runs jobs
