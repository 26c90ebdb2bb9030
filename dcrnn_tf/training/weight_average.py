"""The average of the weights over the steps, which is often a better model than the last ones."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.models import MultiTaskModel
from dcrnn_tf.optimizers.merging import write_rows
from dcrnn_tf.training.checkpoints import numbered

_ROWS_AT_A_TIME = 1 << 18  # of all rows that are caught up with, to save memory


class WeightAverage:
    """The exponential average of a model's weights, in which the initial weights have no part.

    After step t it is `a_t = sum_{i=1..t} (1 - d) d^(t-i) w_i / (1 - d^t)`. A weight that is w from
    step s + 1 to step t has

        a_t = w + (a_s - w) d^(t-s) (1 - d^s) / (1 - d^t),

    so that a table's row waits, at no cost, until it is to change: `catch_up` has to be called
    before each step, with the rows that the step changes, and `finish` before the average is used.

    Args:
      tables: Embedding tables of which a step changes few rows.
      others: Other variables.
      decay: Decay d, above 0 and below 1.

    Example:
      >>> import keras
      >>> from dcrnn_tf.training.weight_average import WeightAverage
      >>> weight = keras.Variable([0.0])
      >>> average = WeightAverage([], [weight], decay=0.5)
      >>> for steps_done, value in enumerate([4.0, 1.0]):
      ...     average.catch_up(steps_done, [])
      ...     weight.assign([value])
      >>> average.finish(2)
      >>> with average.taken():
      ...     print(weight.numpy())  # (0.5 4 + 1) / 1.5
      [2.]
    """

    def __init__(
        self, tables: Sequence[keras.Variable], others: Sequence[keras.Variable], decay: float
    ):
        self._decay = decay
        self._weights = [variable.value for variable in (*tables, *others)]
        self._tables = len(tables)
        self._averages = [tf.Variable(weight) for weight in self._weights]
        self._rows = [tf.Variable(tf.zeros(t.shape[:1], tf.int32)) for t in tables]
        self._step = tf.Variable(0, dtype=tf.int32)  # that the others are brought up to

    def variables(self, names: Mapping[int, str]) -> dict[str, tf.Variable]:
        """Returns the state by name, for a checkpoint to hold.

        Args:
          names: Names of the averages by the `id` of the variables of the model.
        """
        named = {
            names[id(weight)]: average
            for weight, average in zip(self._weights, self._averages, strict=True)
        }
        rows = {f"average_rows_{n}": rows for n, rows in enumerate(self._rows)}
        return named | rows | {"average_step": self._step}

    def catch_up(self, step: tf.Tensor | int, rows: Sequence[tf.Tensor | None]) -> None:
        """Brings the average of what a step is about to change up to the steps before.

        Args:
          step: Number of the steps done.
          rows: Rows of each table that change, repeated or not; None for all.
        """
        step = tf.cast(step, tf.int32)
        for position, changed in enumerate(rows):
            if changed is None:
                self._catch_up_all_rows(position, step)
            else:
                self._catch_up_rows(position, changed, step)
        share = self._share(self._step.read_value(), step)
        pairs = zip(self._weights[self._tables :], self._averages[self._tables :], strict=True)
        for weight, average in pairs:
            average.assign(_mixed(average, weight, tf.cast(share, weight.dtype)))
        self._step.assign(step)

    def finish(self, step: tf.Tensor | int) -> None:
        """Brings the whole average up to a step.

        Args:
          step: Number of the steps done.
        """
        self.catch_up(step, [None] * self._tables)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Puts the averages in the place of the weights, and the weights back at the end."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def swap(self) -> None:
        """Exchanges the averages and the weights."""
        for weight, average in zip(self._weights, self._averages, strict=True):
            before = tf.identity(weight)
            weight.assign(average)
            average.assign(before)

    def _catch_up_all_rows(self, position: int, step: tf.Tensor) -> None:
        count = self._weights[position].shape[0]
        for first in range(0, count, _ROWS_AT_A_TIME):
            rows = tf.range(first, min(first + _ROWS_AT_A_TIME, count))
            self._catch_up_rows(position, rows, step)

    def _catch_up_rows(self, position: int, rows: tf.Tensor, step: tf.Tensor) -> None:
        weight, average = self._weights[position], self._averages[position]
        last = self._rows[position]
        share = tf.cast(self._share(tf.gather(last, rows), step), weight.dtype)[:, None]
        new = _mixed(tf.gather(average, rows), tf.gather(weight, rows), share)
        write_rows(average, rows, new)
        write_rows(last, rows, tf.fill(tf.shape(rows), step))

    def _share(self, since: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Returns the share that the average up to step `since` has at `step`; 1 at step 0."""
        d = tf.constant(self._decay, tf.float64)
        since, now = tf.cast(since, tf.float64), tf.cast(step, tf.float64)
        share = tf.pow(d, now - since) * (1 - tf.pow(d, since))
        return tf.where(now > 0, share / tf.maximum(1 - tf.pow(d, now), 1e-300), 1.0)


def _mixed(average: tf.Tensor, weight: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Returns the new average; with a share of 1 the old one to the bit."""
    return average * share + weight * (1 - share)


def average_names(model: MultiTaskModel) -> dict[int, str]:
    """Returns the names that checkpoints have for the averages, by the `id` of the variables."""
    trained = {id(variable.value) for variable in model.trainable_variables}
    named = numbered("average", model.variables).items()
    return {id(value): name for name, value in named if id(value) in trained}


def averaged(model: MultiTaskModel) -> dict[str, tf.Variable]:
    """Returns a model's variables by the names that their averages have in checkpoints.

    What is not trained has no average, and the name that it has in any checkpoint.
    """
    names = average_names(model)
    named = numbered("model", model.variables).items()
    return {names.get(id(value), name): value for name, value in named}
