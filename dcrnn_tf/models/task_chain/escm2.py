"""ESCM2: the entire space counterfactual multi-task model."""

from collections.abc import Mapping

import tensorflow as tf

from dcrnn_tf.dataset.schema import Schema
from dcrnn_tf.layers import doubly_robust_risk, fork, inverse_propensity_risk, joint_logit
from dcrnn_tf.models.base import ModelError
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.task_chain.esmm import ESMM

RISKS = ("ips", "dr")


@register("escm2", label="ESCM2", width="network_units")
class ESCM2(ESMM):
    """ESMM with a counterfactual risk of the conversion after a click (Wang et al., SIGIR 2022).

    `L = L_click + counterfactual_weight R + global_weight L_conversion`. R estimates, from the
    clicked exposures alone, what the loss of sigmoid(b) would be if every exposure were clicked:
    `inverse_propensity_risk` (`ips`) or `doubly_robust_risk` (`dr`), whose imputed losses are the
    softplus of a third network. The propensity is the predicted probability of a click, at least
    `propensity_floor`; R has no gradient by it.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      risk: Kind of the risk: `ips` or `dr`.
      counterfactual_weight: Factor of the risk, lambda_c.
      global_weight: Factor of the conversion's loss, lambda_g.
      propensity_floor: Least propensity, above 0 and up to 1.
      **kwargs: Settings of `ESMM`.

    Raises:
      ValueError: As for `ESMM`; or the risk is unknown, a weight negative or the floor impossible.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("escm2", schema, risk="dr")
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> model.network_names
      ('click', 'conversion_after_click', 'imputed_loss')
    """

    statistic_names = ("counterfactual_risk", "propensities_at_floor")

    def __init__(
        self,
        fields,
        tasks,
        risk: str = "ips",
        counterfactual_weight: float = 0.1,
        global_weight: float = 1.0,
        propensity_floor: float = 0.01,
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if risk not in RISKS:
            raise ValueError(f"risk={risk!r} is not one of {', '.join(RISKS)}")
        for name, weight in (
            ("counterfactual_weight", counterfactual_weight),
            ("global_weight", global_weight),
        ):
            if weight < 0:
                raise ValueError(f"{name}={weight} must not be negative")
        if not 0 < propensity_floor <= 1:
            raise ValueError(f"propensity_floor={propensity_floor} must be above 0 and at most 1")
        self.risk = risk
        self.counterfactual_weight = counterfactual_weight
        self.global_weight = global_weight
        self.propensity_floor = propensity_floor

    def take_tasks(self, schema: Schema) -> None:
        """Does what all models do, and refuses weights of examples: the risk takes none.

        Raises:
          ModelError: As for all models; or examples have weights, or negatives were left out.
        """
        super().take_tasks(schema)
        if schema.weights or schema.sampled_task:
            raise ModelError(
                "its counterfactual risk takes no weights of examples and needs all negatives; "
                "leave the keys weight and keep_negatives out, or choose another model"
            )

    @property
    def network_names(self) -> tuple[str, ...]:
        """The names of what the networks predict."""
        imputed = ("imputed_loss",) if self.risk == "dr" else ()
        return super().network_names + imputed

    def check_positive_weights(self, weights: Mapping[str, float]) -> None:
        """Refuses any weight but 1: a propensity is the probability of a click as it is.

        Raises:
          ModelError: There is another weight.
        """
        if set(weights.values()) != {1.0}:
            raise ModelError(
                f"model {self.name} divides by predicted probabilities of {self.tasks[0]}, which "
                "positive weights would distort; use positive_weights=none"
            )

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the logits of the first task and of both; adds the risk if labels are known."""
        first, second, *imputed = self.network_logits(embeddings)
        output, factor = fork(first, 2)  # the loss of the output adds gradients too
        joint, regularised = fork(joint_logit(factor, second), 2)
        if labels is not None:
            clicked, converted = (tf.cast(labels[task], first.dtype) for task in self.tasks)
            self._add_risk(first, second, imputed, clicked, converted)
            if self.global_weight != 1:  # the second task's loss has the weight 1 already
                defined = tf.cast(converted >= 0, converted.dtype)
                losses = tf.reduce_mean(defined * _cross_entropy(converted, regularised))
                self.add_loss((self.global_weight - 1) * losses)
        return [output, joint]

    def _add_risk(self, first, second, imputed, clicked, converted) -> None:
        probability = tf.stop_gradient(tf.sigmoid(first))
        propensities = tf.maximum(probability, self.propensity_floor)
        losses = _cross_entropy(converted, second)
        # Where it is not known whether there was a click, or what came of it, there is no term.
        known = tf.cast((clicked == 0) | ((clicked > 0) & (converted >= 0)), clicked.dtype)
        if self.risk == "ips":
            risk = inverse_propensity_risk(losses, clicked, propensities, known)
        else:
            expected = tf.nn.softplus(imputed[0])
            risk = doubly_robust_risk(losses, expected, clicked, propensities, known)
        if self.counterfactual_weight:
            self.add_loss(self.counterfactual_weight * risk)
        at_floor = tf.cast(probability < self.propensity_floor, probability.dtype)
        self.add_statistic("counterfactual_risk", tf.stop_gradient(risk))
        self.add_statistic("propensities_at_floor", tf.reduce_mean(at_floor))


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns `log(1 + e^z) - y z`; TensorFlow's adds five gradients, in any order."""
    one, other = fork(logits, 2)
    return tf.nn.softplus(one) - labels * other
