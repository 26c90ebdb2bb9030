"""A file whose age tells others how long ago a process last got on with its work."""

import os
import pathlib
import time

_SECONDS = 1.0  # between two beats, so that short steps pay nothing for them


class Heartbeat:
    """Sets the time of a file to now, once a second at most.

    Args:
      path: of the file, made by the first beat.
    """

    def __init__(self, path: str | pathlib.Path):
        self._path = pathlib.Path(path)
        self._last = -_SECONDS

    def beat(self) -> None:
        """Says that the process gets on."""
        now = time.monotonic()
        if now - self._last >= _SECONDS:
            self._last = now
            self._path.touch()
            os.utime(self._path)
