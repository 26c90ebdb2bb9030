"""The registry of optimizers of embedding tables, and how optimizers are built by their names."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import keras
import tensorflow as tf

from dcrnn_tf.optimizers.fused_adam import FusedAdam

Rate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule | Callable[[], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Registration:
    """What is known of an optimizer of embedding tables beside its class.

    Attributes:
      compiles: Whether the optimizer takes `static_shapes`, a form that XLA compiles.
      state: Number of numbers that the optimizer keeps for each weight of a table.
      cls: Class of the optimizer; its constructor takes `learning_rate`, and `row_decay` if it
        decays the rows of a batch.
    """

    compiles: bool
    state: int
    cls: type[keras.optimizers.Optimizer]


_for_tables: dict[str, Registration] = {}


def register(name: str, compiles: bool = False, state: int = 0) -> Callable[[type], type]:
    """Registers the decorated class of an optimizer of embedding tables, here and for Keras' files.

    The optimizer must be right for gradients in which rows repeat.

    Args:
      name: Name by which programs and `build_for_tables` know the optimizer.
      compiles: As in `Registration`.
      state: As in `Registration`.

    Returns:
      The decorator of the class.

    Raises:
      ValueError: There already is an optimizer of this name.
    """
    if name in _for_tables:
        raise ValueError(f"there already is an optimizer called {name}; choose another name")

    def add(cls: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
        _for_tables[name] = Registration(compiles, state, cls)
        return keras.saving.register_keras_serializable(package="dcrnn_tf")(cls)

    return add


def names_for_tables() -> tuple[str, ...]:
    """Returns the names that `build_for_tables` knows, in alphabetical order.

    Example:
      >>> from dcrnn_tf import optimizers
      >>> optimizers.names_for_tables()
      ('adagrad', 'adam', 'adam_deferred', 'lazy_adam', 'sgd')
    """
    return tuple(sorted(_for_tables))


def numbers_per_weight(name: str) -> int:
    """Returns how many numbers training holds for each weight of a table: it, and its optimizer's.

    Args:
      name: One of `names_for_tables()`.

    Example:
      >>> from dcrnn_tf import optimizers
      >>> optimizers.numbers_per_weight("lazy_adam")  # the weight and two moments
      3
    """
    return 1 + _for_tables[name].state


def build_for_tables(
    name: str,
    learning_rate: Rate,
    static_shapes: bool = False,
    row_decay: float = 0.0,
) -> keras.optimizers.Optimizer:
    """Builds an optimizer of embedding tables, right for gradients in which rows repeat.

    - `lazy_adam` updates the rows of the batch alone, and differs from Adam for the others;
    - `adam_deferred` is Adam; a row that no batch reads makes up for its updates later;
    - `adam`, `adagrad` and `sgd` are Keras' own; all but `sgd` sweep the whole table each step.

    Args:
      name: One of `names_for_tables()`.
      learning_rate: Learning rate of the optimizer, a schedule of Keras, or a function that returns
        the rate of the current step.
      static_shapes: Whether XLA compiles the step; `lazy_adam` and `adam_deferred` alone have that
        form.
      row_decay: Weight decay of the rows of a batch, as in `TableOptimizer`.

    Raises:
      ValueError: There is no optimizer of that name, or it has no such form.

    Example:
      >>> from dcrnn_tf import optimizers
      >>> optimizers.build_for_tables("lazy_adam", learning_rate=0.01).name
      'lazy_adam'
    """
    if name not in _for_tables:
        known = ", ".join(names_for_tables())
        raise ValueError(f"embedding optimizer {name!r} is not one of {known}")
    optimizer = _for_tables[name]
    more = {"row_decay": row_decay} if row_decay else {}
    if not static_shapes:
        return optimizer.cls(learning_rate=learning_rate, **more)
    if not optimizer.compiles:
        raise ValueError(f"embedding optimizer {name!r} has no form that XLA compiles")
    return optimizer.cls(learning_rate=learning_rate, static_shapes=True, **more)


def build(
    name: str, learning_rate: Rate, weight_decay: float | None = None
) -> keras.optimizers.Optimizer:
    """Builds an optimizer of Keras by its name there, such as `adam`, `adamw` or `rmsprop`.

    `adam` is `FusedAdam`, the same in one operation.

    Args:
      name: Name of the optimizer.
      learning_rate: Learning rate of the optimizer, a schedule of Keras, or a function that returns
        the rate of the current step.
      weight_decay: Decoupled weight decay; None takes Keras' default of the optimizer.

    Raises:
      ValueError: There is no optimizer of that name.

    Example:
      >>> from dcrnn_tf import optimizers
      >>> type(optimizers.build("adam", learning_rate=0.01)).__name__
      'FusedAdam'
    """
    if name == "adam":
        return FusedAdam(learning_rate, weight_decay=weight_decay)
    config = {"learning_rate": learning_rate}
    config |= {} if weight_decay is None else {"weight_decay": weight_decay}
    try:
        return keras.optimizers.get({"class_name": name, "config": config})
    except (TypeError, ValueError):
        raise ValueError(f"optimizer {name!r} is not one of Keras'") from None
