"""NFM: the neural factorization machine."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers import BiInteraction, Tower
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("nfm", label="NFM", width="hidden_units")
class NFM(SingleTaskModel):
    """A perceptron on the products of all pairs of fields (NFM, arXiv 1708.05027).

    `y = sum_i w_i + MLP(sum_{i<j} v_i * v_j)`; see `BiInteraction`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      hidden_units: Widths of the layers of the perceptron before its logit.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("nfm", schema, hidden_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """

    linear = True

    def __init__(self, fields, tasks, hidden_units: Sequence[int] = (128, 64), **kwargs):
        super().__init__(fields, tasks, **kwargs)
        self.hidden_units = tuple(hidden_units)

    def network(self, name: str) -> keras.layers.Layer:
        """Returns bi-interaction, then a perceptron."""
        return _Network(self.hidden_units, name=name, **self.dense_options)


class _Network(keras.layers.Layer):
    def __init__(self, hidden_units: Sequence[int], dropout: float, normalization: str, **kwargs):
        super().__init__(**kwargs)
        self.interaction = BiInteraction(name="interaction", dtype=self.dtype_policy)
        self.tower = Tower(
            hidden_units,
            dropout=dropout,
            normalization=normalization,
            name="tower",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape) -> None:
        self.tower.build(self.interaction.compute_output_shape(input_shape))

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        return self.tower(self.interaction(embeddings))
