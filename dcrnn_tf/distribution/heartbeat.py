"""The heartbeat of a process: a file whose age is the time since its last progress."""

import os
import pathlib
import time

_SECONDS = 1.0  # between two beats, so that they cost nothing beside short steps


class Heartbeat:
    """Sets the time of a file to now, once a second at most.

    Args:
      path: Path of the file; the first beat makes it.
    """

    def __init__(self, path: str | pathlib.Path):
        self._path = pathlib.Path(path)
        self._last = -_SECONDS

    def beat(self) -> None:
        """Records that the process makes progress."""
        now = time.monotonic()
        if now - self._last >= _SECONDS:
            self._last = now
            self._path.touch()
            os.utime(self._path)
