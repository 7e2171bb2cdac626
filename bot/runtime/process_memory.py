"""Keep a process's memory, environment and descriptors from other processes of the same user."""

import ctypes
import sys

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def hide_memory() -> bool:
    """Make ``/proc/<pid>/environ``, ``mem`` and ``fd`` of this process root's, and refuse debuggers.

    Programs that it starts don't inherit this; forks do.

    Returns:
        Whether that is in force; Linux only.
    """
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
