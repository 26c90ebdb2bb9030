"""FM: the factorization machine."""

import keras
import tensorflow as tf

from dcrnn_tf.layers import BiInteraction
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("fm", label="FM")
class FM(SingleTaskModel):
    """A factorization machine: `y = b + sum_i w_i + sum_{i<j} v_i . v_j` (Rendle, ICDM 2010).

    See `BiInteraction` for the products of pairs.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.

      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("fm", schema)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """

    linear = True

    def network(self, name: str) -> keras.layers.Layer:
        """Returns the products of all pairs of fields, and the bias."""
        return _Network(name=name, dtype=self.dtype_policy)


class _Network(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.interaction = BiInteraction(name="interaction", dtype=self.dtype_policy)

    def build(self, input_shape) -> None:
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self.interaction(embeddings), axis=1) + self.bias
