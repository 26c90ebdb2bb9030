"""Sluice networks: learned sharing of subspaces between tasks, and of layers within a task."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import (
    CrossStitch,
    Experts,
    SkipMixture,
    SubNetworks,
    join_subspaces,
    overlap,
    split_subspaces,
)
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("sluice", label="Sluice", width="subspace_units")
class SluiceNetwork(MultiTaskModel):
    """A network per task whose layers are mixed by subspaces (Ruder et al., AAAI 2019).

    Each layer of a task's network is cut into S subspaces. After each layer the T S subspaces of
    all tasks are mixed by a matrix, `alpha` (see `CrossStitch`); a task's tower reads a mixture of
    its layers, `sum_k beta_tk x_t^k` (see `SkipMixture`), so that all layers are equally wide. The
    penalty `orthogonality_penalty * sum ||G_ts^T G_tr||_F^2` over layers, tasks and pairs of
    subspaces, with the kernels G, keeps a layer's subspaces apart (see `overlap`).

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      num_layers: Number of layers of a task's network.
      num_subspaces: Number of subspaces of each layer, S.
      subspace_units: Width of a subspace; a layer is S times as wide.
      own_share: Diagonal of alpha at first.
      last_share: beta of the last layer at first.
      orthogonality_penalty: Factor of the penalty.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: The penalty is negative.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("sluice", schema, subspace_units=4)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["beta"].values.numpy().round(1)  # of two layers
      array([[0.1, 0.9], [0.1, 0.9]], dtype=float32)
    """

    statistic_names = ("subspace_overlap",)
    takes_shared_rows = True

    def __init__(
        self,
        fields,
        tasks,
        num_layers: int = 2,
        num_subspaces: int = 2,
        subspace_units: int = 32,
        own_share: float = 0.9,
        last_share: float = 0.9,
        orthogonality_penalty: float = 1e-4,
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if orthogonality_penalty < 0:
            raise ValueError(f"orthogonality_penalty={orthogonality_penalty} must not be negative")
        policy = self.dtype_policy
        self.num_layers = num_layers
        self.num_subspaces = num_subspaces
        self.subspace_units = subspace_units
        units = num_subspaces * subspace_units
        self.orthogonality_penalty = orthogonality_penalty
        self.first = Experts(len(self.tasks), (units,), name="layer_1", **self.dense_options)
        self.later = tuple(
            SubNetworks(units, name=f"layer_{layer}", dtype=policy)
            for layer in range(2, num_layers + 1)
        )
        self.alphas = tuple(
            CrossStitch(own_share, name=f"alpha_{layer}", dtype=policy)
            for layer in range(1, num_layers + 1)
        )
        self.beta = SkipMixture(last_share, name="beta", dtype=policy)
        self.tower_units = tuple(tower_units)
        self.towers = self.task_towers(self.tower_units)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on the mixture of its task's layers."""
        if training:
            self._keep_apart()
        mixed = self._mix(self.alphas[0], self.first(self.flattened(embeddings)))
        outputs = [mixed]
        for layer, alpha in zip(self.later, self.alphas[1:], strict=True):
            outputs.append(self._mix(alpha, layer(outputs[-1])))
        mixtures = tf.unstack(self.beta(tf.stack(outputs)), num=len(self.tasks))
        return [tower(own) for tower, own in zip(self.towers, mixtures, strict=True)]

    def _mix(self, alpha: CrossStitch, hidden: tf.Tensor) -> tf.Tensor:
        return join_subspaces(
            alpha(split_subspaces(hidden, self.num_subspaces)), self.num_subspaces
        )

    def _keep_apart(self) -> None:
        total = sum(overlap(kernels, self.num_subspaces) for kernels in self._kernels())
        if self.orthogonality_penalty:
            self.add_loss(self.orthogonality_penalty * total)
        self.add_statistic("subspace_overlap", tf.stop_gradient(total))

    def _kernels(self) -> list[tf.Tensor]:
        """Returns the tasks' kernels of each layer, `(T, inputs, units)`."""
        first = tf.convert_to_tensor(self.first.kernels[0])
        width = self.num_subspaces * self.subspace_units
        first = tf.reshape(first, (-1, len(self.tasks), width))
        later = [tf.convert_to_tensor(layer.kernel) for layer in self.later]
        return [tf.transpose(first, (1, 0, 2)), *later]

    def explain(self, features) -> dict[str, Explanation]:
        """Returns `alpha, layer 1` and so on, by subspaces, and `beta`.

        beta is what a task takes of its layers.
        """
        subspaces = tuple(f"{task}_{s}" for task in self.tasks for s in range(self.num_subspaces))
        explanations = {
            f"alpha, layer {layer}": Explanation(alpha.shares(), subspaces, subspaces)
            for layer, alpha in enumerate(self.alphas, start=1)
        }
        layers = tuple(f"layer_{layer}" for layer in range(1, self.num_layers + 1))
        beta = tf.convert_to_tensor(self.beta.beta)
        return explanations | {"beta": Explanation(beta, self.tasks, layers)}
