"""One step of training: losses, their balance, gradients, the updates of all weights."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from dcrnn_tf import optimizers
from dcrnn_tf.balancing import Balancing
from dcrnn_tf.distribution.distribution import Distribution, batch_means, weigh
from dcrnn_tf.distribution.replicas import gather_over_replicas
from dcrnn_tf.models import MultiTaskModel
from dcrnn_tf.optimizers.schedules import Schedule, build_schedule
from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.training.checkpoints import numbered
from dcrnn_tf.training.gradient_rules import GradientRules, is_kernel
from dcrnn_tf.training.loss_scale import LossScale
from dcrnn_tf.training.numeric_guard import NumericGuard
from dcrnn_tf.training.running_means import RunningMeans
from dcrnn_tf.training.settings import TrainingSettings
from dcrnn_tf.training.weight_average import WeightAverage, average_names

_ALL_TASKS = "all tasks together"  # the penalties that the model adds included


class TrainingStep:
    """The step of a training, and everything that it changes.

    Args:
      model: The model.
      losses: Losses of the tasks, `{task: function of labels, logits and weights}`.
      balancing: Way in which the tasks' losses become one gradient.
      settings: Settings of the training.
      steps_per_epoch: Number of steps of an epoch, in which schedules are measured.
      distribution: Replicas that train together.

    Attributes:
      balancing: Way of balancing.
      step: Number of the steps done, a variable.
      guard: Guard that knows of numbers that are not finite.
      mean_losses: Sums of the losses since the last line of the log.
      mean_statistics: Sums of the statistics.
      average: Average of the weights; None where the settings ask for none.
      longest_wait: Number of steps after which `finish_tables` is due; None if no row waits.

    Raises:
      UsageError: Settings contradict each other.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        losses: Mapping,
        balancing: Balancing,
        settings: TrainingSettings,
        steps_per_epoch: int,
        distribution: Distribution,
    ):
        check_settings(settings, model, balancing, distribution)
        self._model, self._losses, self.balancing = model, losses, balancing
        self._settings, self._distribution = settings, distribution
        tables = {variable.path for variable in model.embedding_variables}
        self._tables = [v for v in model.trainable_variables if v.path in tables]
        weights = [v for v in model.trainable_variables if v.path not in tables]
        self._others = weights + balancing.trainable_variables
        self.step = tf.Variable(0, dtype=tf.int64)
        self._build_optimizers(steps_per_epoch)
        deferring = isinstance(self._table_optimizer, optimizers.DeferredAdam)
        self.longest_wait = self._table_optimizer.longest_wait if deferring else None
        self._rules = GradientRules(
            settings.embedding_l2,
            settings.dense_l2,
            settings.clip_value,
            settings.clip_norm,
            settings.jit_compile,
        )
        # Other optimizers change every row of a table at each step.
        self._row_wise = isinstance(self._table_optimizer, optimizers.LazyAdam | optimizers.SGD)
        self.average = None
        if settings.weight_average:
            apart = (self._tables, weights) if self._row_wise else ([], self._tables + weights)
            self.average = WeightAverage(*apart, settings.weight_average)
        self._scale = LossScale() if model.dtype_policy.name == FLOAT16_POLICY else None
        self.mean_losses = RunningMeans(losses)
        self.mean_statistics = RunningMeans([*model.statistic_names, *balancing.statistic_names])
        self.guard = NumericGuard([*losses, _ALL_TASKS], self._tables + self._others)

    @property
    def rows_wait(self) -> bool:
        """Whether rows of tables, or of their average, wait for what earlier steps do to them."""
        return self.longest_wait is not None or self.average is not None

    @property
    def rates(self) -> dict[str, float]:
        """The learning rates of the next step, by what they are those of."""
        both = {"dense": self._optimizer, "embedding": self._table_optimizer}
        return {name: float(tf.convert_to_tensor(o.learning_rate)) for name, o in both.items()}

    def variables(self) -> dict[str, tf.Variable]:
        """Returns the state by name, for a checkpoint to hold."""
        state = (
            {f"loss_sum_{task}": v for task, v in self.mean_losses.sums.items()}
            | {f"statistic_sum_{name}": v for name, v in self.mean_statistics.sums.items()}
            | numbered("model", self._model.variables)
            | numbered("table_optimizer", self._table_optimizer.variables)
            | numbered("optimizer", self._optimizer.variables)
            | numbered("balancing", self.balancing.variables)
        )
        if self.average is not None:
            state |= self.average.variables(average_names(self._model))
        return state if self._scale is None else state | self._scale.variables

    def restored(self) -> None:
        """Takes the learning rates of the settings in the place of those of a checkpoint."""
        for optimizer, rate in zip(
            (self._optimizer, self._table_optimizer), self._rates, strict=True
        ):
            if not callable(rate):
                optimizer.learning_rate = rate

    def finish(self) -> None:
        """Makes what waits in every row: deferred updates, and the average."""
        if self.longest_wait is not None:
            for table in self._tables:
                self._table_optimizer.catch_up(table)
        if self.average is not None:
            self.average.finish(self.step)

    def __call__(
        self,
        features: dict,
        labels: dict,
        share: tf.Tensor | None = None,
        weights: Mapping[str, tf.Tensor] | None = None,
    ) -> None:
        """Makes a step on a batch, or on a replica's part of it.

        Args:
          features: Features of the batch.
          labels: Labels, `{task: (batch,)}`.
          share: Share of this replica's part in the rows of the batch; None for the whole batch.
          weights: Weights of the examples, `{task: (batch,)}`.
        """
        labels = self._model.training_labels(labels)
        if self.longest_wait is not None:
            for table, rows in zip(self._tables, self._model.embedding_rows(features), strict=True):
                self._table_optimizer.catch_up(table, gather_over_replicas(rows))
        with tf.GradientTape(persistent=self.balancing.per_task) as tape:
            losses = self.task_losses(features, labels, weights)
            penalties = self._model.losses
            total = self.balancing.total(losses, penalties)
            scaled = total if self._scale is None else self._scale.scaled(total)
        gradients = self.balancing.gradients(
            tape, scaled, losses, penalties, self._tables + self._others
        )
        if self._scale is not None:
            gradients = self._scale.unscaled(gradients)
        statistics = self._model.statistics | self.balancing.statistics
        if share is not None:
            gradients = weigh(gradients, share)
            losses, statistics, total = batch_means((losses, statistics, total), share)
        tolerated = None if self._scale is None else self._scale.can_fall
        finite = self.guard.watch(
            self.step + 1, {**losses, _ALL_TASKS: total}, gradients, tolerated
        )
        gradients = self._rules.apply(gradients, self._tables, self._others)
        if self._scale is None:
            self._update(gradients)
        else:
            self._scale.follow(finite, lambda: self._update(gradients))
        if self.balancing.looks_back:
            self.balancing.look_back(self.task_losses(features, labels, weights))
        self.mean_losses.add(losses)
        self.mean_statistics.add(statistics)
        self.step.assign_add(1)

    def task_losses(
        self, features: dict, labels: dict, weights: Mapping[str, tf.Tensor] | None
    ) -> dict[str, tf.Tensor]:
        """Returns the loss of each task on what `__call__` takes."""
        logits = self._model.training_logits(features, labels)
        losses = {
            task: loss(labels[task], logits[task], None if weights is None else weights[task])
            for task, loss in self._losses.items()
        }
        return self._distribution.means_of_part(losses)

    def _update(self, gradients: list) -> None:
        of_tables = gradients[: len(self._tables)]
        if self.average is not None:
            self.average.catch_up(self.step, self._changed_rows(of_tables))
        self._table_optimizer.apply(of_tables, self._tables)
        self._optimizer.apply(gradients[len(self._tables) :], self._others)

    def _changed_rows(self, gradients: list) -> list[tf.Tensor | None]:
        """Returns the rows of each table that a step changes; None for all of them."""
        if not self._row_wise:
            return []
        return [
            gather_over_replicas(g.indices) if isinstance(g, tf.IndexedSlices) else None
            for g in gradients
        ]

    def _of_this_run(self, schedule: Schedule | float) -> Callable[[], tf.Tensor] | float:
        """Lets a schedule begin with the run, whose optimizers may have steps of an earlier one."""
        return (lambda: schedule(self.step)) if callable(schedule) else schedule

    def _build_optimizers(self, steps_per_epoch: int) -> None:
        settings = self._settings
        rates = settings.learning_rate, settings.learning_rate
        if settings.embedding_learning_rate is not None:
            rates = settings.learning_rate, settings.embedding_learning_rate
        schedules = [scheduled(rate, settings, steps_per_epoch) for rate in rates]
        self._rates = [self._of_this_run(schedule) for schedule in schedules]
        self._optimizer = optimizers.build(
            settings.optimizer, self._rates[0], settings.weight_decay or None
        )
        if settings.weight_decay:
            others = [variable for variable in self._others if not is_kernel(variable)]
            self._optimizer.exclude_from_weight_decay(var_list=others)
        self._table_optimizer = optimizers.build_for_tables(
            settings.embedding_optimizer,
            self._rates[1],
            settings.jit_compile,
            settings.embedding_weight_decay,
        )
        self._table_optimizer.build(self._tables)
        self._optimizer.build(self._others)


