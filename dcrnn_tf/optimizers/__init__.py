"""Optimizers by name."""

import keras

from dcrnn_tf.optimizers.deferred_adam import DeferredAdam
from dcrnn_tf.optimizers.fused_adam import FusedAdam
from dcrnn_tf.optimizers.lazy_adam import LazyAdam
from dcrnn_tf.optimizers.merging import SGD, Adagrad, Adam, merge_repeated_rows

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "DeferredAdam",
    "FusedAdam",
    "LazyAdam",
    "build",
    "build_for_tables",
    "merge_repeated_rows",
    "names_for_tables",
]

_FOR_TABLES = {
    "lazy_adam": LazyAdam,
    "adam_deferred": DeferredAdam,
    "adam": Adam,
    "adagrad": Adagrad,
    "sgd": SGD,
}


def names_for_tables() -> tuple[str, ...]:
    """Names that `build_for_tables` knows."""
    return tuple(_FOR_TABLES)


def build_for_tables(
    name: str, learning_rate: float, static_shapes: bool = False
) -> keras.optimizers.Optimizer:
    """An optimizer for embedding tables, right for gradients in which ids repeat.

    - `lazy_adam` updates the rows of the batch alone, and differs from Adam for the others;
    - `adam_deferred` is Adam, its updates of rows that no batch reads made up for later;
    - `adam`, `adagrad` and `sgd` are Keras' own; all but `sgd` sweep the whole table each step.

    Args:
      name: one of them.
      learning_rate: its learning rate.
      static_shapes: for XLA; `lazy_adam` and `adam_deferred` alone have that form.

    Raises:
      ValueError: there is none of that name, or it has no such form.
    """
    if name not in _FOR_TABLES:
        raise ValueError(f"embedding optimizer {name!r} is not one of {', '.join(_FOR_TABLES)}")
    optimizer = _FOR_TABLES[name]
    if not static_shapes:
        return optimizer(learning_rate=learning_rate)
    if not issubclass(optimizer, LazyAdam):
        raise ValueError(f"embedding optimizer {name!r} has no form that XLA compiles")
    return optimizer(learning_rate=learning_rate, static_shapes=True)


def build(name: str, learning_rate: float) -> keras.optimizers.Optimizer:
    """An optimizer of Keras by its name there, such as `adam`, `adamw` or `rmsprop`.

    `adam` is `FusedAdam`, the same in one operation.

    Raises:
      ValueError: there is none of that name.
    """
    if name == "adam":
        return FusedAdam(learning_rate)
    try:
        return keras.optimizers.get(
            {"class_name": name, "config": {"learning_rate": learning_rate}}
        )
    except (TypeError, ValueError):
        raise ValueError(f"optimizer {name!r} is not one of Keras'") from None
