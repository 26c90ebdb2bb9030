"""Vocabularies of a prepared dataset: the raw ids of a field in the order of their rows."""

import pathlib
from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet

from dcrnn_tf.dataset.encodings import (
    FIRST_ID_ROW,
    INTEGER,
    PADDING_ROW,
    TEXT,
    UNKNOWN_ROW,
    VALUE,
    Ids,
)
from dcrnn_tf.dataset.ids.index import IdIndex
from dcrnn_tf.dataset.names import file_names
from dcrnn_tf.dataset.schema import VOCABULARY_FOLDER, DatasetError, Field
from dcrnn_tf.system.whole_file import naming_file

_NOTHING_MISSING = Ids()
_TYPES_OF_IDS = (pa.string(), pa.large_string(), pa.float64())  # quantile bins' ids are edges
_TYPES = {VALUE: "O", TEXT: "O", INTEGER: "i"}  # NumPy's kinds of arrays of ids


class Vocabulary:
    """The raw ids of one field in the order of their embedding rows.

    Attributes:
      ids: distinct raw ids, integers or strings; `ids[0]` has row `FIRST_ID_ROW`.
      counts: occurrences of each in the training split.
      unseen: Number of datasets, each extending the one before it, up to this one, whose training
        rows lack the id; 0 of all in a dataset that extends none.
      extends: Whether the dataset extends another, so that its ids are not in the order of counts.
    """

    def __init__(self, ids: np.ndarray, counts: np.ndarray, unseen: np.ndarray | None = None):
        self.ids = ids
        self.counts = counts
        self.extends = unseen is not None
        self.unseen = np.zeros(len(ids), np.int64) if unseen is None else unseen
        self._index = IdIndex(pl.Series(ids, dtype=pl.String if ids.dtype.kind in "OU" else None))

    @property
    def size(self) -> int:
        """Embedding rows, those for padding and unknown ids included."""
        return FIRST_ID_ROW + len(self.ids)

    def encode(self, ids: pl.Series, encoding: Ids = _NOTHING_MISSING) -> np.ndarray:
        """Returns the embedding row of each raw id.

        Args:
          ids: raw ids, `(rows,)`.
          encoding: says which ids stand for a missing one, as null always does.

        Returns:
          `(rows,)` int32: `PADDING_ROW` of a missing id, `UNKNOWN_ROW` of one that is not in the
          vocabulary.
        """
        ids = without_missing(ids, encoding)
        rows = np.full(len(ids), PADDING_ROW, np.int32)
        known = ids.is_not_null().to_numpy()
        positions = self._index(ids.drop_nulls())
        rows[known] = np.where(positions < 0, UNKNOWN_ROW, positions + FIRST_ID_ROW)
        return rows


def without_missing(ids: pl.Series, encoding: Ids) -> pl.Series:
    """Makes null the ids that stand for a missing one."""
    return ids.set(ids.is_in(encoding.missing_ids), None) if encoding.missing else ids


def write_vocabulary(
    path: pathlib.Path, ids: np.ndarray, counts: np.ndarray, unseen: np.ndarray | None = None
) -> None:
    """Writes raw ids (integers or strings) as Parquet, the first of them being row 2.

    Each page has a checksum, by which readers notice a byte that has changed since.

    Args:
      path: The file.
      ids: Raw ids, as `Vocabulary` has them.
      counts: Their occurrences.
      unseen: Numbers of datasets that lack them; None in a dataset that extends none.
    """
    # Of no strings at all Polars would not know that they are strings.
    raw = pl.Series(ids, dtype=pl.String if ids.dtype == object else None)
    table = pl.DataFrame({"id": raw, "count": np.asarray(counts, np.int64)})
    if unseen is not None:
        table = table.with_columns(unseen=np.asarray(unseen, np.int64))
    with naming_file(path):
        pa.parquet.write_table(table.to_arrow(), path, compression="zstd", write_page_checksum=True)


