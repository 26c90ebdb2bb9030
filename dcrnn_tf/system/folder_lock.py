"""A lock that lets one process at a time work in a folder."""

import fcntl
import os
import pathlib

from dcrnn_tf.system.errors import UserError


class FolderInUseError(UserError):
    """Another process holds the lock of the folder."""


class FolderLock:
    """Keeps other processes out of a folder that this one writes to.

    It is the kernel's lock (`flock`) on a file, which holds the number of this process for the
    message of the other one. The kernel releases it when the process ends, in whatever way: a file
    that was left behind locks nothing. On file systems without such locks (some of NFS and FUSE)
    none is taken; NFS before Linux 2.6.12 locks on each machine separately.

    Args:
      path: Path of the lock's file; its folder must exist.
      folder: Folder that is locked, for the message.

    Raises:
      FolderInUseError: Another process holds the lock.
    """

    def __init__(self, path: str | pathlib.Path, folder: str | pathlib.Path):
        self._path = pathlib.Path(path)
        self._file = None
        while self._file is None:
            file = open(self._path, "a+", encoding="utf-8")  # noqa: SIM115
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                file.close()
                raise FolderInUseError(
                    f"{folder} is in use by another process ({holder}); wait for it or end it, "
                    "or choose another folder"
                ) from None
            except OSError:
                pass  # the file system has no locks
            # Whoever held it before may have removed the file between the two calls.
            if self._is_ours(file):
                self._file = file
            else:
                file.close()
        self._file.truncate(0)
        self._file.write(f"pid {os.getpid()} on {os.uname().nodename}\n")
        self._file.flush()

    def release(self) -> None:
        """Releases the lock and removes its file; a second call does nothing."""
        if self._file is not None:
            if self._is_ours(self._file):  # still locked: another may take it once it is not
                self._path.unlink()
            self._file.close()
            self._file = None

    def _is_ours(self, file) -> bool:
        """Whether the path still names this file."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False
