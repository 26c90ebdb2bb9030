"""The fields of a declaration: the columns that are inputs."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from data_prep.own_log.declared.histories import HISTORY_KEYS, DeclaredHistory, declared_history
from data_prep.own_log.declared.keys import Keys
from dcrnn_tf.dataset.encodings import (
    FIRST,
    FIRST_ID_ROW,
    LAST,
    VALUE,
    Bins,
    Encoding,
    Ids,
    Scaling,
    Vector,
)
from dcrnn_tf.dataset.schema import (
    CATEGORICAL,
    KINDS,
    LARGEST_ROW,
    LONGEST_LIST,
    MULTI_CATEGORICAL,
    NUMERIC,
    VECTOR,
    WIDEST_ROW,
    DatasetError,
    Field,
)
from dcrnn_tf.system.nearest import did_you_mean

FIELD_KEYS = {
    CATEGORICAL: ("kind", "column", "min_count", "bins", "hashed", "shares", "width"),
    MULTI_CATEGORICAL: (
        *("kind", "column", "min_count", "hashed", "shares", "width"),
        *("separator", "max_values", "keep", "weights", "attended_by"),
    ),
    NUMERIC: ("kind", "column", "scaling"),
    VECTOR: ("kind", "column", "length", "separator"),
}


@dataclasses.dataclass(frozen=True)
class DeclaredField:
    """An input column: `column` is its name in a row, the rest as in `docs/own_data/fields.md`."""

    name: str
    kind: str
    column: str
    min_count: int = 10
    separator: str = ";"
    max_values: int = 50
    keep: str = FIRST
    scaling: str = "standard"
    bins: str | None = None
    attended_by: str | None = None
    shares: str | None = None
    history: DeclaredHistory | None = None
    hashed: int | None = None
    weights: str | None = None
    length: int = 1
    width: int | None = None

    @property
    def reads_numbers(self) -> bool:
        """Whether the column's cells are numbers rather than ids."""
        return self.kind == NUMERIC or self.bins is not None

    @property
    def made_of(self) -> DeclaredHistory:
        """The history that the field is.

        Raises:
          ValueError: It is none.
        """
        if self.history is None:
            raise ValueError(f"field {self.name} is no history")
        return self.history

    def encoding(self, missing: tuple[str, ...]) -> Encoding:
        """Returns the encoding of the field, without what is learned of training rows.

        Args:
          missing: Texts that stand for a missing value.
        """
        if self.kind == NUMERIC:
            return Scaling(missing)
        if self.kind == VECTOR:
            return Vector(missing, self.length, self.separator)
        if self.bins:
            return Bins(missing)
        ids = Ids(missing, VALUE, self.min_count, hashed=self.hashed)
        if self.kind != MULTI_CATEGORICAL:
            return ids
        return dataclasses.replace(
            ids,
            separator=self.separator,
            max_values=self.max_values,
            keep=self.keep,
            weight_mark=self.weights,
        )

    def as_field(self, ids: int = 0, encoding: Encoding | None = None) -> Field:
        """Returns the field of the schema.

        Args:
          ids: Number of ids in its vocabulary.
          encoding: Encoding that was learned; None before anything is.
        """
        return Field(
            self.name,
            self.kind,
            0 if self.kind in (NUMERIC, VECTOR) else FIRST_ID_ROW + (self.hashed or ids),
            self.max_values if self.kind == MULTI_CATEGORICAL else 1,
            weighted=self.weights is not None,
            raw_name=self.column,
            encoding=encoding,
            attended_by=self.attended_by,
            shares=self.shares,
            length=self.length,
            width=self.width,
        )


