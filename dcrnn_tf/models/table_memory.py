"""Refuses embedding tables that the machine's memory cannot hold."""

from dcrnn_tf.layers import FieldEmbedding
from dcrnn_tf.models.base import ModelError
from dcrnn_tf.system import memory

_BYTES = 4  # of a float32
_NAMED_SHARE = 0.1  # of the table, that a field in the message has at least


def check(embedding: FieldEmbedding, numbers_per_weight: int = 1) -> None:
    """Refuses a table that needs more memory than there is.

    A table whose devices are named passes: they may be those of other machines.

    Args:
      embedding: Layer that holds the table.
      numbers_per_weight: Number of float32 numbers that are kept for each weight, those of its
        optimizer included.

    Raises:
      ModelError: The table is larger than the memory.
    """
    weight_bytes = _BYTES * numbers_per_weight
    needed, there = embedding.table_size * weight_bytes, memory.available()
    if needed <= there or embedding.table_devices:
        return
    sizes = {field.owner: embedding.size_of(field) for field in embedding.fields}
    largest = sorted(sizes, key=lambda name: -sizes[name])
    named = [name for name in largest if _NAMED_SHARE * embedding.table_size <= sizes[name]]
    names = ", ".join(f"{name} ({memory.in_gib(sizes[name] * weight_bytes)})" for name in named)
    state = " with its optimizer's state" if numbers_per_weight > 1 else ""
    raise ModelError(
        f"the embedding table takes at least {memory.in_gib(needed)} of memory{state}, and this "
        f"machine has {memory.in_gib(there)}; its largest fields are {names}; prepare the dataset "
        "with a larger min_count, leave fields out, or choose a smaller embedding_dim"
    )
