"""The base of MTPHN and DEPHN: soft selection, public and private experts."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from dcrnn_tf.layers import HeterogeneousExperts, SoftSelection, Tower, expert_use, fork
from dcrnn_tf.layers.experts.heterogeneous_experts import KINDS
from dcrnn_tf.models.base import Explanation, MultiTaskModel


class ParallelHeterogeneousModel(MultiTaskModel):
    """Heterogeneous experts on softly selected embeddings, public or private to a task.

    A task's logit is that of its public part plus that of its private part. A model is a subclass
    with `public_logits`, and `gates` for its explanation. See `SoftSelection` and
    `HeterogeneousExperts`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      private_experts: Kinds of experts (`dnn`, `cross`, `field`) that each task has for itself; all
        others are public.
      num_dnn_experts: Number of perceptrons of a set of experts that has them.
      expert_units: Widths of a perceptron's layers; the last is the width of all experts.
      num_interaction_layers: Number of layers of crosses and field interactions.
      num_heads: Number of heads of the self-attention of soft selection.
      tower_units: Widths of the hidden layers of a task's towers.
      soft_selection: Whether structures select from embeddings and attended ones; if not, all read
        the embeddings as they are.
      residual_links: Whether there are residual links around the structures.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There is no expert layer, the heads do not divide the embeddings, or the private
        experts are none of the kinds, or all of them.
    """

    def __init__(
        self,
        fields,
        tasks,
        private_experts: Sequence[str] = ("cross", "field"),
        num_dnn_experts: int = 4,
        expert_units: Sequence[int] = (128, 64),
        num_interaction_layers: int = 2,
        num_heads: int = 2,
        tower_units: Sequence[int] = (64, 32),
        soft_selection: bool = True,
        residual_links: bool = True,
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if not expert_units:
            raise ValueError(f"expert_units={list(expert_units)} must not be empty")
        if self.embedding_dim % num_heads:
            raise ValueError(
                f"num_heads={num_heads} does not divide embedding_dim={self.embedding_dim}"
            )
        self.private_experts = tuple(private_experts)
        if not set(self.private_experts) < set(KINDS):
            raise ValueError(
                f"private_experts={list(private_experts)} must be some, but not all, of "
                f"{', '.join(KINDS)}"
            )
        self.num_dnn_experts = num_dnn_experts
        self.expert_units = tuple(expert_units)
        self.num_interaction_layers = num_interaction_layers
        self.tower_units = tuple(tower_units)
        self.residual_links = residual_links
        self.soft_selection: SoftSelection | None = None
        if soft_selection:
            self.soft_selection = SoftSelection(
                len(KINDS), num_heads, name="soft_selection", dtype=self.dtype_policy
            )
        public = [kind for kind in KINDS if kind not in self.private_experts]
        self.public = self._experts(public, "public_experts")
        self.private: tuple[HeterogeneousExperts, ...] = ()
        self.private_towers: tuple[Tower, ...] = ()
        if self.private_experts:
            self.private = tuple(
                self._experts(self.private_experts, f"{task}_experts") for task in self.task_scopes
            )
            self.private_towers = self.towers("private")

    def _experts(self, kinds: Sequence[str], name: str) -> HeterogeneousExperts:
        return HeterogeneousExperts(
            kinds,
            self.num_dnn_experts,
            self.expert_units,
            self.num_interaction_layers,
            self.residual_links,
            name=name,
            **self.dense_options,
        )

    def towers(self, part: str) -> tuple[Tower, ...]:
        """Returns a new tower for each task."""
        return self.task_towers(self.tower_units, f"_{part}")

    def public_logits(
        self, experts: tf.Tensor, embeddings: tf.Tensor, labels: Mapping | None
    ) -> Sequence[tf.Tensor]:
        """Returns the public part of each task's logit, `(batch,)`.

        Args:
          experts: Outputs of the public experts, `(experts, batch, width)`.
          embeddings: Embeddings before soft selection, `(batch, fields, dim)`.
          labels: Labels of the batch, in a training step.
        """
        raise NotImplementedError

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the sum of the public and the private part of each task's logit."""
        return [
            public if private is None else public + private
            for public, private in self.parts(embeddings, labels)
        ]

    def parts(
        self, embeddings: tf.Tensor, labels: Mapping | None = None
    ) -> list[tuple[tf.Tensor, tf.Tensor | None]]:
        """Returns the public and the private part of each task's logit; None if all are public."""
        raw, selected_from = fork(embeddings, 2)
        inputs = self._selected(selected_from)
        experts = self.public({kind: inputs[kind] for kind in self.public.kinds})
        private = [None] * len(self.tasks)
        if self.private:
            copies = {kind: fork(inputs[kind], len(self.tasks)) for kind in self.private_experts}
            for number, (own, tower) in enumerate(
                zip(self.private, self.private_towers, strict=True)
            ):
                outputs = own({kind: copies[kind][number] for kind in copies})
                private[number] = tower(_side_by_side(outputs))
        public = self.public_logits(experts, raw, labels)
        return list(zip(public, private, strict=True))

    def _selected(self, embeddings: tf.Tensor) -> dict[str, tf.Tensor]:
        if self.soft_selection is None:
            selected = fork(embeddings, len(KINDS))
        else:
            selected = tf.unstack(self.soft_selection(embeddings), num=len(KINDS))
        return dict(zip(KINDS, selected, strict=True))

    def gates(self, embeddings: tf.Tensor) -> Explanation:
        """Returns what a task's public part takes of each public expert."""
        raise NotImplementedError

    def gated_outputs(self, experts: tf.Tensor) -> tf.Tensor:
        """Returns what the gates are multiplied with, `(columns of gates, batch, width)`."""
        return experts

    def explain(self, features) -> dict[str, Explanation]:
        """Returns soft selection, gates, and the shares of the public and the private part.

        - `soft selection, KIND`: `G_sg` of that structure, `(fields, dim)`, if there is one.
        - `gate`: what each task takes of each public expert, and `expert use`, what that comes to.
        - `share`: how much of a task's logit is public and private, in absolute terms.
        """
        embeddings = self.embedding(features)
        names = tuple(field.name for field in self.fields)
        dimensions = tuple(str(i) for i in range(self.embedding_dim))
        explanations = {}
        if self.soft_selection is not None:
            explanations = {
                f"soft selection, {kind}": Explanation(gate[0], names, dimensions)
                for kind, gate in zip(KINDS, tf.unstack(self.soft_selection.gate), strict=True)
            }
        explanations["gate"] = gates = self.gates(embeddings)
        inputs = self._selected(embeddings)
        experts = self.public({kind: inputs[kind] for kind in self.public.kinds})
        use = expert_use(gates.values, self.gated_outputs(experts))
        explanations["expert use"] = gates._replace(values=use)
        shares = []
        for public, private in self.parts(embeddings):
            private = tf.zeros_like(public) if private is None else private
            sizes = tf.abs(tf.stack([public, private], axis=1))
            sizes = tf.reduce_sum(tf.reshape(sizes, (-1, 2, sizes.shape[2:].num_elements())), 2)
            total = tf.reduce_sum(sizes, axis=1, keepdims=True)
            shares.append(tf.math.divide_no_nan(sizes, total))
        shares = tf.stack(shares, axis=1)
        explanations["share"] = Explanation(shares, self.tasks, ("public", "private"))
        return explanations


def _side_by_side(outputs: tf.Tensor) -> tf.Tensor:
    """Returns experts' outputs `(experts, batch, width)` as `(batch, experts * width)`."""
    experts, _, width = outputs.shape
    return tf.reshape(tf.transpose(outputs, (1, 0, 2)), (-1, experts * width))
