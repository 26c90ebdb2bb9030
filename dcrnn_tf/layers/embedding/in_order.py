"""Embeddings that were computed kind by kind, joined in the order of the fields."""

import itertools
from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.dataset.schema import Field


def in_order(
    fields: Sequence[Field], parts: Sequence[tuple[Sequence[Field], tf.Tensor]]
) -> tf.Tensor:
    """Joins embeddings `(rows, some fields, dim)` in the order of `fields`."""
    owner = {field.name: number for number, (own, _) in enumerate(parts) for field in own}
    runs = [
        (number, len(list(run)))
        for number, run in itertools.groupby(owner[field.name] for field in fields)
    ]
    pieces = []
    for number, (_, embedded) in enumerate(parts):
        lengths = [length for owned, length in runs if owned == number]
        pieces.append(iter(tf.split(embedded, lengths, axis=1)))
    ordered = [next(pieces[number]) for number, _ in runs]
    return ordered[0] if len(ordered) == 1 else tf.concat(ordered, axis=1)
