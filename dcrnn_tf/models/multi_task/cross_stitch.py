"""Cross-stitch networks: a network per task, mixed with the others' after each layer."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import CrossStitch, Experts, SubNetworks
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("cross_stitch", label="Cross-stitch", width="network_units")
class CrossStitchNetwork(MultiTaskModel):
    """Networks of equal shape with a cross-stitch unit after each layer (Misra et al., CVPR 2016).

    `h_t^l = relu(x_t^{l-1} W_t^l + b_t^l)`, `x_t^l = sum_s alpha_ts^l h_s^l`, `y_t = tower_t(x_t)`;
    see `CrossStitch`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      network_units: Widths of the layers of a task's network.
      own_share: alpha_tt at first.
      per_channel: Whether every channel of a layer has its own alpha.
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
      >>> model = models.build("cross_stitch", schema, network_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["stitch, layer 1"].values.numpy().round(1)
      array([[0.9, 0.1], [0.1, 0.9]], dtype=float32)
    """

    takes_shared_rows = True

    def __init__(
        self,
        fields,
        tasks,
        network_units: Sequence[int] = (128, 64),
        own_share: float = 0.9,
        per_channel: bool = False,
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        policy = self.dtype_policy
        self.network_units = tuple(network_units)
        if not self.network_units:
            raise ValueError(f"network_units={list(network_units)} must not be empty")
        self.first = Experts(
            len(self.tasks), self.network_units[:1], name="layer_1", **self.dense_options
        )
        self.later = tuple(
            SubNetworks(units, name=f"layer_{layer}", dtype=policy)
            for layer, units in enumerate(self.network_units[1:], start=2)
        )
        self.stitches = tuple(
            CrossStitch(own_share, per_channel, name=f"stitch_{layer}", dtype=policy)
            for layer in range(1, len(self.network_units) + 1)
        )
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's last mixture."""
        mixed = self.stitches[0](self.first(self.flattened(embeddings)))
        for layer, stitch in zip(self.later, self.stitches[1:], strict=True):
            mixed = stitch(layer(mixed))
        mixed = tf.unstack(mixed, num=len(self.tasks))
        return [tower(own) for tower, own in zip(self.towers, mixed, strict=True)]

    def explain(self, features) -> dict[str, Explanation]:
        """Returns what each task takes of each network, the mean over channels.

        The explanations are called `stitch, layer 1` and so on.
        """
        return {
            f"stitch, layer {layer}": Explanation(stitch.shares(), self.tasks, self.tasks)
            for layer, stitch in enumerate(self.stitches, start=1)
        }
