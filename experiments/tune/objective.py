"""The objective of a tuning: a metric of the validation split."""

import dataclasses
from collections.abc import Mapping

from dcrnn_tf import metrics
from dcrnn_tf.training.metric_address import PRIMARY_METRIC, MetricAddress


@dataclasses.dataclass(frozen=True)
class Objective:
    """A metric as a number to make high or low.

    Attributes:
      address: Address of the metric.
    """

    address: MetricAddress

    @property
    def metric(self) -> metrics.Metric:
        """The registered metric."""
        name = self.address.metric
        name = metrics.PRIMARY if name == PRIMARY_METRIC else name
        return next(metric for metric in metrics.printed() if metric.name == name)

    @property
    def maximized(self) -> bool:
        """Whether the number is to be high."""
        return self.metric.better == "high"

    @property
    def label(self) -> str:
        """The number's name in words."""
        if isinstance(self.metric.better, str):
            return str(self.address)
        return f"distance of {self.address} from {self.metric.better:g}"

    def value(self, outputs: Mapping[str, Mapping]) -> float | None:
        """Returns the number; None where the metric is not defined.

        Args:
          outputs: Metrics of the validation split, `{task or derived output: {metric: value}}`.
        """
        value = self.address.value(outputs)
        if value is None or isinstance(self.metric.better, str):
            return value
        return self.metric.penalty(value)
