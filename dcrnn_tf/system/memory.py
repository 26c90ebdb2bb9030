"""The memory of this machine, and errors that say that it does not suffice."""

import os
import pathlib
from collections.abc import Iterator

_GROUPS = "/proc/self/cgroup"
_LIMITS = "/sys/fs/cgroup"


def available() -> int:
    """Returns the number of bytes of memory that this machine has, or this container may take."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in _limits():
        text = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
        sizes += [int(text)] if text.isdecimal() else []  # `max` is no limit
    return min(sizes)


def _limits() -> Iterator[pathlib.Path]:
    """Yields where limits may stand: those of this process's control groups and of all above.

    Version 2 has one tree of groups, version 1 one of memory. A container often sees its own
    group as the root of the tree, whatever the group is called outside.
    """
    groups = pathlib.Path(_GROUPS)
    lines = groups.read_text(encoding="utf-8").splitlines() if groups.is_file() else []
    for line in [*lines, "0::/", "1:memory:/"]:
        _, controllers, group = line.split(":", 2)
        for name, folder in (("", ""), ("memory", "memory")):
            if name in controllers.split(","):
                limit = "memory.limit_in_bytes" if folder else "memory.max"
                tree = pathlib.Path(_LIMITS, folder, group.lstrip("/"))
                yield from (above / limit for above in (tree, *tree.parents))


def exhausted(error: Exception) -> bool:
    """Returns whether an error says that there was no memory left, that of a GPU included."""
    # TensorFlow's error is told by its name, since few programs have imported it.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def in_gib(size: float) -> str:
    """Returns a number of bytes in GiB."""
    return f"{size / 2**30:,.1f} GiB"
