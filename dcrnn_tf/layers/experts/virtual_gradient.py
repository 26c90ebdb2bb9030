"""Virtual gradients: task correlation steers how fast a gate moves (Eq. 8 and 9 of DEPHN).

The forward value of a gate `G_kp^t` stays what it is; in training its gradient is multiplied by
`prod_{j != t} gamma_jt`, a function of how correlated the labels of the tasks j and t are and of
how far apart their gates lie.
"""

import math
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from dcrnn_tf.distribution.replicas import sum_over_replicas
from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.fork import fork

FUNCTIONS: Mapping[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "cosine_product": lambda x, y: tf.cos(2 * math.pi * x * y) + 1,
    "absolute_product": lambda x, y: 2 * tf.abs(2 * x * y - 1),
    "square_product": lambda x, y: 2 * tf.square(2 * x * y - 1),
    "root_product": lambda x, y: 2 * tf.sqrt(tf.abs(2 * x * y - 1)),
    "cosine_sum": lambda x, y: tf.cos(math.pi * (x + y)) + 1,
    "absolute_sum": lambda x, y: 2 * tf.abs(x + y - 1),
    "square_sum": lambda x, y: 2 * tf.square(x + y - 1),
    "root_sum": lambda x, y: 2 * tf.sqrt(tf.abs(x + y - 1)),
}
"""gamma of x, the correlation, and y, the gates' difference: (a) to (h) of Fig. 4, in order."""

CORRELATIONS = ("pearson", "cosine")


def label_counts(labels: tf.Tensor) -> tf.Tensor:
    """Returns the counts from which the correlations of a batch's labels follow.

    Args:
      labels: Labels, `(T, batch)`, 0, 1 and, where a task is not defined, -1.

    Returns:
      The counts, `(3, T, T)` float64. For tasks j and t, over the examples where both are defined:
      the number of examples, of positives of j, of examples positive in both.
    """
    labels = tf.cast(labels, tf.float64)
    defined = tf.cast(labels >= 0, tf.float64)
    positive = tf.maximum(labels, 0)
    return tf.stack(
        [
            tf.matmul(defined, defined, transpose_b=True),
            tf.matmul(positive, defined, transpose_b=True),
            tf.matmul(positive, positive, transpose_b=True),
        ]
    )


def correlation(counts: tf.Tensor, measure: str) -> tf.Tensor:
    """Returns the correlations `|phi(Y_j, Y_t)|`, `(T, T)` float64 in [0, 1]; 0 where undefined.

    Args:
      counts: Counts of `label_counts`, or weighted sums of such.
      measure: `pearson`, the correlation of the labels, or `cosine`, their cosine similarity.
    """
    rows, own, both = tf.unstack(counts, num=3)
    other = tf.transpose(own)
    if measure == "pearson":
        numerator = tf.abs(rows * both - own * other)
        squares = own * (rows - own) * other * (rows - other)
    else:
        numerator, squares = both, own * other
    return tf.minimum(tf.math.divide_no_nan(numerator, tf.sqrt(tf.maximum(squares, 0))), 1)


def coefficients(gates: tf.Tensor, correlations: tf.Tensor, function: str) -> tf.Tensor:
    """Returns `prod_{j != t} gamma_jt(x_jt, y)` for every gate (Eq. 9).

    The difference of the gates is `y = min(1, |G_kp^t - G_kp^j|)`.

    Args:
      gates: Gates G, `(..., T, K, P)`.
      correlations: Correlations x, `(T, T)`.
      function: Name of gamma in `FUNCTIONS`.

    Returns:
      The factors, of the gates' shape. They are differentiable by the gates, which the virtual
      gradient itself makes no use of.
    """
    tasks = gates.shape[-3]
    product = tf.ones_like(gates)
    copies = iter(fork(gates, max(1, 2 * (tasks - 1))))
    for shift in range(1, tasks):  # each of the other tasks once
        own, others = next(copies), tf.roll(next(copies), shift, axis=-3)
        x = tf.linalg.diag_part(tf.roll(correlations, shift, axis=1))
        x = tf.reshape(tf.cast(x, gates.dtype), (tasks, 1, 1))
        product *= FUNCTIONS[function](x, tf.minimum(tf.abs(own - others), 1))
    return product


