"""The stored rows of a dataset: files, splits and entity tables."""

import dataclasses
import pathlib
from collections.abc import Mapping

from dcrnn_tf.dataset.checked import later
from dcrnn_tf.dataset.field import LARGEST_ROW, check_range
from dcrnn_tf.system.errors import DatasetError


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file: `file` is relative to the dataset's folder, `records` are blocks."""

    file: str
    rows: int
    records: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        path = pathlib.PurePosixPath(self.file)
        if (
            path.is_absolute()
            or not path.name
            or {"..", "\\", ":", "\0"} & {*path.parts, *self.file}
        ):
            raise DatasetError(
                f"shard file {self.file!r} is not a path within the dataset's folder"
            )


@dataclasses.dataclass(frozen=True)
class Split:
    """The rows of one split.

    Attributes:
      name: Name of the split.
      rows: Number of its rows.
      positives: Number of rows on which each task is positive: a number of a regression task above
        0, the label of a multiclass task not the first class.
      defined: Number of rows on which each task is defined.
      shards: Files of the split.
      out_of_sequence: Number of rows on which a task is positive and the task before it is not, by
        task; None where the preparation has not counted them.
    """

    name: str
    rows: int
    positives: Mapping[str, int]
    defined: Mapping[str, int]
    shards: tuple[Shard, ...]
    out_of_sequence: Mapping | None = later(None)

    def __post_init__(self) -> None:
        _check_folder_name("split", self.name)


@dataclasses.dataclass(frozen=True)
class Entity:
    """A table of features that belong to, say, a user; exposures refer to it by row number."""

    name: str
    rows: int
    shards: tuple[Shard, ...]

    def __post_init__(self) -> None:
        _check_folder_name("entity", self.name)
        check_range(f"entity table {self.name}: rows", self.rows, LARGEST_ROW)

    @property
    def row_name(self) -> str:
        """Key, in an exposure, of the entity's row number."""
        return f"{self.name}_row"


def _check_folder_name(what: str, name: str) -> None:
    """Refuses a name that could not be that of a folder or a part of a file's name."""
    if not name.isidentifier():
        raise DatasetError(f"{what} name {name!r} is not a valid identifier")
