"""Room on a disk."""

import shutil
from pathlib import Path

RESERVED_BYTES = 100 * 1024 * 1024
"""Kept free on a disk: an embedded store writes to the same one."""


def has_room(directory: Path, size_bytes: int) -> bool:
    """Return whether a file of this size fits into a directory and leaves ``RESERVED_BYTES`` free."""
    return shutil.disk_usage(directory).free >= size_bytes + RESERVED_BYTES
