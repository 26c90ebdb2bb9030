"""Vectors of ids, made by another model, as the values from which embedding rows start."""

import pathlib

import numpy as np
import polars as pl

from dcrnn_tf.dataset.encodings import FIRST_ID_ROW, INTEGER
from dcrnn_tf.dataset.field import Field
from dcrnn_tf.dataset.ids.hashing import hashed_rows
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.values import spelled_text
from dcrnn_tf.dataset.vocabulary import load_vocabulary
from dcrnn_tf.models.base import ModelError, MultiTaskModel

_ID, _VECTOR = "id", "vector"


def start_from(
    model: MultiTaskModel, dataset: PreparedDataset, field: str, path: str | pathlib.Path
) -> tuple[int, int]:
    """Makes the embedding rows of a field start from the vectors of a file.

    Rows of ids that the file does not hold stay as they are. Ids that the dataset does not know are
    passed over.

    Args:
      model: Model, before it is trained.
      dataset: Dataset that the model belongs to.
      field: Name of a field of ids.
      path: Parquet file with the columns `id` and `vector`, lists of as many numbers as the field's
        embedding rows have: its width, or `embedding_dim`.

    Returns:
      The number of rows that start from a vector, and that of all ids of the field.

    Raises:
      ModelError: The field has no ids, the file cannot be used, or it holds none of the ids.
    """
    described = {f.name: f for f in dataset.schema.fields if f.has_ids}.get(field)
    if described is None:
        raise ModelError(f"start_vectors: the dataset has no field of ids {field!r}")
    width = described.width or model.embedding_dim
    columns = model.vector_columns
    if width != model.embedding_dim:
        columns = tuple(part * width for part in range(model.embedding_parts))
    if not columns:
        raise ModelError(f"start_vectors: model {model.name} has no embeddings of embedding_dim")
    ids, vectors = _read(pathlib.Path(path), width, described)
    hashed = getattr(described.encoding, "hashed", None)
    if hashed is not None:
        rows = hashed_rows(_spelled(ids), hashed)
    else:
        vocabulary = load_vocabulary(dataset.folder, described)
        if getattr(described.encoding, "values", "") == INTEGER:
            ids = ids.cast(pl.Int64, strict=False)
        else:
            ids = _spelled(ids)
        rows = vocabulary.encode(ids)
    known = rows >= FIRST_ID_ROW
    count = described.vocabulary_size - FIRST_ID_ROW
    if not known.any():
        raise ModelError(f"{path} holds none of the {count:,} ids of field {field}; check its ids")
    rows, first = np.unique(rows[known], return_index=True)
    model.build()
    model.embedding.assign_rows(field, rows, columns, vectors[known][first])
    return len(rows), count


def _read(path: pathlib.Path, width: int, field: Field) -> tuple[pl.Series, np.ndarray]:
    """Returns the ids, as text, and the vectors of a file."""
    try:
        table = pl.read_parquet(path, columns=[_ID, _VECTOR])
        vectors = table[_VECTOR].cast(pl.List(pl.Float32))
        ids = table[_ID].cast(pl.String)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"start_vectors: {path} is no Parquet file with the columns id and vector ({reason})"
        ) from None
    lengths = vectors.list.len().fill_null(0)
    if len(wrong := lengths.filter(lengths != width)):
        there = f"the model has embedding_dim {width}; use --set=embedding_dim={wrong[0]}"
        if field.width is not None:
            there = f"field {field.name} has the width {width}; declare width: {wrong[0]}"
        raise ModelError(f"{path} holds a vector of {wrong[0]} numbers, {there} or other vectors")
    numbers = vectors.explode().to_numpy().reshape(-1, width)
    if not np.isfinite(numbers).all() or ids.null_count():
        raise ModelError(f"{path} holds an id or a number that is missing or not finite")
    return ids, numbers


def _spelled(ids: pl.Series) -> pl.Series:
    return pl.Series([spelled_text(text.strip()) for text in ids], dtype=pl.String)
