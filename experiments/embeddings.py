r"""Writes the vectors of a trained model: those of a field's ids, or of rows of some fields.

Examples:
  python -m experiments.embeddings --run_dir=runs/shop --fields=item_id --out=items.parquet
  python -m experiments.embeddings --run_dir=runs/shop --fields=user_id,age,city \
      --files=users.csv --keys=user_id --out=users.npz

Without --files there is a vector for each id of the one field's vocabulary, else one for each row
of raw files: the embeddings of the fields end to end. docs/scores.md says more.
"""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting

if TYPE_CHECKING:  # as all that takes long to import
    from collections.abc import Iterator, Mapping

    import numpy as np
    import polars as pl

    from experiments.runs.trained_runs import TrainedRun

FORMS = (".parquet", ".npz")
ROWS = 1 << 16  # that are embedded at a time


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which vectors of which model are written."""

    run_dir: str = required("Folder of a run of experiments.train.")
    fields: tuple[str, ...] = required(
        "Fields whose embeddings are written; one field of ids, unless --files is given."
    )
    out: str = required("Parquet or NumPy file to write (.parquet or .npz); must not exist.")
    files: tuple[str, ...] = setting(
        (), "Raw files, or patterns, with a row for each vector, relative to --raw_dir."
    )
    raw_dir: str = setting(".", "Folder that --files and joined files are relative to.")
    keys: tuple[str, ...] | None = setting(
        None, "Columns of --files to write beside the vectors; by default those of single ids."
    )
    data_dir: str | None = setting(None, "Prepared dataset; that of the run by default.")
    checkpoint: str = setting(
        "best", "best, last, or the number of a step, as in experiments.export."
    )

    def check(self) -> None:
        """Checks that the vectors can be written.

        Raises:
          UsageError: The file is there already or has no folder, or is to be of another form.
        """
        out = pathlib.Path(self.out)
        if out.suffix not in FORMS:
            raise command_line.UsageError(f"--out={out} must end in .parquet or .npz")
        if out.exists():
            raise command_line.UsageError(f"--out={out} exists already; remove it or name another")
        if not out.absolute().parent.is_dir():
            raise command_line.UsageError(f"--out={out}: its folder does not exist")


def main(settings: Settings) -> None:
    """Runs the program."""
    settings.check()
    from experiments.runs import run_folder, trained_runs

    step = run_folder.checkpoint_of(settings.checkpoint)
    command_line.use_threads(0)
    # In float32, whatever type training computed in: vectors are as they were learned.
    run = trained_runs.load_chosen(settings.run_dir, settings.data_dir, step, "none")
    run.dataset.schema.select_fields(settings.fields)
    parts = _of_rows(run, settings) if settings.files else _of_ids(run, settings.fields)
    write = _write_parquet if settings.out.endswith(".parquet") else _write_numpy
    rows, width = write(parts, pathlib.Path(settings.out))
    print(f"{rows:,} vectors of {width:,} numbers written to {settings.out}.")


def _of_ids(
    run: "TrainedRun", fields: tuple[str, ...]
) -> "Iterator[tuple[pl.DataFrame, np.ndarray]]":
    """Yields the ids of a field's vocabulary with their numbers of training rows, and vectors."""
    import numpy as np
    import polars as pl

    from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
    from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL
    from dcrnn_tf.dataset.vocabulary import load_vocabularies

    if len(fields) != 1:
        raise command_line.UsageError(
            f"--fields names {len(fields)} fields, which takes --files with their raw values"
        )
    (field,) = (f for f in run.dataset.schema.fields if f.name == fields[0])
    if not field.has_vocabulary:
        what = "hashed ids" if field.has_ids else "numbers"
        raise command_line.UsageError(
            f"--fields={field.name}: the field is one of {what}, of which no list exists; give "
            "files of its raw values by --files"
        )
    vocabulary = load_vocabularies(run.dataset.folder, [field])[field.name]
    for first in range(0, len(vocabulary.ids), ROWS):
        ids = vocabulary.ids[first : first + ROWS]
        rows = np.arange(first, first + len(ids), dtype=np.int32) + FIRST_ID_ROW
        features = {field.name: rows[:, None] if field.kind == MULTI_CATEGORICAL else rows}
        if field.weighted:
            features[field.weight_name] = np.ones((len(ids), 1), np.float32)
        counts = vocabulary.counts[first : first + ROWS]
        column = pl.Series("id", ids, pl.String if ids.dtype.kind in "OU" else None)
        yield pl.DataFrame([column, pl.Series("count", counts)]), _vectors(run, features, fields)


def _of_rows(run: "TrainedRun", settings: Settings) -> "Iterator[tuple[pl.DataFrame, np.ndarray]]":
    """Yields the keys and the vectors of the rows of files."""
    from data_prep.own_log.parsing.remote import raw_folder
    from data_prep.own_log.scoring.new_rows import NewRows

    raw_dir = raw_folder(settings.raw_dir)
    schema = run.dataset.schema.select_fields(settings.fields)
    rows = NewRows(
        run.dataset.folder, schema, settings.files, raw_dir, raw_dir, settings.keys, max_bad_rows=0
    )
    for _, chunk in rows.read(lambda done: None):
        if chunk.features:
            yield chunk.keys, _vectors(run, chunk.features, settings.fields)


def _vectors(
    run: "TrainedRun", features: "Mapping[str, np.ndarray]", fields: tuple[str, ...]
) -> "np.ndarray":
    """The embeddings of rows, float32 `(rows, fields * width)`, in the order of the fields."""
    import tensorflow as tf

    names = [field.name for field in run.dataset.schema.fields if field.name in fields]
    tensors = {name: tf.constant(column) for name, column in features.items()}
    embedded = run.model.embedding(tensors, fields=names).numpy()
    embedded = embedded[:, [names.index(name) for name in fields]]
    return embedded.reshape(len(embedded), -1)


def _write_parquet(
    parts: "Iterator[tuple[pl.DataFrame, np.ndarray]]", path: pathlib.Path
) -> tuple[int, int]:
    import polars as pl
    import pyarrow.parquet

    from dcrnn_tf.system.whole_file import whole_file

    rows = width = 0
    writer = None
    with whole_file(path, "wb") as file:
        for keys, vectors in parts:
            lists = pl.Series("vector", vectors, pl.Array(pl.Float32, vectors.shape[1]))
            table = keys.with_columns(lists.cast(pl.List(pl.Float32))).to_arrow()
            writer = writer or pyarrow.parquet.ParquetWriter(file, table.schema)
            writer.write_table(table.cast(writer.schema))
            rows, width = rows + len(vectors), vectors.shape[1]
        if writer is not None:
            writer.close()
    return rows, width


def _write_numpy(
    parts: "Iterator[tuple[pl.DataFrame, np.ndarray]]", path: pathlib.Path
) -> tuple[int, int]:
    import numpy as np
    import polars as pl

    from dcrnn_tf.system.whole_file import whole_file

    keys, vectors = zip(*parts, strict=True)
    columns = pl.concat(keys)
    whole = np.concatenate(vectors)
    arrays = {name: columns[name].to_numpy() for name in columns.columns}
    texts = {name: a.astype(str) if a.dtype == object else a for name, a in arrays.items()}
    with whole_file(path, "wb") as file:
        np.savez(file, vector=whole, **texts)
    return whole.shape


if __name__ == "__main__":
    command_line.run(main, Settings)
