"""The memory of a process, as Linux keeps it, and the CPU time of this one."""

from __future__ import annotations

import resource
from collections.abc import Awaitable, Callable
from pathlib import Path

OWN = "self"


def memory_mb(process: int | str = OWN) -> float:
    """What is resident now."""
    return _status_mb(process, "VmRSS")


def peak_mb(process: int | str = OWN) -> float:
    """The most that was resident since :func:`forget_peak`, however briefly."""
    return _status_mb(process, "VmHWM")


def forget_peak(process: int | str = OWN) -> None:
    """What is resident now is the most that ever was.

    https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html
    """
    Path(f"/proc/{process}/clear_refs").write_text("5")


def by_cpu(work: Callable[[], Awaitable[object]], size_mb: float) -> Callable[[], Awaitable[float]]:
    """Measure by MB a second of CPU what this process and those that it waits for take; others' load hardly counts."""

    async def contend() -> float:
        began_s = _cpu_s()
        await work()
        return size_mb / (_cpu_s() - began_s)

    return contend


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _status_mb(process: int | str, name: str) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(name)
