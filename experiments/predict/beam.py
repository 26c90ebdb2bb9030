"""Scores rows in a pipeline of Apache Beam.

  rows | ScoreRows("runs/shop", keys=["user_id", "item_id"], declared_dir="logs")

takes rows as dicts of raw values and gives dicts of keys and named scores.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam
import polars as pl
from apache_beam.metrics import Metrics
from apache_beam.utils.shared import Shared

from data_prep.own_log.cells import cleaned
from data_prep.own_log.joined.tables import read_joins
from data_prep.own_log.parsing.chunks import Chunk
from data_prep.own_log.parsing.remote import raw_folder
from data_prep.own_log.scoring.declared import declaration_of, scored_rows
from data_prep.own_log.scoring.new_rows import EncodeNewRows
from data_prep.storage.bad_rows import BadRows
from dcrnn_tf.dataset.schema import SCHEMA_FILE, DatasetError
from experiments.predict import models, scores
from experiments.runs import run_folder

METRICS = "scores"
"""Namespace of the pipeline's counters: `rows`, `unknown_ids/FIELD`, `bad_rows/REASON`."""

Row = Mapping[str, object]


class ScoreRows(apache_beam.PTransform):
    """Scores rows with the model of a run, which each worker loads once.

    Rows that cannot be used are left out and counted. A row has the columns that the dataset's
    declaration reads of the log, histories as lists of ids; further ones are passed over.

    Args:
      run_dir: Folder of the run, which all workers can read.
      keys: Columns that the results have beside the scores.
      declared_dir: Folder of the files that the declaration joins.
      data_dir: Folder of the prepared dataset; that of the run by default.
      checkpoint: `best`, `last`, or the number of a step, as a text.
      batch_size: Largest number of rows that are scored at a time.
    """

    def __init__(
        self,
        run_dir: str,
        keys: Sequence[str],
        declared_dir: str = ".",
        data_dir: str | None = None,
        checkpoint: str = "best",
        batch_size: int = 4096,
    ):
        super().__init__()
        self._batch_size = batch_size
        step = run_folder.checkpoint_of(checkpoint)
        self._score = ScoreBatch(run_dir, tuple(keys), declared_dir, data_dir, step, batch_size)

    def expand(self, rows: apache_beam.PCollection) -> apache_beam.PCollection:
        """Returns the scored rows."""
        batches = rows | apache_beam.BatchElements(
            min_batch_size=min(64, self._batch_size), max_batch_size=self._batch_size
        )
        return batches | apache_beam.ParDo(self._score)


class ScoreBatch(apache_beam.DoFn):
    """Scores batches of rows; the arguments are those of `ScoreRows`."""

    def __init__(
        self,
        run_dir: str,
        keys: tuple[str, ...],
        declared_dir: str,
        data_dir: str | None,
        step: int | str,
        batch_size: int,
    ):
        self._run_dir, self._data_dir, self._step = run_dir, data_dir, step
        self._keys, self._log_dir, self._batch_size = keys, declared_dir, batch_size
        self._shared = Shared()

    def setup(self) -> None:
        """Loads the model, unless another thread of the worker has."""
        self._model = self._shared.acquire(
            lambda: models.of_run(self._run_dir, self._data_dir, self._step)
        )
        schema, folder = self._model.schema, self._model.folder
        declared = declaration_of(schema, folder / SCHEMA_FILE)
        fields = [field.name for field in schema.fields]
        rows = scored_rows(declared, fields, self._keys)
        declaration = rows.declaration
        joins = read_joins(
            declaration.joins, declaration, raw_folder(self._log_dir), BadRows(sys.maxsize)
        )
        scores.check_keys(self._model, self._keys)
        self._selection = rows.selection
        self._encode = EncodeNewRows(folder, schema, rows, joins.tables)

    def process(self, batch: Iterable[Row]) -> Iterator[dict[str, object]]:
        """Yields keys and scores of the rows of a batch that can be used."""
        batch = list(batch)
        frame = pl.DataFrame([self._column(name, batch) for name in self._selection.columns])
        frame = cleaned(frame, self._selection.options.missing_values)
        chunk = Chunk(frame, lambda row: f"row {row} of a batch (counted from 0)")
        encoded = self._encode(chunk, BadRows(sys.maxsize))
        Metrics.counter(METRICS, "rows").inc(encoded.keys.height)
        for name, counter in (("unknown", "unknown_ids"), ("bad_rows", "bad_rows")):
            for part, number in encoded.counts[name].items():
                Metrics.counter(METRICS, f"{counter}/{part}").inc(number)
        yield from scores.of_chunk(self._model, encoded, self._batch_size).iter_rows(named=True)

    def _column(self, name: str, batch: Sequence[Row]) -> pl.Series:
        if not any(name in row for row in batch):
            raise DatasetError(
                f"no row of a batch has {name!r} ({self._selection.columns[name]}); the rows have "
                f"{', '.join(batch[0])}"
            )
        return pl.Series(name, [row.get(name) for row in batch], strict=False)
