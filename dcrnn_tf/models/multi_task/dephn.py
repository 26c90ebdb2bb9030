"""DEPHN: the different expression parallel heterogeneous network with virtual gradients."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.dataset.schema import BINARY
from dcrnn_tf.layers import ExplicitMapping, SoftmaxGates, ValueGates, VirtualGradient
from dcrnn_tf.layers.initializers import blockwise
from dcrnn_tf.models.base import Explanation
from dcrnn_tf.models.parallel_heterogeneous import ParallelHeterogeneousModel
from dcrnn_tf.models.registry import register

GATINGS = ("value", "mapping", "linear_mapping")
PREDICTIONS = ("sum_of_logits", "mean_of_sigmoids")


@register("dephn", label="DEPHN", width="expert_units")
class DEPHN(ParallelHeterogeneousModel):
    """Explicitly mapped public experts behind gates with virtual gradients (DEPHN, Eq. 4 to 9).

    `pub_t = sum_k sum_p W_kp^t . (G_kp^t f_p(e_k)) + b` and `pri_t = sum_k' W_k'^t . e'_k' + b`;
    the logit is their sum. With hidden layers, `tower_units`, the towers are perceptrons of the
    gated outputs rather than these linear maps. See `ExplicitMapping`, `ValueGates` and
    `VirtualGradient`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      mappings: Names of the mappings f_p in `layers.experts.explicit_mapping.MAPPINGS`.
      gating: Kind of the gates: `value` (TVG), which are weights; `mapping` (MG), a softmax of a
        linear map of the input; or `linear_mapping`, a linear map of the input without softmax,
        whose bias starts at 1, so that its gates start about as large as weights do.
      virtual_gradient: Name of gamma in `layers.experts.virtual_gradient.FUNCTIONS`; None, on the
        command line `null`, for no virtual gradient.
      correlation: Correlation of labels: `pearson` or `cosine`.
      correlation_momentum: Momentum of a running correlation; 0 takes each batch by itself.
      virtual_gradient_form: Form of the virtual gradient: `custom_gradient`, `stop_gradient` or
        `literal`; the first two are the same, the last is for study.
      prediction: How the parts are joined: `sum_of_logits`, or `mean_of_sigmoids`: the probability
        is the mean of those of the public and the private part.
      tower_units: Widths of the hidden layers of a task's towers.
      **kwargs: Settings of `ParallelHeterogeneousModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("dephn", schema, num_dnn_experts=2, expert_units=[8, 4])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["gate"].columns[:3]
      ('dnn_0 raw', 'dnn_0 sine', 'dnn_0 cosine')
    """

    def __init__(
        self,
        fields,
        tasks,
        mappings: Sequence[str] = ("raw", "sine", "cosine"),
        gating: str = "value",
        virtual_gradient: str | None = "root_sum",
        correlation: str = "pearson",
        correlation_momentum: float = 0.0,
        virtual_gradient_form: str = "custom_gradient",
        prediction: str = "sum_of_logits",
        tower_units: Sequence[int] = (),
        **kwargs,
    ):
        super().__init__(fields, tasks, tower_units=tower_units, **kwargs)
        if gating not in GATINGS:
            raise ValueError(f"gating={gating!r} is not one of {', '.join(GATINGS)}")
        if prediction not in PREDICTIONS:
            raise ValueError(f"prediction={prediction!r} is not one of {', '.join(PREDICTIONS)}")
        policy = {"dtype": self.dtype_policy}
        self.gating = gating
        self.prediction = prediction
        self.mapping = ExplicitMapping(mappings, name="mapping", **policy)
        shape = (len(self.tasks), len(self.public.names), len(self.mapping.mappings))
        self.gate_shape = shape
        if gating == "value":
            self.value_gates = ValueGates(*shape, name="gates", **policy)
        elif gating == "mapping":
            self.mapping_gates = SoftmaxGates(shape[0], shape[1] * shape[2], name="gates", **policy)
        else:
            self.mapping_gates = keras.layers.Dense(
                math.prod(shape),
                kernel_initializer=blockwise(keras.initializers.GlorotUniform, shape[0], axis=1),
                bias_initializer="ones",
                name="gates",
                **policy,
            )
        others = [task.name for task in self.task_specs if task.kind != BINARY]
        if prediction == "mean_of_sigmoids" and others:
            raise ValueError(f"prediction={prediction!r} needs binary tasks, unlike {others[0]}")
        if prediction != PREDICTIONS[0] and not self.private:
            raise ValueError(f"prediction={prediction!r} needs private experts")
        layer = VirtualGradient(  # always made, since it checks its settings
            "root_sum" if virtual_gradient is None else virtual_gradient,
            correlation,
            correlation_momentum,
            virtual_gradient_form,
            name="virtual_gradient",
            **policy,
        )
        self.virtual_gradient = None if virtual_gradient is None else layer
        if virtual_gradient is not None:
            self.statistic_names = ("gamma_mean", "gamma_min", "gamma_max", "label_correlation")
        self.public_towers = self.towers("public")

    def build(self, input_shape=None) -> None:
        """Creates all weights."""
        if self.virtual_gradient is not None:
            self.virtual_gradient.build(self.gate_shape)
        super().build(input_shape)

    def public_logits(self, experts, embeddings, labels) -> list[tf.Tensor]:
        """Returns the towers' logits on gated, explicitly mapped experts."""
        gates = self._gate_values(embeddings)
        if self.virtual_gradient is not None and labels is not None:
            # Of numbers and classes there is no correlation with labels of 0 and 1.
            label_rows = tf.stack(
                [
                    labels[task.name] if task.kind == BINARY else -tf.ones_like(labels[task.name])
                    for task in self.task_specs
                ]
            )
            gates, gamma, correlations = self.virtual_gradient(gates, label_rows)
            self._note(gamma, correlations)
        mapped = self.mapping(experts)  # (K, P, batch, width)
        equation = "tkp,kpbu->tbkpu" if self.gating == "value" else "btkp,kpbu->tbkpu"
        gated = tf.einsum(equation, tf.cast(gates, mapped.dtype), mapped)
        width = self.gate_shape[1] * self.gate_shape[2] * self.public.width
        gated = tf.unstack(tf.reshape(gated, (len(self.tasks), -1, width)), num=len(self.tasks))
        return [tower(own) for tower, own in zip(self.public_towers, gated, strict=True)]

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the prediction of each task from its public and its private part."""
        if self.prediction == "sum_of_logits":
            return super().logits(embeddings, training, labels)
        return [_mean_of_sigmoids(*parts) for parts in self.parts(embeddings, labels)]

    def gates(self, embeddings) -> Explanation:
        """Returns `G_kp^t` of each task for every public expert under every mapping."""
        names = [f"{e} {p}" for e in self.public.names for p in self.mapping.mappings]
        values = self._gate_values(embeddings)
        flat = tf.reshape(values, (*values.shape[:-2], len(names)))
        return Explanation(flat, self.tasks, tuple(names))

    def gated_outputs(self, experts) -> tf.Tensor:
        """Returns the mapped experts, one after the other."""
        mapped = self.mapping(experts)
        return tf.reshape(mapped, (-1, tf.shape(experts)[1], self.public.width))

    def _gate_values(self, embeddings: tf.Tensor) -> tf.Tensor:
        """Returns `(T, K, P)` under value gating, `(batch, T, K, P)` under mapping gating."""
        inputs = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        if self.gating == "value":
            return self.value_gates(inputs)
        return tf.reshape(self.mapping_gates(inputs), (-1, *self.gate_shape))

    def _note(self, gamma: tf.Tensor, correlations: tf.Tensor) -> None:
        tasks = len(self.tasks)
        apart = tf.reduce_sum(correlations) - tf.linalg.trace(correlations)
        self.add_statistic("gamma_mean", tf.reduce_mean(gamma))
        self.add_statistic("gamma_min", tf.reduce_min(gamma))
        self.add_statistic("gamma_max", tf.reduce_max(gamma))
        self.add_statistic("label_correlation", apart / max(1, tasks * (tasks - 1)))


def _mean_of_sigmoids(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns the logit of `(sigmoid(one) + sigmoid(other)) / 2`."""

    def log_sum(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.reduce_logsumexp(tf.math.log_sigmoid(tf.stack([a, b])), axis=0)

    return log_sum(one, other) - log_sum(-one, -other)
