"""The scores of many rows on their way to one file, of which a kill loses a few seconds' work."""

import collections
import json
import pathlib
from collections.abc import Mapping

import polars as pl
import pyarrow as pa
import pyarrow.parquet

from data_prep.own_log.cells import text_of
from data_prep.own_log.scoring.new_rows import Position
from data_prep.storage.work_folder import WorkFolder
from dcrnn_tf.system.whole_file import whole_file

PART_ROWS = 1 << 19  # that are in memory before they are written
_STATE = b"dcrnn_tf"  # key of a part's metadata


class ScoreParts:
    """Writes scores part by part, and joins the parts to one Parquet file at the end.

    A part says how far it goes and what was counted on the way, so that the same task can go on
    behind the last one.

    Args:
      out: Path of the file; the parts lie in `OUT.work`.
      task: What is scored and how, as JSON.
      empty: Keys and scores of no rows, keys of the type `pl.Null`.

    Attributes:
      position: How far the parts go.
      counts: What was counted on the way, by what is counted and by name.

    Raises:
      FolderInUseError: Another process writes the same file.
    """

    def __init__(self, out: pathlib.Path, task: Mapping, empty: pl.DataFrame):
        self._out = out
        self._empty = empty
        self._work = WorkFolder(out.with_name(out.name + ".work"), task, "scoring")
        self.position = Position()
        self.counts: dict[str, collections.Counter] = {}
        self._written = sorted(self._work.path.glob("part-*.parquet"))
        for part in self._written:
            state = json.loads(pa.parquet.read_schema(part).metadata[_STATE])
            self.position = Position(*state["position"])
            self._count(state["counts"])
        self._waiting: list[pl.DataFrame] = []
        self._waiting_counts: dict[str, collections.Counter] = {}

    def add(self, scores: pl.DataFrame | None, position: Position, counts: Mapping) -> None:
        """Adds rows.

        Args:
          scores: Keys and scores of the rows; None for no rows.
          position: The position behind them.
          counts: What was counted among them.
        """
        if scores is not None:
            if self._waiting and self._waiting[0].schema != scores.schema:
                self._write()  # the files' columns are of other types from here on
            self._waiting.append(scores)
        self.position = position
        for name, numbers in counts.items():
            self._waiting_counts.setdefault(name, collections.Counter()).update(numbers)
        if sum(frame.height for frame in self._waiting) >= PART_ROWS:
            self._write()

    def complete(self) -> None:
        """Writes the last part; `counts` are those of all rows from here on."""
        self._write()

    def join(self) -> None:
        """Writes the file, and removes the parts before it appears.

        Nobody would remove them after a kill in between, since what is there is not written again.
        """
        schemas = [pl.read_parquet_schema(part) for part in self._written]
        types = {name: {schema[name] for schema in schemas} for name in self._empty.columns}
        common = {name: _common(of_parts) for name, of_parts in types.items()}
        empty = self._empty.select(pl.col(name).cast(dtype) for name, dtype in common.items())
        schema = empty.to_arrow().schema
        with (
            whole_file(self._out, "wb") as file,
            pa.parquet.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            for part in self._written:
                frame = pl.read_parquet(part)
                columns = [_as(frame[name], dtype) for name, dtype in common.items()]
                writer.write_table(pl.DataFrame(columns).to_arrow())
            writer.close()
            file.flush()
            self._work.remove()

    def release(self) -> None:
        """Leaves the parts to a later attempt."""
        self._work.release()

    def _write(self) -> None:
        if not self._waiting and not self._waiting_counts:
            return
        frame = pl.concat(self._waiting or [self._empty])
        state = {
            "position": [self.position.files, self.position.chunks],
            "counts": self._waiting_counts,
        }
        table = frame.to_arrow().replace_schema_metadata({_STATE: json.dumps(state).encode()})
        part = self._work.path / f"part-{len(self._written):09}.parquet"
        with whole_file(part, "wb") as file:
            pa.parquet.write_table(table, file, compression="zstd")
        self._written.append(part)
        self._count(self._waiting_counts)
        self._waiting, self._waiting_counts = [], {}

    def _count(self, counts: Mapping[str, Mapping]) -> None:
        for name, numbers in counts.items():
            self.counts.setdefault(name, collections.Counter()).update(numbers)


def _common(types: set[pl.DataType]) -> pl.DataType:
    """The type of a column that files have as several types: text."""
    known = types - {pl.Null}
    return known.pop() if len(known) == 1 else pl.String()


def _as(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    return text_of(column) if dtype == pl.String else column.cast(dtype)
