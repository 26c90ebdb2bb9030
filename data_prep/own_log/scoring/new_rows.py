"""Rows of files that come after the preparation of a dataset, as features of a model."""

import collections
import contextlib
import dataclasses
import pathlib
import sys
import types
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.field_encoder import FieldEncoder, features_of, missing_numbers
from data_prep.own_log.history.histories import Histories
from data_prep.own_log.id_types import IdTypes
from data_prep.own_log.joined.tables import JoinedTable, read_joins
from data_prep.own_log.parsing.chunks import Chunk
from data_prep.own_log.parsing.files import LogFile, open_files
from data_prep.own_log.parsing.remote import RawPath
from data_prep.own_log.rows.log_rows import ROW
from data_prep.own_log.rows.row_reader import KEY, RowReader
from data_prep.own_log.scoring.declared import ScoredRows, declaration_of, scored_rows
from data_prep.own_log.scoring.earlier import EarlierRows
from data_prep.own_log.scoring.raw_inputs import raw_inputs
from data_prep.storage.ahead import ahead
from data_prep.storage.bad_rows import BadRows, Progress
from dcrnn_tf.dataset.encodings import PADDING_ROW, TEXT, UNKNOWN_ROW, VALUE
from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, SCHEMA_FILE, Schema
from dcrnn_tf.dataset.vocabulary import load_vocabularies

Counts = dict[str, collections.Counter[str]]


@dataclasses.dataclass(frozen=True)
class NewChunk:
    """Some rows of a file, or none, which stand for the end of the file.

    Attributes:
      keys: The columns that stand beside the scores, as the file has them.
      features: Features of the rows, `{field: (rows, ...)}`.
      counts: Numbers by what is counted and by name: of rows without a value (`missing`), of ids
        (`ids`) and of those that no training row has (`unknown`) by field, of rows that were left
        out (`bad_rows`) by reason, and of rows without partner (`unmatched`) by join.
    """

    keys: pl.DataFrame
    features: Mapping[str, np.ndarray]
    counts: Counts


@dataclasses.dataclass(frozen=True)
class Position:
    """How far files have been read.

    Attributes:
      files: Number of files that have been read whole.
      chunks: Number of chunks of the next one that have been read.
    """

    files: int = 0
    chunks: int = 0


class ReadNewRows:
    """Checks rows as the preparation of a dataset did, and makes raw inputs of them.

    Args:
      schema: Schema of the dataset, with the fields of the model.
      rows: How the rows are read.
      tables: The joined tables.
    """

    def __init__(self, schema: Schema, rows: ScoredRows, tables: Sequence[JoinedTable] = ()):
        self._fields = schema.fields
        self._read = RowReader(rows.declaration, tables, keys=rows.keys)
        self._keys = rows.keys
        self._row = 0

    def begin(self, row: int) -> None:
        """Begins with a row of this number, from 0, among the usable ones."""
        self._row = row

    def __call__(self, chunk: Chunk, bad_rows: BadRows) -> NewChunk:
        """Makes features of the rows of a chunk that can be used.

        Raises:
          DatasetError: There are more bad rows than tolerated, or a column has a type whose values
            are never spelled like the ids of the dataset.
        """
        before = bad_rows.counts.copy(), self._read.unmatched.copy()
        frame, _, _ = self._read.usable(chunk, 0, bad_rows)
        rows = np.arange(self._row, self._row + frame.height)
        frame = frame.with_columns(pl.Series(ROW, rows))
        self._row += frame.height
        features, counts = self._features(frame)
        keys = pl.DataFrame([frame[KEY + name].alias(name) for name in self._keys])
        counts["bad_rows"] = bad_rows.counts - before[0]
        counts["unmatched"] = self._read.unmatched - before[1]
        return NewChunk(keys, features, counts)

    def _features(self, frame: pl.DataFrame) -> tuple[dict[str, np.ndarray], Counts]:
        return raw_inputs(self._fields, frame), {}


