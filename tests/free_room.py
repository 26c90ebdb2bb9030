"""A disk with as much free room as a test says."""

import collections
import pathlib
import shutil

_Usage = collections.namedtuple("_Usage", "total used free")


def set_free(monkeypatch, free: int) -> list[pathlib.Path]:
    """Sets the free bytes of every disk; returns the list of folders that are asked about."""
    asked: list[pathlib.Path] = []

    def disk_usage(path):
        asked.append(pathlib.Path(path))
        return _Usage(2**50, 2**50 - free, free)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    return asked
