"""Initialisation of weights that hold several layers of the same shape side by side."""

from collections.abc import Callable

import keras

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
