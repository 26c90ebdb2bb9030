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


@register("adam_deferred", compiles=True, state=2)
class DeferredAdam(LazyAdam):
    """Textbook Adam, in which a row that no batch reads waits for its updates.

    Adam moves a row without gradient along its old moments at every step. What K such steps after
    step s do to it follows from its moments m and v:

        w = w - sum_k a(s + k) b1^k m / (b2^(k/2) sqrt(v) + epsilon),  k = 1 .. K
        m = b1^K m,  v = b2^K v

    with `a(t) = lr sqrt(1 - b2^t) / (1 - b1^t)`. They are made up for when the row is read next:
    `catch_up` has to be called on the rows of a batch before the batch is computed, and on all
    rows before the table is used otherwise. The sum is a closed form: with `c_k = b2^(k/2)`, a
    geometric series in `(1 - c_k)` takes m and v out of it, and what is left of it,
    `S_j(s) = sum_k a(s + k) b1^k (1 - c_k)^j` over all k, is tabulated for every s; the terms
    after K are `b1^K` times a combination of the `S_j(s + K)`.

    The learning rate must be constant.

    Args:
      learning_rate: Learning rate, lr.
      name: Name of the optimizer.
      **kwargs: `beta_1`, `beta_2`, `epsilon` and `static_shapes`, as `LazyAdam` takes them.

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

    def __init__(self, learning_rate: float = 0.001, name: str = "deferred_adam", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self._catching_up = False

    def build(self, variables: list) -> None:
        """Creates the moments, and for each row the step that it has been brought up to."""
        if self.built:
            return
        super().build(variables)
        self._last_steps = [
            self.add_variable((variable.shape[0],), dtype="int32", name=f"last_step_{number}")
            for number, variable in enumerate(variables)
        ]
        self._sums = _endless_sums(self.beta_1, self.beta_2)

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
        """
        self._catching_up = True
        if rows is None:
            count = variable.shape[0]
            for first in range(0, count, _ROWS_AT_A_TIME):
                self.catch_up(variable, tf.range(first, min(first + _ROWS_AT_A_TIME, count)))
            return
        position = self._get_variable_index(variable)
        weight = variable.value
        slots = (self._momentums, self._velocities, self._last_steps)
        m, v, last = (slot[position].value for slot in slots)
        if not self.static_shapes and operations.usable(weight, m, v):
            operations.library().dcrnn_catch_up(
                *(weight.handle, m.handle, v.handle, last.handle),
                rows=tf.cast(rows, tf.int32),
                step=tf.cast(self.iterations.value, tf.int32),
                learning_rate=tf.cast(self.learning_rate.value, tf.float32),
                beta_1=tf.constant(self.beta_1, tf.float64),
                beta_2=tf.constant(self.beta_2, tf.float64),
                endless_sums=tf.constant(self._sums, tf.float32),
                epsilon=tf.constant(self.epsilon, tf.float32),
            )
            return
        if not self.static_shapes:  # else the same values are written several times
            rows = tf.unique(rows).y
        step = tf.cast(self.iterations.value, tf.int32)
        since = tf.gather(last, rows)
        missed = tf.cast(step - since, weight.dtype)[:, None]
        sums = self._missed_sums(since, step, missed)
        row_m, row_v = tf.gather(m, rows), tf.gather(v, rows)
        root = tf.sqrt(row_v)
        share = root / (root + self.epsilon)
        total = sums[-1]
        for term in reversed(sums[:-1]):
            total = total * share + term
        moved = tf.cast(self.learning_rate.value, weight.dtype) * row_m / (root + self.epsilon)
        new_values = (
            (weight, tf.gather(weight, rows) - moved * total),
            (m, row_m * tf.pow(tf.cast(self.beta_1, m.dtype), missed)),
            (v, row_v * tf.pow(tf.cast(self.beta_2, v.dtype), missed)),
            (last, tf.fill(tf.shape(rows), step)),
        )
        for slot, values in new_values:
            write_rows(slot, rows, values)

    def _missed_sums(self, since, step, missed) -> list[tf.Tensor]:
        """Returns `sum_k a(s + k) / lr b1^k (1 - c_k)^j` over the missed steps k, for each j."""
        table = tf.constant(self._sums, missed.dtype)
        from_start = tf.unstack(tf.gather(table, tf.minimum(since, len(self._sums) - 1)), axis=1)
        from_now = tf.unstack(tf.gather(table, tf.minimum(step, len(self._sums) - 1)))
        decay = tf.pow(tf.cast(self.beta_1, missed.dtype), missed)
        c = tf.pow(tf.cast(self.beta_2, missed.dtype), missed / 2)
        return [
            start[:, None]
            - decay
            * sum(math.comb(j, i) * (1 - c) ** (j - i) * c**i * from_now[i] for i in range(j + 1))
            for j, start in enumerate(from_start)
        ]


def _endless_sums(beta_1: float, beta_2: float) -> np.ndarray:
    """Returns `S_j(s)` for a learning rate of 1, `(steps, terms)`; the last row is for all later s.

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
    # From here on the correction of the moments' bias is 1.
    constant = math.ceil(math.log(_PRECISION) / math.log(max(beta_1, beta_2, 1e-3)))
    t = np.arange(1, constant + len(k) + 1)
    rate = np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    windows = np.lib.stride_tricks.sliding_window_view(rate, len(k))
    return windows @ (decay[:, None] * growth[:, None] ** np.arange(terms))
