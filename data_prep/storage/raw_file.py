"""What preparations ask of the path of a raw file, on this machine or a remote one."""

from typing import Any, Protocol


class FileStatus(Protocol):
    """What is known of a file without reading it."""

    @property
    def st_size(self) -> int:
        """Number of bytes."""

    @property
    def st_mtime_ns(self) -> Any:
        """What changes when the file does."""


class RawFile(Protocol):
    """A path of a raw file."""

    @property
    def suffix(self) -> str:
        """What the name ends with, from its last point on."""

    def stat(self) -> FileStatus:
        """Returns what is known of the file without reading it."""

    def resolve(self) -> object:
        """Returns the path that leads to the file whatever the working folder is."""
