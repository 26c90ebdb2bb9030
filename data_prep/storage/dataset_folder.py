"""A prepared dataset's folder while it is written: complete or absent."""

import contextlib
import pathlib
from collections.abc import Callable, Collection

from data_prep.storage.tfds_metadata import write_tfds_metadata
from dcrnn_tf.dataset.schema import VOCABULARY_FOLDER, DatasetError, Schema
from dcrnn_tf.dataset.vocabulary import new_vocabulary_path
from dcrnn_tf.system.folder_lock import FolderLock
from dcrnn_tf.system.whole_folder import whole_folder

_SPLITS = ("train", "validation", "test")


class DatasetFolder:
    """The folder of a dataset that is being written, which `finish` gives its name.

    Use it as a context: leaving it by an error removes what was written so far.

    Args:
      path: the folder's name; must not exist.

    Attributes:
      partial: the folder until then.

    Raises:
      DatasetError: the folder exists.
      FolderInUseError: another process writes it.
    """

    def __init__(self, path: str | pathlib.Path):
        path = pathlib.Path(path)
        check_absent(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stack = contextlib.ExitStack()
        lock = FolderLock(path.with_name(path.name + ".lock"), path)
        self._stack.callback(lock.release)
        self.partial = self._stack.enter_context(whole_folder(path))
        (self.partial / VOCABULARY_FOLDER).mkdir()

    def __enter__(self) -> "DatasetFolder":
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)  # after `finish` nothing is left to be done

    def vocabulary_path(self, field: str) -> pathlib.Path:
        """The file to which a field's vocabulary is to be written."""
        return new_vocabulary_path(self.partial, field)

    def finish(self, schema: Schema, clean_up: Callable[[], object] = lambda: None) -> None:
        """Writes metadata and schema, and gives the folder its name.

        Args:
          schema: schema of the dataset, whose shards are written.
          clean_up: removes intermediate files, called before the dataset appears: nobody would do
            so after a kill in between, since what is there is not prepared again.
        """
        write_tfds_metadata(self.partial, schema)
        schema.save(self.partial)
        clean_up()
        self._stack.close()


def check_absent(path: pathlib.Path) -> None:
    """Refuses to make a folder that exists.

    Raises:
      DatasetError: it does.
    """
    if path.exists():
        raise DatasetError(f"{path} exists already; remove it or choose another output folder")


def in_order(splits: Collection[str]) -> list[str]:
    """Splits as a schema lists them: training, validation, test, then others by name."""
    return sorted(splits, key=lambda name: (_SPLITS.index(name) if name in _SPLITS else 3, name))
