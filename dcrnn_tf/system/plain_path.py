"""Refuses paths that TensorFlow takes for file patterns.

TensorFlow takes the path of a checkpoint, also that within a SavedModel, for a pattern of files
when it reads, though not when it writes: `[`, `*`, `?` and a backslash do not stand for themselves.
"""

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

from dcrnn_tf.system.errors import UserError

_OF_PATTERNS = frozenset("*?[]\\")


def characters_of_patterns(path: str | pathlib.Path) -> str:
    """Returns the characters of an absolute path that TensorFlow takes for parts of a pattern."""
    return "".join(sorted(_OF_PATTERNS.intersection(str(pathlib.Path(path).absolute()))))


def check_plain(path: str | pathlib.Path, name: str) -> None:
    """Refuses a path from which TensorFlow cannot read.

    Args:
      path: Path of a file or folder to write.
      name: What the user calls it.

    Raises:
      UserError: The path holds such characters.
    """
    if found := characters_of_patterns(path):
        raise UserError(
            f"{name}={path} lies in a folder with {' '.join(found)} in its path, from which "
            "TensorFlow cannot load a model; choose a path without any of * ? [ ] \\"
        )


@contextlib.contextmanager
def plain_path(folder: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a path of a folder that TensorFlow can read from: its own, or that of a link to it."""
    folder = pathlib.Path(folder).absolute()
    if not characters_of_patterns(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="link_") as temporary:
        link = pathlib.Path(temporary, "folder")
        link.symlink_to(folder, target_is_directory=True)
        yield link
