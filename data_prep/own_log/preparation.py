"""Makes a prepared dataset of the CSV or Parquet files that a declaration describes."""

import collections
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from tqdm import tqdm

from data_prep.own_log.declaration import SPLIT_NAMES, Declaration
from data_prep.own_log.field_encoder import FieldEncoder
from data_prep.own_log.field_learner import FieldCounts, FieldLearner
from data_prep.own_log.rows import TEST, TRAIN, TableRows
from data_prep.storage.columns import count_labels
from data_prep.storage.dataset_folder import check_absent
from data_prep.storage.writer import DatasetWriter, Ragged
from dcrnn_tf.dataset.schema import NUMERIC, DatasetError, Schema, Task


def prepare(
    declaration: Declaration,
    data_dir: str | pathlib.Path,
    out_dir: str | pathlib.Path,
    seed: int = 0,
    max_bad_rows: int = 0,
    simulation: Mapping[str, object] | None = None,
) -> Schema:
    """Writes the prepared dataset that a declaration describes.

    Args:
      declaration: Declaration of the log, from `load_declaration`.
      data_dir: folder that the declaration's file patterns are relative to.
      out_dir: folder of the dataset; must not exist.
      seed: Seed of the split and the shuffle.
      max_bad_rows: Number of bad rows that are left out and counted; one more is an error.
      simulation: What the simulator recorded of simulated rows; None for real ones.

    Returns:
      The schema of the dataset.

    Raises:
      DatasetError: `out_dir` exists, or something is wrong with a file or a row.
    """
    check_absent(pathlib.Path(out_dir))
    table = TableRows(declaration, pathlib.Path(data_dir), seed, max_bad_rows)
    learners = [FieldLearner(field, declaration, seed) for field in declaration.fields]
    rows = np.zeros(len(SPLIT_NAMES), np.int64)
    positives: collections.Counter[str] = collections.Counter()
    defined: collections.Counter[str] = collections.Counter()
    with _bar("1/3 counting", table.bytes, "B") as bar:
        for frame, splits, labels in table.read(bar.update):
            train = splits == TRAIN
            rows += np.bincount(splits, minlength=len(SPLIT_NAMES))
            for learner in learners:
                learner.add(frame, train)
            training = {task: label[train] for task, label in labels.items()}
            counts = count_labels(training, declaration.tasks)
            positives.update(counts[0])
            defined.update(counts[1])
    check_training_rows(declaration, rows, positives, defined)

    encoders = [FieldEncoder(*learner.finish()) for learner in learners]
    fields = [encoder.field for encoder in encoders]
    tasks = [Task(task.name, task.only_where) for task in declaration.tasks]
    with DatasetWriter(out_dir, declaration.name, fields, tasks, seed, int(rows.max())) as writer:
        for encoder in encoders:
            if vocabulary := encoder.vocabulary:
                writer.add_vocabulary(encoder.field.name, vocabulary.ids, vocabulary.counts)
        with _bar("2/3 encoding", table.bytes, "B") as bar:
            for frame, splits, labels in table.read(bar.update):
                encoded = {encoder.field.name: encoder(frame) for encoder in encoders} | labels
                for split in np.unique(splits):
                    chosen = np.flatnonzero(splits == split)
                    columns = {name: take_rows(column, chosen) for name, column in encoded.items()}
                    writer.add_rows(SPLIT_NAMES[split], columns)
        source = source_of(declaration, table, simulation)
        counts = {learner.declared.name: learner.counts for learner in learners}
        filters = filters_of(table.bad_rows.counts, table.ignored_columns, counts)
        with _bar("3/3 shuffling", int(rows.sum()), " rows") as bar:
            return writer.finish(source, settings_of(declaration), filters, bar.update)


def source_of(
    declaration: Declaration, table: TableRows, simulation: Mapping[str, object] | None
) -> dict[str, object]:
    """The schema's `source`: what the files are, and what a simulator said of them."""
    source: dict[str, object] = {
        "files": [{"name": file.path.name, "bytes": file.bytes} for _, file in table.files],
        "simulated": declaration.simulated or simulation is not None,
    }
    return source if simulation is None else source | {"simulation": simulation}


def settings_of(declaration: Declaration) -> dict[str, object]:
    """The schema's `settings`: the declaration."""
    return {"declaration": declaration.content}


def filters_of(
    bad_rows: Mapping[str, int], ignored_columns: Sequence[str], fields: Mapping[str, FieldCounts]
) -> dict[str, object]:
    """The schema's `filters`.

    Args:
      bad_rows: Numbers of bad rows that were left out, by reason.
      ignored_columns: Columns of the files that are not used.
      fields: Counts of each field.
    """
    truncated = {name: counts.truncated for name, counts in fields.items()}
    return {
        "bad_rows": dict(bad_rows),
        "ignored_columns": list(ignored_columns),
        "missing": {name: counts.missing for name, counts in fields.items()},
        "truncated_lists": {name: n for name, n in truncated.items() if n is not None},
    }


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
            f"{field.encoding.method} scaling"
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


def take_rows(column: np.ndarray | Ragged, rows: np.ndarray) -> np.ndarray | Ragged:
    """The given rows, ascending, of a column."""
    if not isinstance(column, Ragged):
        return column[rows]
    chosen = np.zeros(len(column.row_lengths), bool)
    chosen[rows] = True
    return Ragged(column.values[np.repeat(chosen, column.row_lengths)], column.row_lengths[rows])


def check_training_rows(
    declaration: Declaration,
    rows: np.ndarray,
    positives: Mapping[str, int],
    defined: Mapping[str, int],
) -> None:
    """Checks that there is something to learn from, and to test with.

    Args:
      declaration: what the files hold.
      rows: Number of rows of each split, in the order of `SPLIT_NAMES`.
      positives: training rows on which each task is positive.
      defined: training rows on which each task is defined.

    Raises:
      DatasetError: a split has no rows, or a task has the same label on all training rows.
    """
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
