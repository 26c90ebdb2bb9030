"""Initialisation of weights that hold several layers side by side, or mix them."""

from collections.abc import Callable

import keras
import numpy as np

Initializer = keras.initializers.Initializer


def blockwise(initializer: type[Initializer], blocks: int, axis: int) -> Callable:
    """Initialises every block of a weight on its own, with values and fans of its own.

    One weight of several experts (or tasks, or directions) makes one product of their products.
    Initialised as a whole it would get the fan of the whole; a repeated initialiser would give
    every block the same values.

    Args:
      initializer: class of the initialiser; every block gets a new one, hence a new seed.
      blocks: number of blocks.
      axis: 0 for stacked blocks, `(blocks, ...)`; 1 for columns side by side, `(rows, blocks * n)`.
    """

    def initialise(shape, dtype=None):
        if axis == 0:
            return keras.ops.stack([initializer()(shape[1:], dtype) for _ in range(blocks)])
        block = (shape[0], shape[1] // blocks)
        return keras.ops.concatenate([initializer()(block, dtype) for _ in range(blocks)], axis=1)

    return initialise


def shares(own: float, places: np.ndarray) -> Callable:
    """Initialises rows of shares: `own` in one place of each, what is left to 1 even elsewhere.

    A row of one share is 1. The last axis of a weight with three is filled with copies.

    Args:
      own: the share in the place.
      places: `(rows, columns)`, true in one place of each row.
    """
    others = places.shape[1] - 1
    values = np.where(places, own, (1 - own) / others) if others else np.ones(places.shape)

    def initialise(shape, dtype=None):
        spread = values[..., None] if len(shape) == 3 else values
        return keras.ops.cast(np.broadcast_to(spread, shape), dtype)

    return initialise
