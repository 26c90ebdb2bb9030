"""Addresses of metrics, SPLIT/TASK/METRIC, such as validation/click/auc."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from dcrnn_tf.system.errors import UsageError, UserError
from dcrnn_tf.system.nearest import did_you_mean

MEAN = "mean"
"""In the place of a task: the mean over the tasks that have the metric."""

PRIMARY_METRIC = "primary"
"""In the place of a metric: the metric by which tasks of each kind are ranked."""

Outputs = Mapping[str, Mapping]
"""Metrics of a split as `evaluate` returns them, `{task or derived output: {metric: value}}`."""


class MetricAddressError(UserError):
    """There is no metric at an address."""


@dataclasses.dataclass(frozen=True)
class MetricAddress:
    """Which metric of which task on which split, or its mean over the tasks that have it.

    Attributes:
      split: Name of the split.
      task: Name of a task or derived output; `mean`, unless one is called so, takes the mean over
        the tasks.
      metric: Name of the metric; `primary` takes the one by which tasks are ranked: AUC, XAUC or
        macro AUC, by the kind of task.

    Example:
      >>> from dcrnn_tf.training.metric_address import MetricAddress
      >>> address = MetricAddress.parse("validation/mean/auc")
      >>> address.value({"click": {"auc": 0.7}, "conversion": {"auc": 0.8}})
      0.75
    """

    split: str
    task: str
    metric: str

    @classmethod
    def parse(cls, text: str) -> "MetricAddress":
        """Reads an address.

        Args:
          text: `SPLIT/TASK/METRIC`; what is between the first and the last slash is the task.

        Raises:
          UsageError: The text has another form.
        """
        split, _, rest = text.partition("/")
        task, _, metric = rest.rpartition("/")
        if not (split and task and metric):
            raise UsageError(
                f"{text!r} must be SPLIT/TASK/METRIC, such as validation/click/auc or "
                f"validation/{MEAN}/auc"
            )
        return cls(split, task, metric)

    def __str__(self) -> str:
        """Returns the text that `parse` reads."""
        return f"{self.split}/{self.task}/{self.metric}"

    def check(self, splits: Sequence[str], kinds: Mapping[str, str], tasks: Sequence[str]) -> None:
        """Refuses an address of what a dataset and a model do not have.

        Args:
          splits: Names of the splits.
          kinds: Kind of each task and derived output, `{name: kind}`.
          tasks: Names of the tasks alone.

        Raises:
          MetricAddressError: The dataset lacks the split, the model the task, the task the metric.
        """
        from dcrnn_tf import metrics  # late: programs read an address without NumPy

        if self.split not in splits:
            raise self._missing("split", self.split, splits)
        if self.task not in kinds and self.task != MEAN:
            raise self._missing("task or output", self.task, [*kinds, MEAN])
        if self.metric == PRIMARY_METRIC:
            return
        names = [self.task] if self.task in kinds else tasks
        of_kind = {kinds[name] for name in names}
        known = [metric.name for metric in metrics.printed() if metric.kind in of_kind]
        if self.metric not in known:
            raise self._missing(f"metric of {self.task}", self.metric, [*known, PRIMARY_METRIC])

    def value(self, outputs: Outputs) -> float | None:
        """Returns the metric's value; None where it is not defined.

        A mean counts a task whose primary metric is not defined as one that is ranked by chance,
        and leaves out one where another metric is not.

        Args:
          outputs: Metrics of the split.

        Raises:
          MetricAddressError: The outputs have no such task or metric.
        """
        if self.task in outputs:
            if self._name(outputs[self.task]) not in outputs[self.task]:
                known = [name for name in outputs[self.task] if name not in ("rows", "positives")]
                raise self._missing(f"metric of {self.task}", self.metric, known)
            return _finite(outputs[self.task][self._name(outputs[self.task])])
        if self.task != MEAN:
            raise self._missing("task or output", self.task, [*outputs, MEAN])
        tasks = [values for values in outputs.values() if "population" not in values]
        primary = self.metric == PRIMARY_METRIC  # which every task has
        those = [values for values in tasks if primary or self.metric in values]
        if tasks and not those:
            known = list(dict.fromkeys(name for values in tasks for name in values))
            raise self._missing("metric of a task", self.metric, known)
        values = [self._or_chance(_finite(task.get(self._name(task)))) for task in those]
        defined = [value for value in values if value is not None]
        return sum(defined) / len(defined) if defined else None

    def penalty(self, value: float) -> float:
        """Returns a number that is lower for a better value."""
        from dcrnn_tf import metrics

        name = metrics.PRIMARY if self.metric == PRIMARY_METRIC else self.metric
        return next(m for m in metrics.printed() if m.name == name).penalty(value)

    def _name(self, values: Mapping) -> str:
        from dcrnn_tf import metrics

        return metrics.primary_of(values).name if self.metric == PRIMARY_METRIC else self.metric

    def _or_chance(self, value: float | None) -> float | None:
        from dcrnn_tf import metrics
        from dcrnn_tf.metrics.auc import CHANCE

        ranks = self.metric in (PRIMARY_METRIC, *metrics.PRIMARIES.values())
        return CHANCE if value is None and ranks else value

    def _missing(self, what: str, name: str, known: Sequence[str]) -> MetricAddressError:
        near = did_you_mean(name, known)
        listed = ", ".join(known) or "none"
        return MetricAddressError(f"{self}: there is no {what} {name!r}, but {listed}{near}")


MEAN_PRIMARY = MetricAddress("validation", MEAN, PRIMARY_METRIC)
"""The metric by which the best step of a run is chosen that monitors none."""


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
