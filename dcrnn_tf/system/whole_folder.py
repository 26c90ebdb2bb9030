"""Folders that are complete or absent, whenever the process ends."""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator

from dcrnn_tf.system.whole_file import PARTIAL_SUFFIX, naming_file

REMOVED_SUFFIX = ".removed"


@contextlib.contextmanager
def whole_folder(
    path: str | pathlib.Path, partial: pathlib.Path | None = None
) -> Iterator[pathlib.Path]:
    """Makes a folder to write to, which gets its name when the context ends without an error.

    Leaving the context by an error removes it. So does the next call, after a kill.

    Args:
      path: the folder's name at the end; nothing may have it by then.
      partial: the folder's name until then; `PATH.partial` if not given.

    Yields:
      The folder under its first name.
    """
    path = pathlib.Path(path)
    partial = partial or path.with_name(path.name + PARTIAL_SUFFIX)
    if partial.exists():
        print(f"Removing {partial}, left behind by a process that did not finish.")
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    try:
        with naming_file(path):
            yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.rename(path)


def remove_folder(path: pathlib.Path) -> None:
    """Removes a folder, which loses its name first, so that a kill leaves no half of it under it.

    What a kill leaves as `PATH.removed` goes with the next call, also where the folder is gone.
    """
    removed = path.with_name(path.name + REMOVED_SUFFIX)
    shutil.rmtree(removed, ignore_errors=True)
    if path.exists():
        path.rename(removed)
        shutil.rmtree(removed)
