"""Makes a prepared dataset of any logs in CSV or Parquet files, from a small declaration.

  python -m data_prep.table --declaration=examples/census_income.yaml \\
      --data_dir=FOLDER_OF_THE_FILES --output=data/census_income

The declaration (YAML or JSON, described in docs/own_data.md) names the input columns, the label
columns and the split. Files are read twice, chunk by chunk: once to check every row, count ids and
fit scalings on the training rows, once to encode and write.
"""

import collections
import hashlib
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl
from absl import app, flags
from tqdm import tqdm

from data_prep.declaration import SPLIT_NAMES, Declaration, DeclaredField, load_declaration
from data_prep.scaling import Scaling
from data_prep.table_files import (
    BadRows,
    Chunk,
    CsvFile,
    ParquetFile,
    Progress,
    as_text,
    open_table,
)
from data_prep.vocabulary import IdCounter, Vocabulary
from data_prep.writer import DatasetWriter, Ragged
from dcrnn_tf.schema import (
    CATEGORICAL,
    MULTI_CATEGORICAL,
    NUMERIC,
    DatasetError,
    Field,
    Schema,
    Task,
)

TRAIN, VALIDATION, TEST = range(3)  # positions in SPLIT_NAMES


class TableRows:
    """The usable rows of all files: checked, labelled and assigned to splits, in file order.

    Args:
      declaration: what the files hold.
      data_dir: folder that the declaration's file patterns are relative to.
      seed: of the split.
      max_bad_rows: how many bad rows are left out and counted before that is an error.

    Raises:
      DatasetError: a pattern fits no file, or a file cannot be read or lacks a column.
    """

    def __init__(
        self, declaration: Declaration, data_dir: pathlib.Path, seed: int, max_bad_rows: int
    ):
        self.bad_rows = BadRows(max_bad_rows)
        self._declaration = declaration
        self._seed = seed
        self._max_bad_rows = max_bad_rows
        self.files: list[tuple[int, CsvFile | ParquetFile]] = []
        split_of: dict[pathlib.Path, str] = {}
        for split, patterns in declaration.split.files.items():
            for path in _find_files(data_dir, patterns):
                if split_of.setdefault(path, split) != split:
                    raise DatasetError(f"{path} is a file of {split_of[path]} and of {split}")
                self.files.append((SPLIT_NAMES.index(split), open_table(path, declaration)))

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for _, file in self.files)

    @property
    def ignored_columns(self) -> list[str]:
        """Columns of the files that are neither input nor label, and do not decide the split."""
        names = dict.fromkeys(name for _, file in self.files for name in file.names)
        return [name for name in names if name not in self._declaration.columns]

    def read(self, progress: Progress) -> Iterator[tuple[pl.DataFrame, np.ndarray, dict]]:
        """Yields chunk by chunk the declared columns, each row's split and the labels by task.

        Every call yields the same rows. Numeric fields come as Float64 columns.

        Raises:
          DatasetError: there are more bad rows than tolerated.
        """
        self.bad_rows = BadRows(self._max_bad_rows)
        random = np.random.default_rng([self._seed, 0])
        for split, file in self.files:
            for chunk in file.chunks(self.bad_rows, progress):
                faults = _Faults(chunk, self.bad_rows)
                frame = self._numbers(chunk.frame, faults)
                labels = self._labels(frame, faults)
                splits = self._splits(frame, split, faults)
                good = ~faults.bad
                frame = frame.filter(pl.Series(good))
                self._draw(frame, splits := splits[good], random)
                yield frame, splits, {task: label[good] for task, label in labels.items()}

    def _numbers(self, frame: pl.DataFrame, faults: "_Faults") -> pl.DataFrame:
        """Parses the numeric fields."""
        for field in self._declaration.fields:
            if field.kind == NUMERIC:
                text = frame[field.column]
                numbers = text.cast(pl.Float64, strict=False)
                finite = numbers.cast(pl.Float32).is_finite().fill_null(text.is_null())
                faults.add(
                    "not a number",
                    ~finite.to_numpy(),
                    lambda row, field=field, text=text: (
                        f"field {field.name}: column {field.column!r} holds {text[row]!r}, "
                        "expected a number"
                    ),
                )
                frame = frame.with_columns(numbers.alias(field.column))
        return frame

    def _labels(self, frame: pl.DataFrame, faults: "_Faults") -> dict[str, np.ndarray]:
        """Reads the labels; a missing one where the parent is 0 becomes 0."""
        labels: dict[str, np.ndarray] = {}
        for task in self._declaration.tasks:
            text = _text(frame, task.column)
            where = f"task {task.name}: column {task.column!r}"
            missing = text.is_null().to_numpy()
            positive = text.is_in(task.positive).fill_null(False).to_numpy()
            asked = np.ones(len(text), bool)
            if task.only_where is not None:
                asked = labels[task.only_where] > 0
            faults.add(
                "label missing", missing & asked, lambda row, where=where: f"{where} has no label"
            )
            if task.negative is not None:
                known = positive | text.is_in(task.negative).fill_null(False).to_numpy()
                allowed = ", ".join(dict.fromkeys((*task.positive, *task.negative)))
                faults.add(
                    "label not allowed",
                    ~missing & ~known,
                    lambda row, where=where, text=text, allowed=allowed: (
                        f"{where} holds {text[row]!r}, expected one of {allowed}"
                    ),
                )
            faults.add(
                "label without its parent",
                positive & ~asked,
                lambda row, where=where, task=task: (
                    f"{where} is positive where task {task.only_where} is not"
                ),
            )
            labels[task.name] = positive.astype(np.uint8)
        return labels

    def _splits(self, frame: pl.DataFrame, split: int, faults: "_Faults") -> np.ndarray:
        """Assigns rows as far as their file or a column decides; the rest is training."""
        splits = np.full(frame.height, split, np.int8)
        declared = self._declaration.split
        if declared.column is None:
            return splits
        text = _text(frame, declared.column)
        where = f"split: column {declared.column!r}"
        faults.add("split unknown", text.is_null().to_numpy(), lambda row: f"{where} is empty")
        for name, values in declared.values.items():
            splits[text.is_in(values).fill_null(False).to_numpy()] = SPLIT_NAMES.index(name)
        if "train" in declared.values:
            listed = [value for values in declared.values.values() for value in values]
            faults.add(
                "split unknown",
                ~text.is_in(listed).fill_null(True).to_numpy(),
                lambda row: f"{where} holds {text[row]!r}, which no split lists",
            )
        return splits

    def _draw(self, frame: pl.DataFrame, splits: np.ndarray, random: np.random.Generator) -> None:
        """Draws test and validation rows from the training rows, in place."""
        declared = self._declaration.split
        if declared.by == "group":
            groups, of_row = np.unique(
                _text(frame, declared.column).to_numpy().astype(object), return_inverse=True
            )
            key = self._seed.to_bytes(8, "little")
            digests = [hashlib.blake2b(g.encode(), digest_size=16, key=key) for g in groups]
            drawn = np.frombuffer(b"".join(d.digest() for d in digests), np.uint64)
            drawn = (drawn.reshape(-1, 2) / 2.0**64)[of_row]
        else:
            drawn = random.random((frame.height, 2))
        train = splits == TRAIN
        splits[train & (drawn[:, 1] < declared.validation_fraction)] = VALIDATION
        splits[train & (drawn[:, 0] < declared.test_fraction)] = TEST


