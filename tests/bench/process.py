"""The memory of a process, as Linux keeps it."""

from __future__ import annotations

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


def _status_mb(process: int | str, name: str) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(name)