def read_vocabulary(path: pathlib.Path) -> Vocabulary:
    """Reads what `write_vocabulary` has written.

    Raises:
      OSError: The file is missing or damaged.
      ValueError: The file is damaged, or holds something else than distinct ids with their counts.
    """
    try:
        with pa.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(["id", "count", "unseen"])
        table.validate(full=True)  # strings of older files, which have no checksums
    except pa.ArrowException as error:
        raise ValueError(str(error).splitlines()[0]) from None
    if missing := sorted({"id", "count"} - set(table.column_names)):
        raise ValueError(f"it has no column {' and '.join(missing)}")
    extends = "unseen" in table.column_names
    for column, expected, others in (
        ("id", "numbers or strings", _TYPES_OF_IDS),
        ("count", "integers", ()),
        *([("unseen", "integers", ())] if extends else []),
    ):
        dtype = table[column].type
        if not (pa.types.is_integer(dtype) or dtype in others):
            raise ValueError(f"its column {column} holds {dtype}, expected {expected}")
        if nulls := table[column].null_count:
            raise ValueError(f"{nulls:,} of its {column}s are null")
    unseen = table["unseen"].to_numpy() if extends else None
    return Vocabulary(table["id"].to_numpy(), table["count"].to_numpy(), unseen)


def vocabulary_path(folder: str | pathlib.Path, field: str) -> pathlib.Path:
    """Returns the file of a field's vocabulary in a prepared dataset's folder."""
    usual, unique = _paths(folder, field)
    if field.isidentifier() and not field.isascii():  # how its file was named once
        usual = usual.with_name(f"{field}.parquet")
    return unique if unique.is_file() else usual


def new_vocabulary_path(folder: str | pathlib.Path, field: str) -> pathlib.Path:
    """Returns where to write a field's vocabulary, beside those that the folder holds already."""
    usual, unique = _paths(folder, field)
    others = {path.name.lower() for path in usual.parent.iterdir()}
    return unique if usual.name.lower() in others else usual


def _paths(folder: str | pathlib.Path, field: str) -> list[pathlib.Path]:
    vocabularies = pathlib.Path(folder, VOCABULARY_FOLDER)
    return [vocabularies / f"{name}.parquet" for name in file_names(field)]


def load_vocabulary(folder: str | pathlib.Path, field: Field) -> Vocabulary:
    """Reads a field's vocabulary from a prepared dataset's folder.

    Raises:
      DatasetError: its file is missing or damaged, or does not fit the field.
    """
    path = vocabulary_path(folder, field.owner)
    again = "copy or prepare the dataset again"
    try:
        vocabulary = read_vocabulary(path)
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{path} cannot be read ({reason}); {again}") from None
    except ValueError as error:
        raise DatasetError(f"{path} is damaged ({error}); {again}") from None
    expected = getattr(field.encoding, "values", "")
    if _TYPES.get(expected, vocabulary.ids.dtype.kind) != vocabulary.ids.dtype.kind:
        raise DatasetError(
            f"{path} holds {vocabulary.ids.dtype} where the schema says {expected} ids; {again}"
        )
    if isinstance(field.encoding, Ids) and expected == VALUE:
        missing = vocabulary.encode(pl.Series(field.encoding.missing_ids, dtype=pl.String))
        if known := np.count_nonzero(missing != UNKNOWN_ROW):
            reason = f"{known:,} of its ids stand for a missing value"
            raise DatasetError(f"{path} is damaged ({reason}); {again}")
    if vocabulary.size != field.vocabulary_size:
        raise DatasetError(
            f"{path} has {len(vocabulary.ids):,} ids, the schema says "
            f"{field.vocabulary_size - FIRST_ID_ROW:,}; {again}"
        )
    return vocabulary


def load_vocabularies(folder: str | pathlib.Path, fields: Sequence[Field]) -> dict[str, Vocabulary]:
    """Reads the vocabularies of all fields that have one, `{field: vocabulary}`.

    Fields that share their ids get the same object.

    Raises:
      DatasetError: A file is missing or damaged, or does not fit a field.
    """
    read: dict[str, Vocabulary] = {}
    for field in fields:
        if field.has_vocabulary and field.owner not in read:
            read[field.owner] = load_vocabulary(folder, field)
    return {field.name: read[field.owner] for field in fields if field.has_vocabulary}
