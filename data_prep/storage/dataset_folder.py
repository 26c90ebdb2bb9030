"""A prepared dataset's folder while it is written: complete or absent."""

import pathlib
import shutil
from collections.abc import Callable, Collection

from data_prep.storage.shards import write_tfds_metadata
from dcrnn_tf.dataset.schema import VOCABULARY_FOLDER, DatasetError, Schema
from dcrnn_tf.system.folder_lock import FolderLock

_SPLITS = ("train", "validation", "test")


class DatasetFolder:
    """Is `partial`, beside the dataset's own place, until `finish` renames it.

    Use it as a context: leaving it by an error removes what was written so far.

    Args:
      path: where the dataset shall be; must not exist.

    Attributes:
      partial: where it is written.

    Raises:
      DatasetError: the folder exists.
      FolderInUseError: another process writes it.
    """

    def __init__(self, path: str | pathlib.Path):
        self._path = pathlib.Path(path)
        check_absent(self._path)
        self.partial = self._path.with_name(self._path.name + ".partial")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(self._path.with_name(self._path.name + ".lock"), self._path)
        if self.partial.exists():
            print(f"Removing {self.partial}, left behind by a preparation that did not finish.")
            shutil.rmtree(self.partial)
        (self.partial / VOCABULARY_FOLDER).mkdir(parents=True)

    def __enter__(self) -> "DatasetFolder":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        if error_type is not None:
            shutil.rmtree(self.partial, ignore_errors=True)
        self._lock.release()
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(self._path)  # writing to a full disk, it names no file

    def vocabulary_path(self, field: str) -> pathlib.Path:
        """Where the vocabulary of a field is to be written."""
        return self.partial / VOCABULARY_FOLDER / f"{field}.parquet"

    def finish(self, schema: Schema, clean_up: Callable[[], object] = lambda: None) -> None:
        """Writes metadata and schema, and renames the folder into place.

        Args:
          schema: of the dataset, whose shards are written.
          clean_up: removes intermediate files, called before the dataset appears: nobody would do
            so after a kill in between, since what is there is not prepared again.
        """
        write_tfds_metadata(self.partial, schema)
        schema.save(self.partial)
        clean_up()
        self.partial.rename(self._path)


def check_absent(path: pathlib.Path) -> None:
    """Raises `DatasetError` if a folder that is to be made exists."""
    if path.exists():
        raise DatasetError(f"{path} exists already; remove it or choose another output folder")


def in_order(splits: Collection[str]) -> list[str]:
    """Splits as a schema lists them: training, validation, test, then others by name."""
    return sorted(splits, key=lambda name: (_SPLITS.index(name) if name in _SPLITS else 3, name))
