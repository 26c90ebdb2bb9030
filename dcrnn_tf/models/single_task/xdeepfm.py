"""xDeepFM: a linear model, a compressed interaction network and a perceptron."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers import CompressedInteraction, Tower
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


@register("xdeepfm", label="xDeepFM", width="hidden_units")
class XDeepFM(SingleTaskModel):
    """A linear model, a compressed interaction network and a perceptron (arXiv 1803.05170).

    `y = sum_i w_i + w . CIN(E) + MLP(E)`; see `CompressedInteraction`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      hidden_units: Widths of the layers of the perceptron before its logit.
      feature_maps: Number of feature maps of each layer of the CIN.
      activation: Activation of the feature maps.
      split_half: Whether half of a layer's maps goes to the next layer alone.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("xdeepfm", schema, hidden_units=[16, 8], feature_maps=[6, 4])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """

    linear = True

    def __init__(
        self,
        fields,
        tasks,
        hidden_units: Sequence[int] = (128, 64),
        feature_maps: Sequence[int] = (64, 64),
        activation: str | None = "linear",
        split_half: bool = False,
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        self.hidden_units = tuple(hidden_units)
        self.feature_maps = tuple(feature_maps)
        self.activation = activation
        self.split_half = split_half
        self.network("trial")  # refuses impossible settings here, not when weights are made

    def network(self, name: str) -> keras.layers.Layer:
        """Returns CIN and perceptron, whose logits are added."""
        interaction = CompressedInteraction(
            self.feature_maps,
            self.activation,
            self.split_half,
            name="interaction",
            dtype=self.dtype_policy,
        )
        return _Network(interaction, self.hidden_units, name=name, **self.dense_options)


class _Network(keras.layers.Layer):
    def __init__(
        self,
        interaction: CompressedInteraction,
        hidden_units: Sequence[int],
        dropout: float,
        normalization: str,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.interaction = interaction
        self.logit = keras.layers.Dense(
            1, use_bias=False, name="interaction_logit", dtype=self.dtype_policy
        )
        self.tower = Tower(
            hidden_units,
            dropout=dropout,
            normalization=normalization,
            name="tower",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape) -> None:
        self.width = input_shape[1] * input_shape[2]
        self.interaction.build(input_shape)
        self.logit.build(self.interaction.compute_output_shape(input_shape))
        self.tower.build((None, self.width))

    def call(self, embeddings: tf.Tensor) -> tf.Tensor:
        interactions = tf.squeeze(self.logit(self.interaction(embeddings)), axis=-1)
        return interactions + self.tower(tf.reshape(embeddings, (-1, self.width)))
