"""PHN: the parallel heterogeneous network."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers import MLP, FieldInteraction, MatrixCross, ResidualLink, SoftSelection
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("phn", label="PHN", width="hidden_units")
class PHN(SingleTaskModel):
    """Three structures in parallel, each with a residual link (PHN, arXiv 2206.09184).

    `y = w . [DNN(E_1), cross(E_2), field(E_3)]`. The three structures are `MLP`, `MatrixCross` and
    `FieldInteraction`, on the embeddings that `SoftSelection` makes for each; `ResidualLink` adds
    its input to the output of each.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      hidden_units: Widths of the layers of the perceptron.
      num_cross_layers: Number of layers of `MatrixCross`.
      num_interaction_layers: Number of layers of `FieldInteraction`.
      num_heads: Number of heads of the self-attention of soft selection; divides `embedding_dim`.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: The heads do not divide the embeddings.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("phn", schema, hidden_units=[16, 8])
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
        num_interaction_layers: int = 2,
        num_heads: int = 2,
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if self.embedding_dim % num_heads:
            raise ValueError(
                f"num_heads={num_heads} does not divide embedding_dim={self.embedding_dim}"
            )
        self.num_heads = num_heads
        self.hidden_units = tuple(hidden_units)
        self.num_cross_layers = num_cross_layers
        self.num_interaction_layers = num_interaction_layers
        self.network("trial")  # refuses impossible settings here, not when weights are made

    def network(self, name: str) -> keras.layers.Layer:
        """Returns the three structures in parallel."""
        return _Network(
            self.hidden_units,
            self.num_cross_layers,
            self.num_interaction_layers,
            self.num_heads,
            name=name,
            **self.dense_options,
        )


class _Network(keras.layers.Layer):
    def __init__(
        self,
        hidden_units: Sequence[int],
        num_cross_layers: int,
        num_interaction_layers: int,
        num_heads: int,
        dropout: float,
        normalization: str,
        **kwargs,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.select = SoftSelection(3, num_heads, name="soft_selection", dtype=policy)
        self.deep = MLP(
            hidden_units, dropout=dropout, normalization=normalization, name="deep", dtype=policy
        )
        self.deep_link = ResidualLink(name="deep_link", dtype=policy)
        self.cross = MatrixCross(num_cross_layers, name="cross", dtype=policy)
        self.cross_link = ResidualLink(name="cross_link", dtype=policy)
        self.interaction = FieldInteraction(
            num_interaction_layers, name="interaction", dtype=policy
        )
        self.interaction_link = ResidualLink(name="interaction_link", dtype=policy)
        self.logit = keras.layers.Dense(1, name="logit", dtype=policy)

    def build(self, input_shape) -> None:
        self.width = input_shape[1] * input_shape[2]
        shape = (None, self.width)
        self.select.build(input_shape)
        deep_shape = self.deep.compute_output_shape(shape)
        self.deep.build(shape)
        self.deep_link.build(shape, deep_shape)
        self.cross.build(shape)
        self.cross_link.build(shape, shape)
        self.interaction.build(input_shape)
        self.interaction_link.build(shape, shape)
        self.logit.build((None, deep_shape[-1] + 2 * self.width))

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        for_deep, for_cross, for_interaction = tf.unstack(self.select(embeddings), num=3)
        deep, cross, fields = map(self._flat, (for_deep, for_cross, for_interaction))
        interacted = self._flat(self.interaction(for_interaction))
        outputs = (
            self.deep_link(deep, self.deep(deep)),
            self.cross_link(cross, self.cross(cross)),
            self.interaction_link(fields, interacted),
        )
        return tf.squeeze(self.logit(tf.concat(outputs, axis=1)), axis=-1)

    def _flat(self, vectors: tf.Tensor) -> tf.Tensor:
        return tf.reshape(vectors, (-1, self.width))
