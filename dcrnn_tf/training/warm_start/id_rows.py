"""The rows of ids in the embedding tables of an earlier run and of this one."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
from dcrnn_tf.dataset.schema import Field
from dcrnn_tf.layers.embedding.field_embedding import FieldEmbedding
from dcrnn_tf.training.warm_start.earlier import Earlier

Tables = Mapping[str, FieldEmbedding]
"""The layers that hold tables, by name of the table."""


def rows_of_tables(
    earlier: Earlier,
    fields: Sequence[Field],
    ids: Mapping[str, np.ndarray],
    tables: tuple[Tables, Tables],
) -> tuple[dict[str, np.ndarray], dict[str, tuple[int, int, int]]]:
    """Returns rows of each earlier table and of this one, `(2, rows)`, and counts of ids.

    Args:
      earlier: The checkpoint, with the fields and ids of its dataset.
      fields: Fields of the model.
      ids: Ids by field of its dataset, of those that have a vocabulary.
      tables: The tables of the earlier model and of this one.

    Raises:
      WarmStartError: A field had another width.
    """
    owners = [{f.owner: f for f in side} for side in (earlier.fields, fields)]
    pairs = {table: [np.zeros((2, 0), np.int64)] for table in tables[1]}
    counts = {}
    for owner, field in owners[1].items():
        before = owners[0].get(owner)
        if not field.has_ids or before is None or not before.has_ids:
            continue
        if before.width != field.width:
            why = f"field {owner} has width {before.width} there, {field.width} here"
            raise earlier.of_another_architecture(why)
        (table,) = (n for n, layer in tables[1].items() if field.name in layer.offsets)
        first, second = (side[table].offsets for side in tables)
        found = _earlier_rows(before, field, earlier.ids, ids)
        kept = np.flatnonzero(found >= 0)
        pairs[table].append(np.stack([found[kept] + first[before.name], kept + second[field.name]]))
        carried = int(np.count_nonzero(kept >= FIRST_ID_ROW))
        new, dropped = (
            size - FIRST_ID_ROW - carried
            for size in (field.vocabulary_size, before.vocabulary_size)
        )
        counts[owner] = (carried, new, dropped)
    return {table: np.concatenate(own, axis=1) for table, own in pairs.items()}, counts


def _earlier_rows(
    before: Field,
    now: Field,
    ids_before: Mapping[str, np.ndarray],
    ids_now: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Returns the earlier row of each row of a field; -1 of ids that the earlier run lacks."""
    if not (before.has_vocabulary and now.has_vocabulary):
        hashed = not before.has_vocabulary and not now.has_vocabulary
        alike = hashed and before.vocabulary_size == now.vocabulary_size
        rows = np.arange(now.vocabulary_size)
        return rows if alike else np.where(rows < FIRST_ID_ROW, rows, -1)
    ids = [pl.Series(side) for side in (ids_before[before.name], ids_now[now.name])]
    known = pl.DataFrame({"id": ids[0], "row": np.arange(len(ids[0])) + FIRST_ID_ROW})
    if known["id"].dtype != ids[1].dtype:
        known = known.clear().with_columns(id=pl.Series([], dtype=ids[1].dtype))
    found = pl.DataFrame({"id": ids[1]}).join(known, "id", "left", maintain_order="left")
    rows = found["row"].fill_null(-1).to_numpy()
    return np.concatenate([np.arange(FIRST_ID_ROW), rows])
