"""Adam for embedding tables that makes up for a row's missed updates when the row is read."""

import math

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.kernels import operations
from dcrnn_tf.optimizers.lazy_adam import LazyAdam
from dcrnn_tf.optimizers.merging import write_rows
from dcrnn_tf.optimizers.registry import register

_PRECISION = 1e-8  # relative precision of the series below
_MOST_TERMS = 64
_ROWS_AT_A_TIME = 1 << 18  # of all rows that are caught up with, to save memory
# Arguments of Keras' optimizers by which a step changes rows that have no gradient in it.
_CHANGE_ROWS_BESIDE = ("weight_decay", "use_ema", "gradient_accumulation_steps")


@register("adam_deferred", compiles=True, state=2)
class DeferredAdam(LazyAdam):
    """Textbook Adam, in which a row that no batch reads waits for its updates.

    Adam moves a row without gradient along its old moments at every step. What K such steps after
    step s do to it follows from its moments m and v:

        w = w - sum_k a(s + k) b1^k m / (b2^(k/2) sqrt(v) + epsilon),  k = 1 .. K
        m = b1^K m,  v = b2^K v

    with `a(t) = lr_t sqrt(1 - b2^t) / (1 - b1^t)` for the learning rate of step t. They are made up
    for when the row is read next: `catch_up` has to be called on the rows of a batch before the
    batch is computed, and on all rows before the table is used otherwise, at the latest after
    `longest_wait` steps. With `c_k = b2^(k/2)`, a geometric series in `(1 - c_k)` takes m and v out
    of the sum; what is left of it, `S_j(s) = sum_k a(s + k) b1^k (1 - c_k)^j`, is kept for every s.
    Each step adds its own term to those s that are not so long ago that b1^k is nothing.

    The learning rate may be a schedule, or be changed between steps. What would change rows beside
    these updates is refused: `weight_decay`, averages of weights, accumulated gradients.

    Args:
      learning_rate: Learning rate, lr, or a schedule of Keras.
      longest_wait: Largest number of steps that a row may wait.
      name: Name of the optimizer.
      **kwargs: `beta_1`, `beta_2`, `epsilon`, `static_shapes` and `row_decay`, as `LazyAdam` takes
        them.

    Raises:
      ValueError: An argument asks for what is refused, or `longest_wait` is too short.

    Example:
      >>> import keras
      >>> import tensorflow as tf
      >>> from dcrnn_tf import optimizers
      >>> table = keras.Variable(tf.zeros((3, 1)))
      >>> optimizer = optimizers.DeferredAdam(0.1)
      >>> optimizer.build([table])
      >>> def step(row):
      ...     optimizer.catch_up(table, tf.constant([row]))
      ...     slices = tf.IndexedSlices(tf.ones((1, 1)), tf.constant([row]), tf.constant([3, 1]))
      ...     optimizer.apply([slices], [table])
      >>> step(0)
      >>> step(1)
      >>> optimizer.catch_up(table)  # row 0 makes up for its second step
      >>> table.numpy().ravel().round(3)
      array([-0.167, -0.074,  0.   ], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        longest_wait: int = 1 << 16,
        name: str = "deferred_adam",
        **kwargs,
    ):
        if refused := [key for key in _CHANGE_ROWS_BESIDE if kwargs.get(key)]:
            raise ValueError(
                f"DeferredAdam cannot make up for {refused[0]}, which changes rows that no batch "
                "reads; leave it out, or take Adam or LazyAdam"
            )
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.longest_wait = longest_wait
        self._catching_up = False
        self._added = _terms_of_a_step(self.beta_1, self.beta_2)
        if longest_wait < len(self._added):
            raise ValueError(
                f"longest_wait is {longest_wait}, expected at least {len(self._added)} with "
                f"beta_1={self.beta_1}"
            )

    def build(self, variables: list) -> None:
        """Creates the moments, the sums, and for each row the step that it is brought up to."""
        if self.built:
            return
        super().build(variables)
        self._last_steps = [
            self.add_variable(variable.shape[:1] or (1,), dtype="int32", name=f"last_step_{number}")
            for number, variable in enumerate(variables)
        ]
        self._swept = [  # the step that all rows are brought up to
            self.add_variable((), dtype="int32", name=f"swept_{number}")
            for number, _ in enumerate(variables)
        ]
        shape = (self.longest_wait, self._added.shape[1])
        dtype = variables[0].dtype if variables else "float32"
        self._sums = self.add_variable(shape, dtype=dtype, name="sums")

    def apply(self, grads, trainable_variables=None) -> None:
        """Makes one step for all variables.

        Args:
          grads: Their gradients.
          trainable_variables: The variables; those that the optimizer was built with by default.
        """
        rate = tf.convert_to_tensor(self.learning_rate)
        super().apply(grads, trainable_variables)
        self._add_to_sums(tf.cast(self.iterations.value, tf.int32), rate)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return super().get_config() | {"longest_wait": self.longest_wait}

    def update_step(self, gradient, variable, learning_rate) -> None:
        """Makes one step for one variable, whose rows with a gradient have been caught up with.

        Raises:
          RuntimeError: `catch_up` was never called, as in `model.fit`.
        """
        if not self._catching_up:
            raise RuntimeError("DeferredAdam needs a loop that calls catch_up before each batch")
        super().update_step(gradient, variable, learning_rate)
        step = tf.cast(self.iterations.value + 1, tf.int32)
        last = self._last_steps[self._get_variable_index(variable)].value
        if isinstance(gradient, tf.IndexedSlices):
            steps = tf.fill(tf.shape(gradient.indices), step)
            write_rows(last, gradient.indices, steps)
        else:
            last.assign(tf.fill(tf.shape(last), step))

    def catch_up(self, variable: keras.Variable, rows: tf.Tensor | None = None) -> None:
        """Makes up for the steps that rows have missed.

        Args:
          variable: Table that the optimizer was built with.
          rows: Rows of the table, `(count,)`, repeated or not; None takes all.

        Raises:
          tf.errors.InvalidArgumentError: Some rows have waited for longer than `longest_wait`.
        """
        self._catching_up = True
        position = self._get_variable_index(variable)
        step, swept = tf.cast(self.iterations.value, tf.int32), self._swept[position].value
        tf.debugging.assert_less_equal(
            step - swept,
            self.longest_wait,
            "DeferredAdam keeps the rates of fewer steps: call catch_up on all rows more often",
        )
        if rows is None:
            count = variable.shape[0]
            for first in range(0, count, _ROWS_AT_A_TIME):
                self._catch_up(variable, tf.range(first, min(first + _ROWS_AT_A_TIME, count)), step)
            swept.assign(step)
        else:
            self._catch_up(variable, rows, step)

    def _catch_up(self, variable: keras.Variable, rows: tf.Tensor, step: tf.Tensor) -> None:
        position = self._get_variable_index(variable)
        weight = variable.value
        slots = (self._momentums, self._velocities, self._last_steps)
        m, v, last = (slot[position].value for slot in slots)
        sums = self._sums.value
        if not self.static_shapes and operations.usable(weight, m, v):
            operations.library().dcrnn_catch_up(
                *(weight.handle, m.handle, v.handle, last.handle, sums.handle),
                rows=tf.cast(rows, tf.int32),
                step=step,
                beta_1=tf.constant(self.beta_1, tf.float64),
                beta_2=tf.constant(self.beta_2, tf.float64),
                epsilon=tf.constant(self.epsilon, tf.float32),
            )
            return
        if not self.static_shapes:  # else the same values are written several times
            rows = tf.unique(rows).y
        since = tf.gather(last, rows)
        missed = tf.cast(step - since, weight.dtype)[:, None]
        terms = tf.unstack(tf.gather(sums, since % self.longest_wait), axis=1)
        waits = missed > 0  # the sums of the step itself are those of one that is long ago
        row_m, row_v = tf.gather(m, rows), tf.gather(v, rows)
        root = tf.sqrt(row_v)
        share = root / (root + self.epsilon)
        total = terms[-1][:, None]
        for term in reversed(terms[:-1]):
            total = total * share + term[:, None]
        moved = tf.where(waits, row_m / (root + self.epsilon) * total, tf.zeros_like(row_m))
        new_values = (
            (weight, tf.gather(weight, rows) - moved),
            (m, row_m * tf.pow(tf.cast(self.beta_1, m.dtype), missed)),
            (v, row_v * tf.pow(tf.cast(self.beta_2, v.dtype), missed)),
            (last, tf.fill(tf.shape(rows), step)),
        )
        for slot, values in new_values:
            write_rows(slot, rows, values)

    def _add_to_sums(self, step: tf.Tensor, rate: tf.Tensor) -> None:
        """Adds what a step does to the rows that wait since an earlier one."""
        sums = self._sums.value
        t, rate = tf.cast(step, sums.dtype), tf.cast(rate, sums.dtype)
        beta_1, beta_2 = tf.cast(self.beta_1, sums.dtype), tf.cast(self.beta_2, sums.dtype)
        rate *= tf.sqrt(1 - tf.pow(beta_2, t)) / (1 - tf.pow(beta_1, t))
        added = rate * tf.constant(self._added, sums.dtype)
        # Of those since the step before there are none yet: it has the place of one long ago.
        since = (step - 1 - tf.range(len(self._added))) % self.longest_wait
        earlier = tf.gather(sums, since[1:]) + added[1:]
        write_rows(sums, since, tf.concat([added[:1], earlier], axis=0))


def _terms_of_a_step(beta_1: float, beta_2: float) -> np.ndarray:
    """Returns `b1^k (1 - c_k)^j` for k = 1, 2, ... as far as they matter, `(steps, terms)`.

    Raises:
      ValueError: There are too many terms, since beta_2 is too far from 1.
    """
    k = np.arange(1, 2 + math.ceil(math.log(_PRECISION) / math.log(max(beta_1, 1e-3))))
    decay, growth = beta_1**k, 1 - beta_2 ** (k / 2)
    terms = 1
    while np.max(decay * growth**terms) > _PRECISION * decay.sum():
        terms += 1
        if terms > _MOST_TERMS:
            raise ValueError(
                f"DeferredAdam cannot defer with beta_1={beta_1} and beta_2={beta_2}: beta_2 must "
                "be closer to 1, as it usually is"
            )
    return decay[:, None] * growth[:, None] ** np.arange(terms)
