"""MTAN: a shared network whose layers each task sees through masks of its own."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers import SubNetworks, fork
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("mtan", label="MTAN", width="network_units")
class MTAN(MultiTaskModel):
    """Soft attention masks of each task over a shared network (Liu et al., CVPR 2019).

    The paper's network, of convolutions, in perceptrons. The shared layers are
    `h^l = relu(h^(l-1) W^l + b^l)`; of each task t sees

        a_t^l = sigmoid(relu([h^l, z_t^(l-1)] A_t^l + a) B_t^l + b) * h^l,  z_t^l = a_t^l

    and its tower reads the last one. The first layer's mask reads the shared layer alone. The paper
    has batch normalisation and another convolution between the masks of two layers, and the mask
    read the shared features before the last convolution of their block; here are none of these.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      network_units: Widths of the shared layers.
      attention_units: Width of a mask's hidden layer.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There is no layer.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("mtan", schema, network_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["mask, layer 2"].values.shape  # examples, tasks, units
      TensorShape([2, 2, 8])
    """

    def __init__(
        self,
        fields,
        tasks,
        network_units: Sequence[int] = (128, 64),
        attention_units: int = 32,
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if not network_units:
            raise ValueError(f"network_units={list(network_units)} must not be empty")
        policy = {"dtype": self.dtype_policy}
        self.network_units = tuple(network_units)
        layers = tuple(enumerate(self.network_units, start=1))
        self.shared = tuple(
            keras.layers.Dense(units, "relu", name=f"shared_{layer}", **policy)
            for layer, units in layers
        )
        self.hidden = tuple(
            SubNetworks(attention_units, name=f"mask_hidden_{layer}", **policy)
            for layer, _ in layers
        )
        self.masks = tuple(
            SubNetworks(units, "sigmoid", name=f"mask_{layer}", **policy) for layer, units in layers
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's view of the last layer."""
        views, _ = self._views(self.flattened(embeddings))
        views = tf.unstack(views, num=len(self.tasks))
        return [tower(view) for tower, view in zip(self.towers, views, strict=True)]

    def _views(self, inputs: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns the tasks' views of the last layer, and all masks, `(T, batch, units)`."""
        views, masks = None, []
        for shared, hidden, mask in zip(self.shared, self.hidden, self.masks, strict=True):
            inputs, read, seen = fork(shared(inputs), 3)
            read = tf.tile(read[None], (len(self.tasks), 1, 1))
            if views is not None:
                read = tf.concat([read, views], axis=2)
            masks.append(mask(hidden(read)))
            views = masks[-1] * seen
        return views, masks

    def explain(self, features) -> dict[str, Explanation]:
        """Returns the masks of each layer, `mask, layer 1` and so on, for each unit."""
        _, masks = self._views(self.flattened(self.embedding(features)))
        return {
            f"mask, layer {layer}": Explanation(
                tf.transpose(mask, (1, 0, 2)), self.tasks, tuple(map(str, range(mask.shape[2])))
            )
            for layer, mask in enumerate(masks, start=1)
        }
