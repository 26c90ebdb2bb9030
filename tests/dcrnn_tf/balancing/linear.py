"""Two tasks whose losses are linear, so that their gradients are known: worked out below."""

import keras
import numpy as np
import tensorflow as tf

TASKS = ("click", "conversion")
IDS = [0, 2, 0]  # row 0 is read twice
SLOPES = {
    # of the shared vector, of the three rows read, of the task's own number
    "click": ([1.0, 0.0], [[1.0, 0.0], [0.0, 0.0], [-1.0, 2.0]], 5.0),
    "conversion": ([-1.0, 1.0], [[0.0, -1.0], [1.0, 1.0], [0.0, 0.0]], 7.0),
}
# Shared gradients, the vector and then table rows 0 and 2 (rows 1 and 3 are not read):
#   click       1  0 |  0  2 | 0 0    ||.||^2 = 5
#   conversion -1  1 |  0 -1 | 1 1    ||.||^2 = 5,   click . conversion = -3
TABLE_ROWS = {"click": {0: [0.0, 2.0], 2: [0.0, 0.0]}, "conversion": {0: [0, -1.0], 2: [1.0, 1.0]}}


class Linear:
    """The weights of the problem, and a step on them."""

    def __init__(self):
        self.vector = keras.Variable(np.ones(2, "float32"), name="vector")
        self.table = keras.Variable(np.ones((4, 2), "float32"), name="table")
        self.own = [keras.Variable(np.float32(1), name=f"own_{task}") for task in TASKS]
        self.variables = [self.vector, self.table, *self.own]

    def losses(self) -> dict[str, tf.Tensor]:
        """With all weights 1, click's is 8 and conversion's 8."""
        read = tf.gather(self.table.value, IDS)
        return {
            task: tf.reduce_sum(self.vector.value * slope)
            + tf.reduce_sum(read * rows)
            + own.value * factor
            for own, (task, (slope, rows, factor)) in zip(self.own, SLOPES.items(), strict=True)
        }

    def step(self, balancing, scale=(1.0, 1.0), penalised: bool = False) -> tuple:
        """The loss and the gradients (of the table as a dense array) of one step.

        Args:
          balancing: the way.
          scale: factors on the losses.
          penalised: whether the model adds half the square of its vector to the loss.
        """
        with tf.GradientTape(persistent=balancing.per_task) as tape:
            losses = {
                t: s * loss for s, (t, loss) in zip(scale, self.losses().items(), strict=True)
            }
            penalties = [tf.reduce_sum(tf.square(self.vector.value)) / 2] if penalised else []
            total = balancing.total(losses, penalties)
        variables = self.variables + balancing.trainable_variables
        gradients = balancing.gradients(tape, total, losses, penalties, variables)
        assert isinstance(gradients[1], tf.IndexedSlices)
        return float(total), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def expected(click: float, conversion: float, own=(1.0, 1.0)) -> list[np.ndarray]:
    """Gradients of the vector, the table and the own numbers, under weights of the tasks."""
    weights = {"click": click, "conversion": conversion}
    table = np.zeros((4, 2))
    for task, weight in weights.items():
        for row, gradient in TABLE_ROWS[task].items():
            table[row] += weight * np.array(gradient)
    vector = sum(weight * np.array(SLOPES[task][0]) for task, weight in weights.items())
    return [vector, table, 5.0 * own[0], 7.0 * own[1]]


def assert_close(found, wanted) -> None:
    """Compares lists of arrays."""
    for mine, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)