FLOAT16_POLICY = "mixed_float16"
_LENGTHS = ("schedule_length", "schedule_factor")


def scheduled(rate: float, settings: TrainingSettings, steps_per_epoch: int) -> Schedule | float:
    """Returns a learning rate with the schedule of the settings.

    Args:
      rate: Rate at which the schedule begins.
      settings: Settings of the training.
      steps_per_epoch: Number of steps of an epoch.
    """
    per_unit = steps_per_epoch if settings.schedule_unit == "epochs" else 1
    warmup = round(settings.warmup * per_unit)
    falls_once = settings.schedule in ("cosine", "linear")
    if settings.schedule_length is not None:
        length = round(settings.schedule_length * per_unit)
    elif falls_once:
        length = settings.epochs * steps_per_epoch - warmup
    else:
        length = steps_per_epoch
    factor = settings.schedule_factor
    if factor is None:
        factor = 0.0 if falls_once else 0.5
    return build_schedule(settings.schedule, rate, max(length, 1), factor, warmup)


def check_settings(
    settings: TrainingSettings,
    model: MultiTaskModel,
    balancing: Balancing,
    distribution: Distribution,
) -> None:
    """Refuses settings that contradict each other.

    Args:
      settings: Settings of the training.
      model: The model.
      balancing: Way of balancing.
      distribution: Replicas that train together.

    Raises:
      UsageError: Settings contradict each other.
    """
    if settings.schedule == "constant":
        for name in [name for name in _LENGTHS if getattr(settings, name) is not None]:
            raise UsageError(
                f"--{name} belongs to a --schedule that changes the rate; name one, such as "
                "--schedule=cosine"
            )
    if settings.weight_average and settings.embedding_optimizer == "adam_deferred":
        raise UsageError(
            "--weight_average does not go with --embedding_optimizer=adam_deferred, whose rows "
            "move while they wait; take lazy_adam"
        )
    if model.normalization == "batch" and distribution.replicas > 1:
        raise UsageError(
            "normalization=batch takes its averages over a batch, of which each replica has a "
            "part; take normalization=layer, or --strategy=none"
        )
    if model.dtype_policy.name != FLOAT16_POLICY:
        return
    if balancing.per_task:
        raise UsageError(
            "float16 scales the sum of the losses, and this way of balancing takes the gradient of "
            "each; take another --balancing, or --mixed_precision=bfloat16"
        )
    if distribution.replicas > 1:
        raise UsageError(
            "float16 leaves out steps, which several replicas do not do together; take "
            "--mixed_precision=bfloat16, or --strategy=none"
        )