class _Faults:
    """What is wrong with the rows of a chunk; a row counts once, under the first reason."""

    def __init__(self, chunk: Chunk, bad_rows: BadRows):
        self.bad = np.zeros(chunk.frame.height, bool)
        self._chunk = chunk
        self._bad_rows = bad_rows

    def add(self, reason: str, rows: np.ndarray, what: Callable[[int], str]) -> None:
        for row in np.flatnonzero(rows & ~self.bad).tolist():
            self._bad_rows.add(reason, lambda row=row: self._chunk.place(row), what(row))
        self.bad |= rows


class FieldEncoder:
    """Learns one field from training rows, then encodes it."""

    def __init__(self, declared: DeclaredField, missing_values: Sequence[str], seed: int):
        self.declared = declared
        self._missing_values = missing_values
        self.missing = 0
        self.truncated = 0
        self.scaling = Scaling(declared.scaling, seed)
        self.vocabulary: Vocabulary | None = None
        self._counter = IdCounter()

    def add(self, frame: pl.DataFrame, train: np.ndarray) -> None:
        """Learns from the rows where `train` is true; counts missing and truncated over all."""
        column = frame[self.declared.column]
        self.missing += column.null_count()
        if self.declared.kind == NUMERIC:
            self.scaling.add(column.to_numpy()[train])
        elif self.declared.kind == CATEGORICAL:
            self._counter.add(_text(frame, self.declared.column).filter(pl.Series(train)))
        else:
            lists = self._lists(frame)
            self.truncated += int((lists.list.len() > self.declared.max_values).sum())
            kept = lists.list.head(self.declared.max_values).filter(pl.Series(train))
            self._counter.add(kept.explode().drop_nulls())

    def finish(self) -> Field:
        """Fixes the vocabulary and returns the field's schema."""
        name, kind, source = self.declared.name, self.declared.kind, self.declared.column
        if kind == NUMERIC:
            return Field(name, kind, source=source)
        self.vocabulary = self._counter.vocabulary(self.declared.min_count)
        self._counter = IdCounter()
        longest = self.declared.max_values if kind == MULTI_CATEGORICAL else 1
        return Field(name, kind, self.vocabulary.size, longest, source=source)

    def encode(self, frame: pl.DataFrame) -> np.ndarray | Ragged:
        """Returns the field's column of the dataset."""
        if self.declared.kind == NUMERIC:
            return self.scaling(frame[self.declared.column].to_numpy())
        if self.declared.kind == CATEGORICAL:
            return self.vocabulary.encode(_text(frame, self.declared.column))
        lists = self._lists(frame).list.head(self.declared.max_values)
        values = self.vocabulary.encode(lists.explode().drop_nulls())
        return Ragged(values, lists.list.len().to_numpy())

    def _lists(self, frame: pl.DataFrame) -> pl.Series:
        """The field's values as lists of text, without missing ones."""
        column = frame[self.declared.column]
        if column.dtype == pl.String:
            column = column.str.split(self.declared.separator)
        text = as_text(pl.element(), column.dtype.inner).str.strip_chars()
        lists = column.list.eval(text.filter(~text.is_in(self._missing_values)))
        return lists.fill_null([])


