"""The metric that decides which step of a run counts, and when the run ends early."""

import tensorflow as tf

from dcrnn_tf import metrics
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.models import MultiTaskModel
from dcrnn_tf.models.derived_outputs import kinds
from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.training.evaluation import row_groups
from dcrnn_tf.training.metric_address import MetricAddress, Outputs
from dcrnn_tf.training.settings import TrainingSettings

VALIDATION = "validation"
"""Name of the split that is evaluated during training."""


class Monitor:
    """Follows one metric from evaluation to evaluation.

    A step is the best if its value is better than that of all steps before it, by whatever little.
    What is known so far is in variables, for a checkpoint to hold.

    Args:
      address: Address of the metric.
      patience: Number of evaluations without a better value after which a run ends; None lets it go
        on to its last epoch.

    Attributes:
      variables: State of the monitor by name.

    Example:
      >>> from dcrnn_tf.training.metric_address import MetricAddress
      >>> from dcrnn_tf.training.monitor import Monitor
      >>> monitor = Monitor(MetricAddress("validation", "click", "auc"), patience=2)
      >>> for step, auc in ((10, 0.6), (20, 0.7), (30, 0.69), (40, 0.68)):
      ...     monitor.note(step, {"click": {"auc": auc}})
      >>> monitor.best_step, monitor.ended
      (20, True)
    """

    def __init__(self, address: MetricAddress, patience: int | None = None):
        self.address = address
        self._patience = patience
        self._best_step = tf.Variable(0, dtype=tf.int64)  # 0 while there is none
        self._best_value = tf.Variable(0.0, dtype=tf.float64)
        self._not_better = tf.Variable(0, dtype=tf.int64)  # evaluations since the best one
        self.variables = {
            "monitor_best_step": self._best_step,
            "monitor_best_value": self._best_value,
            "monitor_not_better": self._not_better,
        }

    @property
    def best_step(self) -> int | None:
        """The step with the best value; None where no evaluation had any."""
        return int(self._best_step.numpy()) or None

    @property
    def ended(self) -> bool:
        """Whether the value has not become better for as long as the patience lasts."""
        return self._patience is not None and int(self._not_better.numpy()) >= self._patience

    def note(self, step: int, outputs: Outputs) -> None:
        """Notes an evaluation.

        Args:
          step: Number of the step, from 1.
          outputs: Metrics of the split of the address.

        Raises:
          MetricAddressError: The metric is not among them.
        """
        value = self.address.value(outputs)
        penalty = self.address.penalty
        best = penalty(float(self._best_value.numpy()))
        if value is not None and (self.best_step is None or penalty(value) < best):
            self._best_step.assign(step)
            self._best_value.assign(value)
            self._not_better.assign(0)
        else:
            self._not_better.assign_add(1)

    def sentence(self) -> str:
        """Returns which step is the best, in words."""
        if self.best_step is None:
            return f"{self.address} was not defined at any evaluation"
        return f"{self.address} is best at step {self.best_step} ({self._best_value.numpy():.5g})"


def monitored(
    settings: TrainingSettings, model: MultiTaskModel, dataset: PreparedDataset
) -> MetricAddress | None:
    """Returns the address of the metric that a training monitors; None where it monitors none.

    Args:
      settings: Settings of the training.
      model: The model that is trained.
      dataset: The dataset that it is trained on.

    Raises:
      UsageError: Settings contradict each other or the dataset.
      MetricAddressError: There is no such metric.
    """
    splits = [split for split in dataset.schema.splits if split == VALIDATION]
    wanted = {"evaluate_every": settings.evaluate_every, "monitor": settings.monitor}
    for name, value in wanted.items():
        if value is not None and not splits:
            raise UsageError(
                f"--{name}={value} needs a validation split, and {dataset.folder} has none; leave "
                "it out, or prepare the dataset with one"
            )
    if settings.monitor is None:
        if settings.patience is not None:
            raise UsageError(
                f"--patience={settings.patience} needs a metric; name one, such as "
                "--monitor=validation/mean/auc"
            )
        return None
    address = MetricAddress.parse(settings.monitor)
    tasks = dataset.schema.tasks
    output_kinds = kinds(tasks, model.derived_outputs(tasks))
    address.check(splits, output_kinds, dataset.schema.task_names)
    by_group = {metric.name for metric in metrics.printed() if metric.by_group}
    if address.metric in by_group and not row_groups.available(dataset, settings.group_by):
        raise UsageError(
            f"--monitor={address} needs groups of rows, and {dataset.folder} has no entity table "
            f"{row_groups.DEFAULT}; name a field or an entity table with --group_by"
        )
    return address
