"""States the disk, memory and time that a long job takes, and refuses it where room is lacking."""

import dataclasses
import pathlib
import shutil
from collections.abc import Sequence

from dcrnn_tf.system import memory
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.whole_file import PARTIAL_SUFFIX

SMALL = 100e6  # bytes; jobs that write fewer are short, and their estimates coarse


@dataclasses.dataclass(frozen=True)
class Need:
    """What a job takes; estimates, about which its module says how they were measured.

    Attributes:
      disk: Number of bytes that the job writes, at the moment at which there are most of them.
      memory: Number of bytes of memory; 0 where nothing is known.
      seconds: Number of seconds on two processor cores; 0 where nothing is known.
      spare: Number of the bytes of `disk` that not every job of this kind has needed.
    """

    disk: float
    memory: float = 0
    seconds: float = 0
    spare: float = 0

    def __add__(self, other: "Need") -> "Need":
        """What one job takes and then the other, which leave what they write."""
        return Need(
            self.disk + other.disk,
            max(self.memory, other.memory),
            self.seconds + other.seconds,
            self.spare + other.spare,
        )


def require(
    job: str, folder: str | pathlib.Path, need: Need, held: Sequence[pathlib.Path] = ()
) -> None:
    """States what a job takes, and refuses it where the disk has too little room.

    Where the job may fit and may not, and where there is less memory than it takes, a warning says
    so. Of a job that writes less than `SMALL` nothing is said.

    Args:
      job: Name of the job, with which the sentence begins.
      folder: Folder that the job writes, which need not exist.
      need: What it takes.
      held: Files and folders of an earlier attempt, whose room the job uses or sets free; what it
        leaves of the folder itself is counted always.

    Raises:
      UserError: The disk has less room than every job of this kind has taken.
    """
    if need.disk < SMALL:
        return
    folder = pathlib.Path(folder).absolute()
    held = [*held, folder.with_name(folder.name + PARTIAL_SUFFIX)]
    present = sum(map(size_of, held))
    disk, least = (max(0.0, size - present) for size in (need.disk, need.disk - need.spare))
    parent = folder
    while not parent.exists():
        parent = parent.parent
    free = shutil.disk_usage(parent).free
    about = in_bytes(disk) if least == disk else f"{in_bytes(least)} to {in_bytes(disk)}"
    if free < least:
        raise UserError(
            f"{job} takes about {about} of disk, and {in_bytes(free)} are free in "
            f"{parent}; make room there, or choose a folder on another disk"
        )
    parts = [f"{about} of disk ({in_bytes(free)} are free in {parent})"]
    if need.memory:
        parts.append(f"{in_bytes(need.memory)} of memory")
    if need.seconds:
        parts.append(f"{_duration(need.seconds)} on two processor cores")
    print(f"{job} takes about {', '.join(parts)}.", flush=True)
    if free < disk:
        print(
            "Warning: the room may not suffice; where it does not, make more and give the same "
            "command again, which goes on where it was.",
            flush=True,
        )
    if need.memory > (there := memory.available()):
        print(
            f"Warning: this machine, or container, has {in_bytes(there)} of memory, with which the "
            "system may end the program.",
            flush=True,
        )


def size_of(path: pathlib.Path) -> int:
    """The bytes of a file, or of all files below a folder; 0 if there is nothing."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def in_bytes(size: float) -> str:
    """A number of bytes, in GB or MB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{max(seconds, 1):.0f} s"