def prepare(
    declaration: Declaration,
    data_dir: str | pathlib.Path,
    output: str | pathlib.Path,
    seed: int = 0,
    max_bad_rows: int = 0,
) -> Schema:
    """Writes the prepared dataset that a declaration describes.

    Args:
      declaration: from `load_declaration`.
      data_dir: folder that the declaration's file patterns are relative to.
      output: folder of the dataset; must not exist.
      seed: of the split and the shuffle.
      max_bad_rows: how many bad rows are left out and counted before that is an error.

    Returns:
      The schema of the dataset.

    Raises:
      DatasetError: the output exists, or something is wrong with a file or a row.
    """
    if pathlib.Path(output).exists():
        raise DatasetError(f"{output} exists already; remove it or choose another output folder")
    table = TableRows(declaration, pathlib.Path(data_dir), seed, max_bad_rows)
    encoders = [
        FieldEncoder(field, declaration.missing_values, seed) for field in declaration.fields
    ]
    rows = np.zeros(len(SPLIT_NAMES), np.int64)
    positives: collections.Counter[str] = collections.Counter()
    defined: collections.Counter[str] = collections.Counter()
    with _bar("1/3 counting", table.bytes, "B") as bar:
        for frame, splits, labels in table.read(bar.update):
            train = splits == TRAIN
            rows += np.bincount(splits, minlength=len(SPLIT_NAMES))
            for encoder in encoders:
                encoder.add(frame, train)
            for task in declaration.tasks:
                asked = train if task.only_where is None else train & (labels[task.only_where] > 0)
                positives[task.name] += int(labels[task.name][asked].sum())
                defined[task.name] += int(asked.sum())
    _check_training_rows(declaration, rows, positives, defined)

    fields = [encoder.finish() for encoder in encoders]
    tasks = [Task(task.name, task.only_where) for task in declaration.tasks]
    with DatasetWriter(output, declaration.name, fields, tasks, seed, int(rows.max())) as writer:
        for encoder in encoders:
            if encoder.vocabulary is not None:
                vocabulary = encoder.vocabulary
                writer.add_vocabulary(encoder.declared.name, vocabulary.ids, vocabulary.counts)
        with _bar("2/3 encoding", table.bytes, "B") as bar:
            for frame, splits, labels in table.read(bar.update):
                encoded = {e.declared.name: e.encode(frame) for e in encoders} | labels
                for split in np.unique(splits):
                    chosen = np.flatnonzero(splits == split)
                    columns = {name: _take(column, chosen) for name, column in encoded.items()}
                    writer.add_rows(SPLIT_NAMES[split], columns)
        files = [{"name": file.path.name, "bytes": file.bytes} for _, file in table.files]
        filters = {
            "declaration": declaration.content,
            "bad_rows": dict(table.bad_rows.counts),
            "ignored_columns": table.ignored_columns,
            "missing": {e.declared.name: e.missing for e in encoders},
            "truncated_lists": {
                e.declared.name: e.truncated
                for e in encoders
                if e.declared.kind == MULTI_CATEGORICAL
            },
            "scaling": {
                e.declared.name: e.scaling.parameters
                for e in encoders
                if e.declared.kind == NUMERIC
            },
        }
        with _bar("3/3 shuffling", int(rows.sum()), " rows") as bar:
            return writer.finish(
                {"files": files, "simulated": declaration.simulated}, filters, bar.update
            )