def declared_field(name: str, entry: object) -> DeclaredField:
    """Returns the field that an entry of `fields` declares.

    Raises:
      DatasetError: The entry has an unknown or missing key, or a value that cannot be.
    """
    where = f"field {name}"
    every_key = sorted({key for keys in (*FIELD_KEYS.values(), HISTORY_KEYS) for key in keys})
    keys = Keys(entry, where, every_key)
    kind = keys.choice("kind", KINDS)
    if kind == MULTI_CATEGORICAL and "history_of" in keys.entry:
        return _history(name, Keys(entry, where, HISTORY_KEYS, " of a field with history_of"))
    keys = Keys(entry, where, FIELD_KEYS[kind], f" of a {kind} field")
    if kind == VECTOR:
        keys.get("length")
    hashed = _hashed(keys)
    return DeclaredField(
        name=name,
        kind=kind,
        column=keys.text("column", name),
        min_count=keys.whole_number("min_count", 10 if hashed is None else 1),
        separator=keys.text("separator", ";", strip=False),
        max_values=keys.whole_number("max_values", 50, at_most=65535),
        keep=keys.choice("keep", Ids.KEEPS, FIRST),
        scaling=keys.choice("scaling", Scaling.METHODS, "standard"),
        bins=keys.choice("bins", Bins.METHODS) if "bins" in keys.entry else None,
        attended_by=keys.text("attended_by", None),
        shares=keys.text("shares", None),
        hashed=hashed,
        weights=keys.text("weights", None),
        length=keys.whole_number("length", 1, at_most=LONGEST_LIST),
        width=_width(keys),
    )


def declared_fields(entries: Mapping[str, object]) -> tuple[DeclaredField, ...]:
    """Returns the fields that the entries of `fields` declare, by name.

    Raises:
      DatasetError: An entry has an unknown or missing key, or a value that cannot be.
    """
    fields = {name: declared_field(name, entry) for name, entry in entries.items()}
    return tuple(_sharing(field, fields) if field.shares else field for field in fields.values())


def takes_min_count(entry: Mapping[str, Any]) -> bool:
    """Whether `min_count` has a meaning for the field that an entry declares."""
    return entry["kind"] not in (NUMERIC, VECTOR) and not {"shares", "hashed"} & set(entry)


def _sharing(field: DeclaredField, fields: Mapping[str, DeclaredField]) -> DeclaredField:
    """Returns a field with what it has of the field whose ids it shares.

    Raises:
      DatasetError: That field is none, or has no ids that could be shared.
    """
    where = f"field {field.name}: shares names {field.shares!r}"
    owner = fields.get(field.shares or "")
    if owner is None:
        raise DatasetError(f"{where}, which is no field{did_you_mean(field.shares, fields)}")
    if owner.shares is not None and owner is not field:
        raise DatasetError(f"{where}, which shares the ids of {owner.shares!r}; name that one")
    if owner.kind not in (CATEGORICAL, MULTI_CATEGORICAL) or owner.bins or owner is field:
        raise DatasetError(f"{where}, expected another field of ids, without bins")
    attended_by = field.attended_by
    if (field.kind, owner.kind) == (MULTI_CATEGORICAL, CATEGORICAL):
        attended_by = attended_by or owner.name
    return dataclasses.replace(
        field,
        min_count=owner.min_count,
        hashed=owner.hashed,
        attended_by=attended_by,
        width=owner.width,
    )


def _history(name: str, keys: Keys) -> DeclaredField:
    """Returns a field that is a history, a list that comes under the field's own name."""
    hashed = _hashed(keys)
    return DeclaredField(
        name=name,
        kind=MULTI_CATEGORICAL,
        column=name,
        min_count=keys.whole_number("min_count", 10 if hashed is None else 1),
        max_values=keys.whole_number("last", 50, at_most=65535),
        keep=LAST,
        attended_by=keys.text("attended_by", None),
        shares=keys.text("shares", None),
        hashed=hashed,
        history=declared_history(keys),
        width=_width(keys),
    )


def _width(keys: Keys) -> int | None:
    """Returns the width of a field's embedding rows; None of those that have the model's."""
    return keys.whole_number("width", 1, at_most=WIDEST_ROW) if "width" in keys.entry else None


def _hashed(keys: Keys) -> int | None:
    """Returns the number of rows of hashed ids; None of ids with a vocabulary."""
    keys.exclude("shares", ("min_count", "bins", "hashed", "width"))
    keys.exclude("hashed", ("min_count", "bins"))
    if "hashed" not in keys.entry:
        return None
    return keys.whole_number("hashed", 1, at_most=LARGEST_ROW - FIRST_ID_ROW)
