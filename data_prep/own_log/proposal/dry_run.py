"""Reads the first rows of each file, prepares them in memory and says what becomes of them."""

import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np
import polars as pl

from data_prep.own_log.declaration import SPLIT_NAMES, Declaration
from data_prep.own_log.history.histories import open_histories
from data_prep.own_log.learning.classes import coded
from data_prep.own_log.parsing.remote import raw_folder
from data_prep.own_log.preparation import learn
from data_prep.own_log.row_counts import check_rows, never_met
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.storage.writer import Ragged
from dcrnn_tf.dataset.schema import DatasetError

SHOWN_ROWS = 3
_WIDTH = 40  # characters of a raw cell


def dry_run(
    declaration: Declaration,
    data_dir: str | pathlib.Path,
    first_rows: int,
    seed: int = 0,
    max_bad_rows: int = 0,
) -> str:
    """Returns what a preparation of the first rows of each file would say and write.

    Args:
      declaration: Declaration of the log.
      data_dir: folder that the declaration's file patterns are relative to.
      first_rows: Number of rows of each file that are read.
      seed: Seed of the split.
      max_bad_rows: Number of bad rows that are left out and counted; one more is an error.

    Raises:
      DatasetError: Something is wrong with a file or a row.
    """
    log = LogRows(declaration, raw_folder(data_dir), seed, max_bad_rows, first_rows)
    files = f"{len(log.files):,} {'file' if len(log.files) == 1 else 'files'}"
    lines = [f"{declaration.name}: the first {first_rows:,} rows of each of {files}"]
    with (
        tempfile.TemporaryDirectory() as folder,
        open_histories(declaration, log, pathlib.Path(folder, "out")) as histories,
    ):
        learners, counts = learn(declaration, log, histories, seed, lambda done: None)
        for name, rows in zip(SPLIT_NAMES, counts.rows.tolist(), strict=True):
            if rows:
                lines.append(f"  {name}: {rows:,} rows")
        bad = ", ".join(f"{reason} {count:,}" for reason, count in log.bad_rows.counts.items())
        lines.append(f"  columns not used: {', '.join(log.ignored_columns) or 'none'}")
        lines.append(f"  bad rows left out: {bad or 'none'}")
        for part, values in never_met(declaration, counts).items():
            lines += [f"  note: {part}: no row has {v!r}; {held}" for v, held in values.items()]
        try:
            check_rows(declaration, counts)
        except DatasetError as error:
            return "\n".join([*lines, f"  note: {error}"])
        encoders = [histories.encoder(*learner.finish()) for learner in learners]
        frame, splits, labels = next(log.read(lambda done: None))
        for encoder in encoders:
            field = encoder.field
            if field.entity is not None:
                lines.append(f"  field {field.name} ({field.kind}): in entity table {field.entity}")
                continue
            rows = f", {field.vocabulary_size:,} embedding rows" if encoder.vocabulary else ""
            shown = _shown(frame, field.raw_name, encoder(frame))
            lines.append(f"  field {field.name} ({field.kind}{rows}): {', '.join(shown)}")
        labels = coded(labels, counts.tasks())
        for task in declaration.tasks:
            shown = _shown(frame, task.column, labels[task.name])
            lines.append(f"  task {task.name}: {', '.join(shown)}")
        names = ((*SPLIT_NAMES, "none")[split] for split in splits[:SHOWN_ROWS])
        lines.append(f"  split of these rows: {', '.join(names)}")
    return "\n".join(lines)


def _shown(frame: pl.DataFrame, column: str, encoded: np.ndarray | Ragged) -> Iterator[str]:
    """Yields what becomes of the first rows' cells."""
    for row in range(min(SHOWN_ROWS, frame.height)):
        if isinstance(encoded, Ragged):
            begin = int(encoded.row_lengths[:row].sum())
            text = str(encoded.values[begin : begin + int(encoded.row_lengths[row])].tolist())
        else:
            value = encoded[row]
            text = f"{value:.4g}" if isinstance(value, np.floating) else str(value)
        raw = repr(frame[column][row]) if column in frame.columns else "its history"
        raw = raw if len(raw) <= _WIDTH else raw[: _WIDTH - 3] + "..."
        yield f"{raw} -> {text}"
