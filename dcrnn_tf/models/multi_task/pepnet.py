"""PEPNet: gates of a domain over the embeddings, and of a person over the tasks' networks."""

from collections.abc import Sequence

import tensorflow as tf

from dcrnn_tf.layers import Experts, GateUnit, SubNetworks, fork
from dcrnn_tf.models.base import Explanation, MultiTaskModel
from dcrnn_tf.models.registry import register


@register("pepnet", label="PEPNet", width="network_units")
class PEPNet(MultiTaskModel):
    """Gates from prior knowledge over embeddings (EPNet) and hidden units (PPNet).

    (Chang et al., KDD 2023.) With the gate unit `G` (see `GateUnit`), whose values lie between 0
    and 2, sg the stop of the gradient, E all embeddings and `*` element by element:

        O = G_ep([E_domain, sg(E)]) * E
        h_t^l = G_pp^l([E_prior, sg(O)])_t * relu(h_t^(l-1) W_t^l + b_t^l),  h_t^0 = O
        y_t = h_t^L w_t + b_t

    The gates read sg(E) and sg(O), so that they do not change the embeddings that they weigh. One
    gate unit of a layer has all tasks' gates as its outputs. Which fields say the domain, and which
    the person and the item, depends on the data.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      domain_fields: Names of the fields that say which domain an example is of; None, on the
        command line `null`, for data of one domain, which have no EPNet.
      prior_fields: Names of the fields of the person and the item, whose embeddings PPNet reads;
        None for all fields.
      network_units: Widths of the layers of a task's network.
      gate_units: Width of a gate unit's hidden layer.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: There is no layer, or no field of a name.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("pepnet", schema, prior_fields=["user"], network_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.explain(features)["gate, layer 2"].values.shape  # examples, tasks, units
      TensorShape([2, 2, 8])
    """

    def __init__(
        self,
        fields,
        tasks,
        domain_fields: Sequence[str] | None = None,
        prior_fields: Sequence[str] | None = None,
        network_units: Sequence[int] = (128, 64),
        gate_units: int = 64,
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if not network_units:
            raise ValueError(f"network_units={list(network_units)} must not be empty")
        names = [field.name for field in self.fields]
        self._domain = self._places("domain_fields", domain_fields or ())
        self._prior = self._places("prior_fields", names if prior_fields is None else prior_fields)
        self.network_units = tuple(network_units)
        policy, count = {"dtype": self.dtype_policy}, len(self.tasks)
        self.domain_gate = None
        if self._domain:
            width = len(names) * self.embedding_dim
            self.domain_gate = GateUnit(gate_units, width, name="domain_gate", **policy)
        self.first = Experts(count, self.network_units[:1], name="layer_1", **self.dense_options)
        self.later = tuple(
            SubNetworks(units, name=f"layer_{layer}", **policy)
            for layer, units in enumerate(self.network_units[1:], start=2)
        )
        self.gates = tuple(
            GateUnit(gate_units, count * units, name=f"gate_{layer}", **policy)
            for layer, units in enumerate(self.network_units, start=1)
        )
        self.towers = self.task_towers(())

    def _places(self, setting: str, wanted: Sequence[str]) -> tuple[int, ...]:
        names = [field.name for field in self.fields]
        if unknown := [name for name in wanted if name not in names]:
            raise ValueError(
                f"{setting}={list(wanted)}: {', '.join(unknown)} is not one of {', '.join(names)}"
            )
        return tuple(names.index(name) for name in wanted)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns each network's logit on gated embeddings and through gated layers."""
        weighed, gates = self._gates(embeddings)
        hidden = self.first(weighed) * gates[0]
        for layer, gate in zip(self.later, gates[1:], strict=True):
            hidden = layer(hidden) * gate
        hidden = tf.unstack(hidden, num=len(self.tasks))
        return [tower(own) for tower, own in zip(self.towers, hidden, strict=True)]

    def _gates(self, embeddings: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns O, and the tasks' gates of each layer, `(T, batch, units)`."""
        domain, prior, weighed = fork(embeddings, 3)
        weighed = self.flattened(weighed)
        if self.domain_gate is not None:
            inputs = [_chosen(domain, self._domain), tf.stop_gradient(weighed)]
            weighed *= self.domain_gate(tf.concat(inputs, axis=1))
        inputs = tf.concat([_chosen(prior, self._prior), tf.stop_gradient(weighed)], axis=1)
        gates = []
        for gate, units, copy in zip(
            self.gates, self.network_units, fork(inputs, len(self.gates)), strict=True
        ):
            by_task = tf.reshape(gate(copy), (-1, len(self.tasks), units))
            gates.append(tf.transpose(by_task, (1, 0, 2)))
        return weighed, gates

    def explain(self, features) -> dict[str, Explanation]:
        """Returns the gates of each layer, `gate, layer 1` and so on, for each unit."""
        _, gates = self._gates(self.embedding(features))
        return {
            f"gate, layer {layer}": Explanation(
                tf.transpose(gate, (1, 0, 2)), self.tasks, tuple(map(str, range(gate.shape[2])))
            )
            for layer, gate in enumerate(gates, start=1)
        }


def _chosen(embeddings: tf.Tensor, places: Sequence[int]) -> tf.Tensor:
    """Returns some fields' embeddings side by side."""
    by_field = tf.unstack(embeddings, axis=1)
    return tf.concat([by_field[place] for place in places], axis=1)