class EncodeNewRows(ReadNewRows):
    """Checks and encodes rows as the preparation of a dataset did.

    Args:
      folder: Folder of the dataset.
      schema: Its schema, with the fields of the model.
      rows: How the rows are read.
      tables: The joined tables.
      histories: The histories of the rows; None where the rows bring them.

    Raises:
      DatasetError: A file of the dataset is missing or damaged.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        schema: Schema,
        rows: ScoredRows,
        tables: Sequence[JoinedTable] = (),
        histories: Histories | None = None,
    ):
        super().__init__(schema, rows, tables)
        vocabularies = load_vocabularies(folder, schema.fields)
        encoder_of = FieldEncoder if histories is None else histories.encoder
        self._encoders = [encoder_of(f, vocabularies.get(f.name)) for f in schema.fields]
        self._types = [
            (encoder.field.raw_name, IdTypes(encoder.field, encoder.ids))
            for encoder in self._encoders
            if getattr(encoder.field.encoding, "values", None) in (VALUE, TEXT)
        ]

    def _features(self, frame: pl.DataFrame) -> tuple[dict[str, np.ndarray], Counts]:
        for column, id_types in self._types:
            if column in frame.columns:  # as histories of earlier rows are not
                id_types.check(frame[column])
        features = features_of(self._encoders, frame, as_long_as_possible=False)
        return features, self._counts(frame, features)

    def _counts(self, frame: pl.DataFrame, features: Mapping[str, np.ndarray]) -> Counts:
        counts: Counts = {name: collections.Counter() for name in ("missing", "unknown", "ids")}
        for name, absent in missing_numbers(self._encoders, frame).items():
            counts["missing"][name] += int(np.count_nonzero(absent))
        for encoder in self._encoders:
            field = encoder.field
            if not field.has_ids:
                continue
            rows = features[field.name]
            present = rows != PADDING_ROW
            some = present.any(axis=1) if field.kind == MULTI_CATEGORICAL else present
            counts["missing"][field.name] += int(np.count_nonzero(~some))
            counts["ids"][field.name] += int(np.count_nonzero(present))
            counts["unknown"][field.name] += int(np.count_nonzero(rows == UNKNOWN_ROW))
        return counts


class NewRows:
    """The rows of files, chunk by chunk.

    Args:
      folder: Folder of a dataset made by `data_prep.own_log`, or of an exported model's schema.
      schema: The schema, with the fields of the model.
      files: Names of the files, or patterns.
      raw_dir: Folder that these are relative to.
      joined_dir: Folder that the names of the declaration's joined files are relative to.
      keys: Columns that stand beside the scores; None takes those of ids.
      max_bad_rows: Number of bad rows that are left out and counted; one more is an error.
      earlier: Files of earlier rows, of which histories are made; None where the rows bring them.
      raw: Whether features are the raw inputs of an exported model, of which no ids are counted.

    Attributes:
      files: The files, in the order in which they are read.
      joined: The files of the joins.
      keys: The columns that stand beside the scores.

    Raises:
      DatasetError: The dataset has no declaration, a pattern fits no file, or a file cannot be read
        or lacks a column.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        schema: Schema,
        files: Sequence[str],
        raw_dir: RawPath,
        joined_dir: RawPath,
        keys: Sequence[str] | None,
        max_bad_rows: int,
        earlier: EarlierRows | None = None,
        raw: bool = False,
    ):
        self._raw = raw
        declared = declaration_of(schema, folder / SCHEMA_FILE)
        self._folder, self._schema, self._declared = folder, schema, declared
        self._names = [field.name for field in schema.fields]
        histories = [f for f in declared.fields if f.history and f.name in self._names]
        self._earlier = earlier if histories else None
        self._rows = rows = scored_rows(declared, self._names, keys, self._earlier is not None)
        advice = {
            field.name: (
                f"field {field.name} is a history, {field.made_of.of} of the earlier rows of each "
                f"{field.made_of.by}: name the files of these rows by --history_files, or write "
                "the lists into this file"
            )
            for field in histories
        }
        selection = rows.selection
        columns = {name: advice.get(name, part) for name, part in selection.columns.items()}
        selection = dataclasses.replace(selection, columns=columns)
        self.files: Sequence[LogFile] = open_files(raw_dir, files, selection).opened
        self.keys = rows.keys
        joins = read_joins(
            rows.declaration.joins, rows.declaration, joined_dir, BadRows(max_bad_rows)
        )
        self.joined = joins.files
        self._bad_rows = joins.bad_rows
        self._tables = joins.tables

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def bad_joined_rows(self) -> Counts:
        """The numbers of bad rows of the joined files, by reason."""
        return {"bad_rows": self._bad_rows.counts}

    def read(
        self,
        progress: Progress,
        begin: Position = Position(),
        bad_rows: Mapping[str, int] = types.MappingProxyType({}),
        row: int = 0,
    ) -> Iterator[tuple[Position, NewChunk]]:
        """Yields the rows chunk by chunk, each with the position at which to go on behind it.

        Args:
          progress: called with the number of bytes read since the last call.
          begin: The position at which to begin.
          bad_rows: Numbers of bad rows of the files up to there, by reason.
          row: Number of usable rows up to there.
        """
        counted = self._bad_rows.copy()
        counted.counts.update(bad_rows)
        with contextlib.ExitStack() as stack:
            encode: ReadNewRows
            if self._raw:
                encode = ReadNewRows(self._schema, self._rows, self._tables)
            else:
                histories = None
                if self._earlier is not None:
                    made = self._earlier.histories(self._declared, self._names, self._usable())
                    histories = stack.enter_context(made)
                encode = EncodeNewRows(
                    self._folder, self._schema, self._rows, self._tables, histories
                )
            encode.begin(row)
            yield from ahead(self._read(encode, progress, begin, counted))

    def _usable(self) -> Iterator[pl.DataFrame]:
        """Yields all usable rows, with their times and users."""
        read = RowReader(self._rows.declaration, self._tables)
        for file in self.files:
            for frame, _, _ in read(file, 0, BadRows(sys.maxsize), lambda done: None):
                yield frame

    def _read(
        self, encode: ReadNewRows, progress: Progress, begin: Position, bad_rows: BadRows
    ) -> Iterator[tuple[Position, NewChunk]]:
        for done in self.files[: begin.files]:
            progress(done.bytes)
        first = begin.chunks
        for number, file in enumerate(self.files[begin.files :], start=begin.files):
            # What a file's reader counts begins anew with the file, wherever it is gone on with.
            of_file = BadRows(bad_rows.limit, bad_rows)
            bad_rows.beside = of_file
            for chunks, rows in enumerate(file.chunks(of_file, progress), start=1):
                if chunks > first:
                    yield Position(number, chunks), encode(rows, bad_rows)
            bad_rows.beside = None
            bad_rows.counts.update(of_file.counts)
            counts = {"bad_rows": of_file.counts}
            yield Position(number + 1), NewChunk(pl.DataFrame(), {}, counts)
            first = 0
