"""Initializers of weights that hold several layers side by side, or mix them."""

from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np

Initializer: TypeAlias = keras.initializers.Initializer


def blockwise(initializer: type[Initializer], blocks: int, axis: int) -> Callable:
    """Returns an initializer of every block of a weight on its own, with its own values and fans.

    One weight of several experts (or tasks, or directions) makes one product of their products.
    Initialised as a whole it would get the fan of the whole; a repeated initializer would give
    every block the same values.

    Args:
      initializer: Class of the initializer; every block gets a new one, hence a new seed.
      blocks: Number of blocks.
      axis: 0 for stacked blocks, `(blocks, ...)`; 1 for columns side by side, `(rows, blocks * n)`.
    """

    def initialise(shape, dtype=None):
        if axis == 0:
            return keras.ops.stack([initializer()(shape[1:], dtype) for _ in range(blocks)])
        block = (shape[0], shape[1] // blocks)
        return keras.ops.concatenate([initializer()(block, dtype) for _ in range(blocks)], axis=1)

    return initialise


def shares(own: float, chosen: np.ndarray) -> Callable:
    """Returns an initializer of rows of shares, one of which is `own` in each row.

    What is left to 1 is spread evenly over the others. A row of one share is 1. The last axis of a
    weight with three is filled with copies.

    Args:
      own: Share of the chosen column.
      chosen: Which column of each row has it, bool `(rows, columns)`, true once in each row.
    """
    others = chosen.shape[1] - 1
    values = np.where(chosen, own, (1 - own) / others) if others else np.ones(chosen.shape)

    def initialise(shape, dtype=None):
        spread = values[..., None] if len(shape) == 3 else values
        return keras.ops.cast(np.broadcast_to(spread, shape), dtype)

    return initialise
