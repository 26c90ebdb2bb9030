"""The attention of a candidate to the values of a list (DIN)."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.kernels import operations
from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.dense.activated_tower import ActivatedTower
from dcrnn_tf.layers.embedding import compiled_lists
from dcrnn_tf.layers.embedding.list_values import ListValues
from dcrnn_tf.layers.fork import fork
from dcrnn_tf.layers.product import product


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class TargetAttention(Layer):
    """The attention of DIN: a candidate weighs the values of a list (arXiv 1706.06978).

    `u = sum_i w_i a(e_i, t) e_i`, `a(e, t) = MLP([e, t, e - t, e * t])`, where e_i are the
    embeddings of the list's values, w_i their weights, t the candidate's embedding; `*` is element
    by element. a has no bounds, so that u tells how much of the list has to do with the candidate.
    With `softmax` the factors are `w_i exp a_i / sum_j w_j exp a_j`.

    The first product of the perceptron, with the kernel `[A; B; C; D]`, is
    `e (A + C) + t (B - C) + (e * t) D`: its first part is taken once for each distinct id, its
    second once for each example. Sums over a list are taken in the precision of the weights.

    Args:
      units: Widths of the perceptron's hidden layers.
      activation: Activation of the hidden layers, as `ActivatedTower` takes it.
      softmax: Whether the factors of a list sum to 1.

    Call arguments:
      values: Values of the lists, `ListValues`.
      target: Candidates' embeddings t, `(batch, dim)`.
      training: Whether the call belongs to a training step.
      compiled: Whether products and sums of the values, and `Dice`, may be compiled operations,
        where there are some; they have no second derivatives.

    Returns:
      The weighted sums u, `(batch, dim)`. Values of weight 0 have no part in them.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> values = layers.ListValues(  # the lists [a, b] and [a]
      ...     embeddings=tf.constant([[1.0, 0.0], [0.0, 1.0]]),
      ...     position=tf.constant([0, 1, 0]),
      ...     example=tf.constant([0, 0, 1]),
      ...     weight=tf.ones(3),
      ... )
      >>> attention = layers.TargetAttention(units=[4], softmax=True)
      >>> attention(values, tf.ones((2, 2))).numpy()[1]  # a list of one value
      array([1., 0.], dtype=float32)
    """

    def __init__(
        self,
        units: Sequence[int] = (80, 40),
        activation: str = "dice",
        softmax: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.softmax = softmax
        self.unit = ActivatedTower(units, activation, name="unit", dtype=self.dtype_policy)

    def build(self, target_shape, values_shape=None) -> None:
        """Creates the weights, for a target of this shape."""
        self.unit.build((None, 4 * target_shape[-1]))

    def call(
        self,
        values: ListValues,
        target: tf.Tensor,
        training: bool = False,
        compiled: bool = False,
    ) -> tf.Tensor:
        """Returns the weighted sums of the lists' embeddings."""
        values = ListValues(*values)  # a saved functional model hands over a list
        weight = tf.cast(values.weight, self.variable_dtype)
        counted = weight != 0
        count = tf.shape(target)[0]
        compiled = compiled and self._compiles()
        first_products = self._compiled_products if compiled else self._first_products
        products, embedded = first_products(values, target)
        scores = self.unit.after_first(products, counted, training, compiled)
        scores = tf.cast(scores, self.variable_dtype)
        if self.softmax:
            factors = _softmax(scores, weight, values.example, count)
        else:
            factors = scores * weight
        if compiled:
            return compiled_lists.pooled(values, embedded, factors, count)
        terms = factors[:, None] * tf.cast(embedded, self.variable_dtype)
        pooled = tf.math.unsorted_segment_sum(terms, values.example, count)
        return tf.cast(pooled, self.compute_dtype)

    def compute_output_shape(self, values_shape, target_shape) -> tuple:
        """Returns `(batch, dim)`."""
        return tuple(target_shape)

    def _compiles(self) -> bool:
        kernel = self.unit.dense[0].kernel
        return self.compute_dtype == "float32" and operations.usable(kernel.value)

    def _first_products(self, values: ListValues, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the first dense layer's output for each value, and the value's embedding."""
        value_part, target_part, of_both = self._parts(values.embeddings, target)
        embedded = tf.gather(values.embeddings, values.position)
        both = product(embedded * tf.gather(target, values.example), of_both)
        products = both + tf.gather(value_part, values.position)
        return products + tf.gather(target_part, values.example), embedded

    def _compiled_products(
        self, values: ListValues, target: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the same output for each value, and the embeddings of the distinct ids."""
        for_parts, for_both, for_sums = fork(values.embeddings, 3)
        target, target_of_both = fork(target, 2)
        value_part, target_part, of_both = self._parts(for_parts, target)
        both = product(compiled_lists.multiplied(values, for_both, target_of_both), of_both)
        return compiled_lists.added(values, both, value_part, target_part), for_sums

    def _parts(self, ids: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the products of each distinct id, those of each example, and the kernel D."""
        dense = self.unit.dense[0]
        of_value, of_target, of_difference, of_both = tf.split(
            tf.convert_to_tensor(dense.kernel), 4
        )
        # The bias is added once for an example, where it has fewer rows than values.
        target_part = product(target, of_target - of_difference) + dense.bias
        return product(ids, of_value + of_difference), target_part, of_both


def _softmax(
    scores: tf.Tensor, weight: tf.Tensor, example: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """Returns the shares of each list's values; zeros in a list whose weights are zeros."""
    scores = tf.where(weight != 0, scores, scores.dtype.min)
    highest = tf.math.unsorted_segment_max(tf.stop_gradient(scores), example, count)
    parts = weight * tf.exp(scores - tf.gather(highest, example))
    totals = tf.math.unsorted_segment_sum(parts, example, count)
    return tf.math.divide_no_nan(parts, tf.gather(totals, example))
