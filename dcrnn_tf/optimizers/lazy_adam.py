"""Adam for embedding tables that touches only the rows of a batch."""

import keras
import tensorflow as tf

from dcrnn_tf.kernels import operations
from dcrnn_tf.optimizers.merging import merge_repeated_rows, write_rows
from dcrnn_tf.optimizers.registry import register
from dcrnn_tf.optimizers.table_optimizer import TableOptimizer


@register("lazy_adam", compiles=True, state=2)
class LazyAdam(TableOptimizer):
    """Adam whose cost does not depend on the size of an embedding table.

    For a `tf.IndexedSlices` gradient the gradients of repeated rows are summed first, and then only
    the rows of the batch, and their moments, are read and written:

        m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
        w = w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)

    with t the number of all steps so far. A row that is in every batch gets exactly what Adam
    gives it. A row that is absent from a batch keeps its weights and moments, whereas Adam decays
    its moments and moves it on along the old ones. A dense gradient gets plain Adam.

    Args:
      learning_rate: Learning rate, lr, or a schedule of Keras.
      beta_1: Decay of the first moment, b1.
      beta_2: Decay of the second moment, b2.
      epsilon: Number added to the root of the second moment.
      static_shapes: Whether repeated rows are merged in a form that XLA compiles.
      name: Name of the optimizer.
      **kwargs: Further arguments of `TableOptimizer` and Keras' optimizers; with `weight_decay` a
        step reads the whole table, with `row_decay` the rows of the batch.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import optimizers
      >>> table = tf.Variable(tf.zeros((3, 2)))
      >>> slices = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([1]), tf.constant([3, 2]))
      >>> optimizers.LazyAdam(0.1).apply([slices], [table])
      >>> table.numpy().round(3)
      array([[ 0. ,  0. ], [-0.1, -0.1], [ 0. ,  0. ]], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        static_shapes: bool = False,
        name: str = "lazy_adam",
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.static_shapes = static_shapes

    def build(self, variables: list) -> None:
        """Creates the two moments of each variable."""
        if self.built:
            return
        super().build(variables)
        self._momentums = [
            self.add_variable_from_reference(variable, "momentum") for variable in variables
        ]
        self._velocities = [
            self.add_variable_from_reference(variable, "velocity") for variable in variables
        ]

    def update_step(self, gradient, variable, learning_rate) -> None:
        """Makes one step for one variable."""
        self.decay_rows(gradient, variable, learning_rate)
        position = self._get_variable_index(variable)
        weight = variable.value if isinstance(variable, keras.Variable) else variable
        m, v = self._momentums[position].value, self._velocities[position].value
        dtype = variable.dtype
        step = tf.cast(self.iterations.value + 1, dtype)
        learning_rate = tf.cast(learning_rate, dtype)
        beta_1, beta_2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        rate = learning_rate * tf.sqrt(1 - tf.pow(beta_2, step)) / (1 - tf.pow(beta_1, step))

        def moments(old_m, old_v, g):
            return (
                beta_1 * old_m + (1 - beta_1) * g,
                beta_2 * old_v + (1 - beta_2) * tf.square(g),
            )

        if not isinstance(gradient, tf.IndexedSlices):
            new_m, new_v = moments(m, v, tf.cast(gradient, dtype))
            m.assign(new_m)
            v.assign(new_v)
            weight.assign_sub(rate * new_m / (tf.sqrt(new_v) + self.epsilon))
            return
        if not self.static_shapes and operations.usable(weight, m, v):
            operations.library().dcrnn_row_wise_adam(
                *(weight.handle, m.handle, v.handle),
                *(tf.cast(gradient.indices, tf.int32), tf.cast(gradient.values, dtype)),
                *(rate, beta_1, beta_2, tf.cast(self.epsilon, dtype)),
            )
            return
        gradient = merge_repeated_rows(gradient, self.static_shapes)
        rows = gradient.indices
        new_m, new_v = moments(
            tf.gather(m, rows), tf.gather(v, rows), tf.cast(gradient.values, dtype)
        )
        old = tf.gather(weight, rows)
        # Rows are written: a scatter that adds is several times slower on the CPU.
        write_rows(m, rows, new_m)
        write_rows(v, rows, new_v)
        write_rows(weight, rows, old - rate * new_m / (tf.sqrt(new_v) + self.epsilon))

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return super().get_config() | {
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "static_shapes": self.static_shapes,
        }
