"""The fields of a declaration: the columns that are inputs."""

import dataclasses

from data_prep.own_log.declared.keys import Keys
from dcrnn_tf.dataset.encodings import Bins, Scaling
from dcrnn_tf.dataset.schema import CATEGORICAL, KINDS, MULTI_CATEGORICAL, NUMERIC

FIELD_KEYS = {
    CATEGORICAL: ("kind", "column", "min_count", "bins"),
    MULTI_CATEGORICAL: ("kind", "column", "min_count", "separator", "max_values", "attended_by"),
    NUMERIC: ("kind", "column", "scaling"),
}


@dataclasses.dataclass(frozen=True)
class DeclaredField:
    """An input column: `column` is its name in the files, the rest as in `docs/own_data.md`."""

    name: str
    kind: str
    column: str
    min_count: int = 10
    separator: str = ";"
    max_values: int = 50
    scaling: str = "standard"
    bins: str | None = None
    attended_by: str | None = None

    @property
    def reads_numbers(self) -> bool:
        """Whether the column's cells are numbers rather than ids."""
        return self.kind == NUMERIC or self.bins is not None


def declared_field(name: str, entry: object) -> DeclaredField:
    """Returns the field that an entry of `fields` declares.

    Raises:
      DatasetError: The entry has an unknown or missing key, or a value that cannot be.
    """
    where = f"field {name}"
    every_key = sorted({key for keys in FIELD_KEYS.values() for key in keys})
    kind = Keys(entry, where, every_key).choice("kind", KINDS)
    keys = Keys(entry, where, FIELD_KEYS[kind], f" of a {kind} field")
    return DeclaredField(
        name=name,
        kind=kind,
        column=keys.text("column", name),
        min_count=keys.whole_number("min_count", 10),
        separator=keys.text("separator", ";", strip=False),
        max_values=keys.whole_number("max_values", 50, at_most=65535),
        scaling=keys.choice("scaling", Scaling.METHODS, "standard"),
        bins=keys.choice("bins", Bins.METHODS) if "bins" in keys.entry else None,
        attended_by=keys.text("attended_by", None),
    )
