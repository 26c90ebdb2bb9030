"""How much of a graph, whose file is bounded, vocabularies take."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from dcrnn_tf.dataset.encodings import Encoding
from dcrnn_tf.dataset.schema import DatasetError, Schema

GRAPH_BYTES = 2**31 - 2**26  # protocol buffers end at 2 GiB; the operations take a few MiB


def graph_bytes(encoding: Encoding, ids: np.ndarray) -> int:
    """Returns how much of a graph's file a field's raw ids and their rows take.

    Args:
      encoding: Encoding of the field.
      ids: Raw ids, integers or texts.
    """
    if encoding.reads_numbers:
        return 3 * 12 * len(ids)  # each of three signatures has them, float64 with int32
    if ids.dtype != object:
        return 12 * len(ids)
    texts = pl.Series(ids, dtype=pl.String).str.len_bytes().sum()  # with two more bytes each
    return int(texts) + 6 * len(ids)


def check_size(schema: Schema, vocabularies: Mapping[str, np.ndarray]) -> None:
    """Refuses vocabularies that are too large for a graph.

    Args:
      schema: Schema of the dataset.
      vocabularies: Raw ids of the fields that have a vocabulary.

    Raises:
      DatasetError: They are.
    """
    sizes = {
        field.name: graph_bytes(field.encoding, vocabularies[field.name])
        for field in {field.owner: field for field in reversed(schema.fields)}.values()
        if field.encoding is not None and field.name in vocabularies
    }
    if (size := sum(sizes.values())) > GRAPH_BYTES:
        largest = max(sizes, key=sizes.__getitem__)
        raise DatasetError(
            f"the vocabularies take {size / 2**30:.1f} GiB of a served model's graph, which holds "
            f"{GRAPH_BYTES / 2**30:.1f} GiB at most; prepare the dataset with a larger min_count, "
            f"above all of field {largest} with {len(vocabularies[largest]):,} ids"
        )