def summary(schema: Schema) -> str:
    """Says in a few lines what was prepared and what was left out."""
    total = sum(split.rows for split in schema.splits.values())
    lines = [f"{schema.name}: {total:,} rows" + (", simulated" if schema.simulated else "")]
    for split in schema.splits.values():
        rates = "".join(
            f", {task.name} {split.positives[task.name]:,} of {split.defined[task.name]:,}"
            f" ({split.positives[task.name] / max(split.defined[task.name], 1):.4f})"
            for task in schema.tasks
        )
        lines.append(f"  {split.name}: {split.rows:,} rows{rates}")
    filters = schema.filters
    for field in schema.fields:
        what = f"{field.kind}, " + (
            f"{filters['scaling'][field.name]['kind']} scaling"
            if field.kind == NUMERIC
            else f"{field.vocabulary_size:,} embedding rows"
        )
        if missing := filters["missing"][field.name]:
            what += f", missing in {missing:,} rows"
        if truncated := filters["truncated_lists"].get(field.name):
            what += f", {truncated:,} lists cut to {field.max_values} values"
        lines.append(f"  field {field.name}: {what}")
    lines.append(f"  columns not used: {', '.join(filters['ignored_columns']) or 'none'}")
    bad = ", ".join(f"{reason} {count:,}" for reason, count in filters["bad_rows"].items())
    lines.append(f"  bad rows left out: {bad or 'none'}")
    return "\n".join(lines)


def _find_files(data_dir: pathlib.Path, patterns: Sequence[str]) -> list[pathlib.Path]:
    """Files that fit the patterns in sorted order; a name also fits itself with `.gz`."""
    paths: dict[pathlib.Path, None] = {}
    for pattern in patterns:
        found = sorted(data_dir.glob(pattern)) or sorted(data_dir.glob(pattern + ".gz"))
        found = [path for path in found if path.is_file()]
        if not found:
            raise DatasetError(f"{data_dir} holds no file {pattern}; say where with --data_dir")
        paths |= dict.fromkeys(found)
    return list(paths)


def _text(frame: pl.DataFrame, column: str) -> pl.Series:
    return frame.select(as_text(pl.col(column), frame.schema[column]))[column]


def _take(column: np.ndarray | Ragged, rows: np.ndarray) -> np.ndarray | Ragged:
    """The given rows, ascending, of a column."""
    if not isinstance(column, Ragged):
        return column[rows]
    chosen = np.zeros(len(column.row_lengths), bool)
    chosen[rows] = True
    return Ragged(column.values[np.repeat(chosen, column.row_lengths)], column.row_lengths[rows])


def _check_training_rows(declaration: Declaration, rows, positives, defined) -> None:
    for split in (TRAIN, TEST):
        if not rows[split]:
            raise DatasetError(
                f"{declaration.path}: the split leaves no {SPLIT_NAMES[split]} rows "
                f"(of {rows.sum():,} rows in all)"
            )
    for task in declaration.tasks:
        if not 0 < positives[task.name] < defined[task.name]:
            raise DatasetError(
                f"{declaration.path}: task {task.name} has {positives[task.name]:,} positives "
                f"among its {defined[task.name]:,} training rows, expected some and not all; "
                f"check its positive values ({', '.join(task.positive)})"
            )


def _bar(name: str, total: int, unit: str) -> tqdm:
    return tqdm(desc=name, total=total, unit=unit, unit_scale=True, dynamic_ncols=True)


def _main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!r} is not a flag; every setting begins with --")
    try:
        schema = prepare(
            load_declaration(_DECLARATION.value),
            _DATA_DIR.value,
            _OUTPUT.value,
            _SEED.value,
            _MAX_BAD_ROWS.value,
        )
    except DatasetError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    print(summary(schema))
    print(f"Written to {_OUTPUT.value}.")


if __name__ == "__main__":
    _DECLARATION = flags.DEFINE_string(
        "declaration", None, "YAML or JSON file that says what the files hold.", required=True
    )
    _DATA_DIR = flags.DEFINE_string(
        "data_dir", ".", "Folder that the declaration's file names are relative to."
    )
    _OUTPUT = flags.DEFINE_string(
        "output", None, "Folder of the prepared dataset; must not exist.", required=True
    )
    _SEED = flags.DEFINE_integer(
        "seed", 0, "Seed of the split and the shuffle.", lower_bound=0, upper_bound=2**32 - 1
    )
    _MAX_BAD_ROWS = flags.DEFINE_integer(
        "max_bad_rows", 0, "Bad rows left out and counted before that is an error.", lower_bound=0
    )
    app.run(_main)
