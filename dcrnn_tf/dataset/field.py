"""A field of a prepared dataset: one input column. Nothing here needs TensorFlow."""

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

from dcrnn_tf.dataset import encodings
from dcrnn_tf.dataset.checked import later
from dcrnn_tf.dataset.encodings import FIRST_ID_ROW, Encoding
from dcrnn_tf.dataset.names import column_name, fault_of
from dcrnn_tf.system.errors import DatasetError

CATEGORICAL = "categorical"
MULTI_CATEGORICAL = "multi_categorical"
NUMERIC = "numeric"
VECTOR = "vector"
KINDS = (CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, VECTOR)

LARGEST_ROW = 2**31 - 1  # embedding rows and rows of entity tables are stored as int32
LONGEST_LIST = 2**16 - 1  # lengths of lists are stored as uint16
WIDEST_ROW = 2**12  # numbers of an embedding row

_Encoding = TypeVar("_Encoding", bound=Encoding)


@dataclasses.dataclass(frozen=True)
class Field:
    """One input column.

    Attributes:
      name: any printable name, such as `field_205` or `商品`; the key in every batch.
      kind: `categorical` (one id), `multi_categorical` (a list of ids), `numeric` (a float)
        or `vector` (a fixed number of floats).
      vocabulary_size: embedding rows, row 0 (padding) and row 1 (unknown) included; 0 without ids.
      max_values: longest list of a `multi_categorical` field, 1 otherwise.
      entity: name of the entity table that holds the field; None if the exposure itself does.
      weighted: whether each value of a `multi_categorical` field carries a pooling weight.
      raw_name: the field's name in the raw data.
      encoding: how raw values become embedding rows or numbers; None where nothing is known of raw
        values.
      attended_by: name of the field whose embedding attends to the values of this list, such as
        the item's category to a user's earlier categories; None where the data name none.
      shares: name of the field whose vocabulary and embedding rows are this field's too, such as
        the item's for a user's earlier items; None where the field has rows of its own.
      length: numbers of a `vector`, 1 otherwise.
      width: numbers of an embedding row of a field of ids, which models project to the width of
        their embeddings; None for rows of that width.
    """

    name: str
    kind: str = CATEGORICAL
    vocabulary_size: int = 0
    max_values: int = 1
    entity: str | None = None
    weighted: bool = False
    raw_name: str = ""
    encoding: Encoding | None = None
    attended_by: str | None = later(None)
    shares: str | None = later(None)
    length: int = later(1)
    width: int | None = later(None)

    def __post_init__(self) -> None:
        check_name("field", self.name)
        if isinstance(self.encoding, Mapping):  # of `dataclasses.asdict`
            object.__setattr__(self, "encoding", encodings.from_dict(self.encoding))
        if self.kind not in KINDS:
            raise DatasetError(f"field {self.name}: kind {self.kind!r} is not one of {KINDS}")
        if self.has_ids and self.vocabulary_size < FIRST_ID_ROW:
            raise DatasetError(
                f"field {self.name}: vocabulary_size {self.vocabulary_size} is below "
                f"{FIRST_ID_ROW}, the rows kept for padding and unknown ids"
            )
        most = LARGEST_ROW if self.has_ids else 0
        check_range(f"field {self.name}: vocabulary_size", self.vocabulary_size, most)
        check_range(f"field {self.name}: max_values", self.max_values, LONGEST_LIST, 1)
        longest = LONGEST_LIST if self.kind == VECTOR else 1
        check_range(f"field {self.name}: length", self.length, longest, 1)
        if self.width is not None:
            if not self.has_ids:
                raise DatasetError(f"field {self.name}: a {self.kind} field has no width")
            check_range(f"field {self.name}: width", self.width, WIDEST_ROW, 1)
        if self.weighted and self.kind != MULTI_CATEGORICAL:
            raise DatasetError(f"field {self.name}: only a multi_categorical field has weights")
        if self.attended_by is not None and self.kind != MULTI_CATEGORICAL:
            raise DatasetError(f"field {self.name}: only a multi_categorical field is attended to")
        if self.shares is not None and (not self.has_ids or self.shares == self.name):
            what = "it" if self.has_ids else f"a {self.kind} field"
            raise DatasetError(f"field {self.name}: {what} cannot share the ids of {self.shares!r}")
        hashed = getattr(self.encoding, "hashed", None)
        if hashed is not None and hashed + FIRST_ID_ROW != self.vocabulary_size:
            raise DatasetError(
                f"field {self.name}: vocabulary_size {self.vocabulary_size} is not that of "
                f"{hashed} rows of hashes"
            )
        wanted = getattr(self.encoding, "length", 1)
        if self.encoding and wanted != self.length:
            raise DatasetError(
                f"field {self.name}: length {self.length} is not {wanted}, as encoded"
            )
        if self.encoding and self.encoding.gives_numbers == self.has_ids:
            raise DatasetError(
                f"field {self.name}: the encoding {self.encoding.kind} does not fit a {self.kind} "
                "field"
            )

    @property
    def has_ids(self) -> bool:
        """Whether the field has embedding rows."""
        return self.kind in (CATEGORICAL, MULTI_CATEGORICAL)

    @property
    def owner(self) -> str:
        """Name of the field that the vocabulary and the embedding rows are called after."""
        return self.shares or self.name

    @property
    def has_vocabulary(self) -> bool:
        """Whether ids are looked up in a vocabulary."""
        return self.has_ids and getattr(self.encoding, "hashed", None) is None

    def encoded_as(self, kind: type[_Encoding]) -> _Encoding:
        """Returns the encoding, which must be of a kind.

        Raises:
          DatasetError: It is of another, or nothing is known of raw values.
        """
        if isinstance(self.encoding, kind):
            return self.encoding
        has = "no encoding" if self.encoding is None else f"the encoding {self.encoding.kind}"
        raise DatasetError(
            f"field {self.name} has {has}, expected {kind.kind or 'one'}; prepare the dataset again"
        )

    @property
    def weight_name(self) -> str:
        """Key of the pooling weights in a batch."""
        return f"{self.name}_weight"

    @property
    def columns(self) -> dict[str, str]:
        """The field's columns on disk and their types, which are NumPy's; lists lie end to end."""
        column = column_name(self.name)
        if self.kind == NUMERIC:
            return {column: "float32"}
        if self.kind == VECTOR:
            return {column: f"({self.length},)float32"}
        if self.kind == CATEGORICAL:
            return {column: "int32"}
        columns = {f"{column}/values": "int32", f"{column}/row_lengths": "uint16"}
        return columns | ({f"{column}/weights": "float32"} if self.weighted else {})


def check_name(what: str, name: str) -> None:
    """Refuses a name that people could not read."""
    if fault := fault_of(name):
        raise DatasetError(f"{what} name {name!r} {fault}; choose one of printable characters")


def check_range(what: str, number: int, most: int, least: int = 0) -> None:
    """Refuses a number that the format cannot hold."""
    if not least <= number <= most:
        raise DatasetError(f"{what} is {number:,}, expected {least:,} to {most:,}")
