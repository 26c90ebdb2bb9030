"""DCN: the deep and cross network."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers import MLP, Cross, fork
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("dcn", label="DCN", width="hidden_units")
class DCN(SingleTaskModel):
    """A cross network and a perceptron in parallel (DCN, arXiv 1708.05123).

    `y = w . [cross(E), MLP(E)]`, both on all embeddings side by side; see `Cross`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      hidden_units: Widths of the layers of the perceptron.
      num_cross_layers: Number of layers of `Cross`.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("dcn", schema, hidden_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """

    def __init__(
        self,
        fields,
        tasks,
        hidden_units: Sequence[int] = (128, 64),
        num_cross_layers: int = 2,
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        self.hidden_units = tuple(hidden_units)
        self.num_cross_layers = num_cross_layers
        self.network("trial")  # refuses impossible settings here, not when weights are made

    def cross(self) -> keras.layers.Layer:
        """Returns a new cross network, `(batch, d)` to `(batch, d)`."""
        return Cross(self.num_cross_layers, name="cross", dtype=self.dtype_policy)

    def network(self, name: str) -> keras.layers.Layer:
        """Returns a cross network and a perceptron in parallel."""
        return _Network(self.cross(), self.hidden_units, name=name, **self.dense_options)


class _Network(keras.layers.Layer):
    def __init__(
        self,
        cross: keras.layers.Layer,
        hidden_units: Sequence[int],
        dropout: float,
        normalization: str,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.cross = cross
        self.deep = MLP(
            hidden_units,
            dropout=dropout,
            normalization=normalization,
            name="deep",
            dtype=self.dtype_policy,
        )
        self.logit = keras.layers.Dense(1, name="logit", dtype=self.dtype_policy)

    def build(self, input_shape) -> None:
        self.width = input_shape[1] * input_shape[2]
        shape = (None, self.width)
        self.cross.build(shape)
        self.deep.build(shape)
        self.logit.build((None, self.width + self.deep.compute_output_shape(shape)[-1]))

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        crossed, deep = fork(tf.reshape(embeddings, (-1, self.width)), 2)
        outputs = tf.concat([self.cross(crossed), self.deep(deep)], axis=1)
        return tf.squeeze(self.logit(outputs), axis=-1)
