"""The memory of this machine, and errors that say that it does not suffice."""

import os
import pathlib

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def available() -> int:
    """Returns the number of bytes of memory that this machine has, or this container may take."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in map(pathlib.Path, _LIMITS):
        text = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
        sizes += [int(text)] if text.isdecimal() else []  # `max` is no limit
    return min(sizes)


def exhausted(error: Exception) -> bool:
    """Returns whether an error says that there was no memory left, that of a GPU included."""
    # TensorFlow's error is told by its name, since few programs have imported it.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def in_gib(size: float) -> str:
    """Returns a number of bytes in GiB."""
    return f"{size / 2**30:,.1f} GiB"
