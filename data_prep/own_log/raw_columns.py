"""The columns of raw rows that fields are made of: given ones, then joined, then derived ones."""

import pathlib
import sys
from collections.abc import Mapping

import polars as pl

from data_prep.own_log.cells import clean, cleaned
from data_prep.own_log.declaration import Declaration, parse_declaration
from data_prep.own_log.declared.joins import needed_joins
from data_prep.own_log.derived.columns import DeriveColumns, needed, sources_of
from data_prep.own_log.joined.tables import JoinedTable, read_joins
from data_prep.storage.bad_rows import BadRows
from dcrnn_tf.dataset.schema import DatasetError, Schema

_KEYS = ("joins", "derived")  # of a declaration that makes columns


class RawColumns:
    """Makes the columns that fields are made of.

    Args:
      schema: Schema of a dataset prepared of an own log; its fields are those to encode.
      path: Path of the schema, for messages.
      raw_dir: Folder of the joined files, for rows that lack the joined columns.

    Raises:
      DatasetError: A joined file cannot be read, or is not as it was declared.

    Attributes:
      given: The columns that rows must have, each with what reads it. Where `raw_dir` is known,
        rows with all joined columns need no key.
    """

    def __init__(self, schema: Schema, path: pathlib.Path, raw_dir: str | pathlib.Path | None):
        names = {field.raw_name: f"field {field.name} is made of" for field in schema.fields}
        content = schema.settings.get("declaration", {})
        declared = None
        if isinstance(content, Mapping) and set(_KEYS) & set(content):
            declared = parse_declaration(content, path)
        derived = needed(declared.derived, names) if declared else ()
        self._sources = {name: f"{part} reads" for name, part in sources_of(derived).items()}
        made = {column.name for column in derived}
        self.given = {name: part for name, part in names.items() if name not in made}
        self.given |= self._sources
        self._missing = declared.missing_values if declared else ()
        self._derive = DeriveColumns(derived, self._missing)
        self._joined: dict[str, list[str]] = {}  # the columns of each join that are needed
        self._keys: dict[str, str] = {}  # of each column that a join gives, the key as shown
        self._tables: list[JoinedTable] = []
        if declared:
            self._add_joins(declared, raw_dir)

    def _add_joins(self, declared: Declaration, raw_dir: str | pathlib.Path | None) -> None:
        joins = needed_joins(declared.joins, self.given)
        for join in reversed(joins):
            self._joined[join.name] = [*join.columns]
            self._keys |= dict.fromkeys(join.columns, " and ".join(map(repr, join.log_key)))
            if raw_dir is not None:
                for column in join.columns:
                    self.given.pop(column, None)
                for column in join.log_key:
                    self.given.setdefault(column, f"{join.part} reads")
        if joins and raw_dir is not None:
            read = read_joins(joins, declared, pathlib.Path(raw_dir), BadRows(sys.maxsize))
            self._tables = list(read.tables)

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Returns rows with the columns that fields are made of.

        Raises:
          DatasetError: They lack a column, or a cell cannot be read as an expression needs it.
        """
        columns = set(frame.columns)
        for table in self._tables:
            join = table.join
            if not set(self._joined[join.name]) <= columns:
                for column in join.log_key:
                    self._check(frame, column, f"{join.part} reads")
                keys = [clean(frame[column], self._missing) for column in join.log_key]
                rows = table.rows(keys)
                frame = frame.with_columns(table.rows_of(rows).get_columns())
        made = {name for names in self._joined.values() for name in names} if self._tables else ()
        for column, part in self.given.items():
            # A key is needed by rows alone whose joined columns are not given.
            if column not in made and not part.startswith("join "):
                self._check(frame, column, part)
        return self._with_derived(frame)

    def _check(self, frame: pl.DataFrame, column: str, part: str) -> None:
        if column not in frame.columns:
            advice = ""
            if column in self._keys and not self._tables:
                advice = (
                    f"; RowEncoder(..., raw_dir=...) looks it up by {self._keys[column]} in the "
                    "files of the join"
                )
            raise DatasetError(
                f"the rows have no column {column!r}, which {part}; they have "
                f"{', '.join(frame.columns)}{advice}"
            )

    def _with_derived(self, frame: pl.DataFrame) -> pl.DataFrame:
        sources = pl.DataFrame([frame[name] for name in self._sources])
        for name, part in self._sources.items():
            if sources[name].dtype.is_nested():
                raise DatasetError(
                    f"column {name!r} holds {sources[name].dtype}, and {part} single values"
                )
        derived = self._derive(cleaned(sources, self._missing))
        return frame.with_columns(derived.get_columns()[len(self._sources) :])