@tf.custom_gradient
def scale_gradient(tensor: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Returns the tensor, with a gradient that is `factor` times that of the identity (Eq. 8)."""
    return tf.identity(tensor), lambda upstream: (upstream * factor, None)


def scale_gradient_by_freezing(tensor: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Returns the same as `scale_gradient`, by frozen terms: `sg(G) + gamma (G - sg(G))`."""
    frozen = tf.stop_gradient(tensor)
    return frozen + tf.stop_gradient(factor) * (tensor - frozen)


def literal_form(gates: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Returns what Section III-C says word by word, `G gamma(G) / sg(gamma(G))`; for study.

    Its gradient is not Eq. 8's gamma but `1 + G gamma'(G) / gamma(G)`, large where gamma is small,
    and reaches other tasks' gates too. A gamma below 1e-3 counts as 1e-3, the gradient then being
    1. The forward value is off by roundings.
    """
    factor = tf.maximum(factor, tf.cast(1e-3, factor.dtype))
    return gates * factor / tf.stop_gradient(factor)


FORMS: Mapping[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "custom_gradient": scale_gradient,
    "stop_gradient": scale_gradient_by_freezing,
    "literal": literal_form,
}


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class VirtualGradient(Layer):
    """The virtual gradients of DEPHN: gates whose gradients are scaled by `prod_{j != t} gamma_jt`.

    The values of the gates stay as they are (Eq. 8 and 9).

    Args:
      function: Name of gamma in `FUNCTIONS`.
      correlation: Correlation of the batch's labels, over all replicas: `pearson` or `cosine`;
        where it is undefined, it is 0.
      momentum: Momentum m of a running correlation: counts of earlier batches weigh m, m^2 and so
        on. 0 takes each batch by itself.
      form: Name of the form in `FORMS`.

    Call arguments:
      gates: Gates, `(T, K, P)`, or `(batch, T, K, P)`.
      labels: Labels, `(T, batch)`.

    Returns:
      The gates, the factors, which have the gates' shape, and the correlations, `(T, T)`.

    Raises:
      ValueError: An argument is none of the names, or the momentum is not in [0, 1).

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> gates = tf.constant([[[1.0]], [[1.5]]])  # of two tasks
      >>> labels = tf.constant([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
      >>> _, factors, correlations = layers.VirtualGradient("absolute_sum")(gates, labels)
      >>> correlations.numpy().round(3)  # sqrt(1 / 3)
      array([[1.   , 0.577], [0.577, 1.   ]])
      >>> factors.numpy().ravel().round(3)  # 2 |x + 0.5 - 1|
      array([0.155, 0.155], dtype=float32)
    """

    def __init__(
        self,
        function: str = "root_sum",
        correlation: str = "pearson",
        momentum: float = 0.0,
        form: str = "custom_gradient",
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        for name, value, known in (
            ("virtual_gradient", function, FUNCTIONS),
            ("correlation", correlation, CORRELATIONS),
            ("virtual_gradient_form", form, FORMS),
        ):
            if value not in known:
                raise ValueError(f"{name}={value!r} is not one of {', '.join(known)}")
        if not 0 <= momentum < 1:
            raise ValueError(f"correlation_momentum={momentum} is not from 0 to below 1")
        self.function = function
        self.correlation = correlation
        self.momentum = momentum
        self.form = form

    def build(self, gates_shape, labels_shape=None) -> None:
        """Creates the running counts, where there are any."""
        self.counts = None
        if self.momentum:
            tasks = gates_shape[-3]
            self.counts = self.add_weight(
                name="label_counts",
                shape=(3, tasks, tasks),
                initializer="zeros",
                dtype="float64",
                autocast=False,
                trainable=False,
            )

    def call(self, gates: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the gates with their factors, and the correlations."""
        gates, compared = fork(gates, 2)
        counts = sum_over_replicas(label_counts(labels))
        if self.counts is not None:
            counts += self.momentum * self.counts
            self.counts.assign(counts)
        correlations = correlation(counts, self.correlation)
        if self.form != "literal":
            compared = tf.stop_gradient(compared)
        compared = tf.cast(compared, self.variable_dtype)
        factors = coefficients(compared, correlations, self.function)
        scaled = FORMS[self.form](gates, tf.cast(factors, gates.dtype))
        return scaled, tf.stop_gradient(factors), correlations

    def compute_output_spec(self, gates, labels) -> tuple[keras.KerasTensor, ...]:
        """Returns the shapes, with the types of the gates, of the weights, and float64."""
        tasks = gates.shape[-3]
        return (
            keras.KerasTensor(gates.shape, dtype=gates.dtype),
            keras.KerasTensor(gates.shape, dtype=self.variable_dtype),
            keras.KerasTensor((tasks, tasks), dtype="float64"),
        )
