"""The custom training loop: steps, checkpoints, resume and logs."""

import contextlib
import pathlib
from collections.abc import Callable, Mapping

import tensorflow as tf
import tqdm

from dcrnn_tf.balancing import Balancing
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.distribution.distribution import Distribution
from dcrnn_tf.models import MultiTaskModel
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.interruption import Interrupted, Interruption
from dcrnn_tf.training.checkpoints import CHECKPOINTS, Checkpoints, numbered
from dcrnn_tf.training.evaluation import Predictor, evaluate, row_groups, weights_of
from dcrnn_tf.training.losses import multi_task_losses
from dcrnn_tf.training.monitor import VALIDATION, Monitor, monitored
from dcrnn_tf.training.numeric_guard import non_finite_weights
from dcrnn_tf.training.pauses import Pauses
from dcrnn_tf.training.progress import Progress, Stopwatch
from dcrnn_tf.training.run_log import RunLog
from dcrnn_tf.training.settings import TrainingSettings
from dcrnn_tf.training.step import TrainingStep
from dcrnn_tf.training.warm_start import Carried, Earlier, carry
from dcrnn_tf.training.weight_average import averaged


class TrainingError(UserError):
    """Training cannot continue."""


class _Signalled(Exception):
    """SIGINT or SIGTERM has come during an evaluation."""


class Trainer:
    """Trains one model in a run folder, from the start or from the last checkpoint.

    A run that is killed and started again ends with the same bits as one that was not: batches
    depend on seed and epoch alone, and a checkpoint holds weights, optimizer states, random
    states, the sums behind the next line of losses and the length of the metrics file. SIGINT and
    SIGTERM are obeyed between two steps, after a checkpoint. No checkpoint is ever made of a state
    in which a loss, a gradient or a weight was not finite.

    Args:
      model: A built model, `{task: logit}` out. Its `training_logits(features, labels)` gives the
        logits of a training step, its `losses` are added to the tasks' losses, and its `statistics`
        are logged.
      dataset: Dataset to train on; its `validation` split, if any, is evaluated after each epoch,
        and as often beside as the settings say.
      settings: Settings of the training loop.
      positive_weights: `{task: factor on the positives' loss}`.
      run_dir: Folder of checkpoints, `metrics.jsonl` and TensorBoard events.
      balancing: Way in which the tasks' losses become one gradient; their sum by default.
      distribution: Replicas that train together; model and trainer are made in its scope. All of
        them read the checkpoints, the chief alone writes.
      after_validation: Function that is called with the step and the metrics of each evaluation of
        the validation split, once there is a checkpoint of that step. What it raises ends training.

    Attributes:
      progress: Steps, epochs and times of the run so far.
      train_step: The compiled training step, a function of the features and labels of a batch.
      monitor: Monitor of the metric that decides which step counts; None where the last one does.

    Raises:
      ModelError: The model does not take these positive weights.
      UsageError: Settings contradict each other or the dataset.
      MetricAddressError: There is no such metric as the settings monitor.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        dataset: PreparedDataset,
        settings: TrainingSettings,
        positive_weights: Mapping[str, float],
        run_dir: str | pathlib.Path,
        balancing: Balancing | None = None,
        distribution: Distribution | None = None,
        after_validation: Callable[[int, Mapping], object] = lambda step, metrics: None,
    ):
        model.check_positive_weights(positive_weights)
        address = monitored(settings, model, dataset)
        self.monitor = None if address is None else Monitor(address, settings.patience)
        row_groups.check(dataset, settings.group_by)
        self.model = model
        self.dataset = dataset
        self.settings = settings
        self._distribution = distribution or Distribution()
        self.predictor = Predictor(model, positive_weights, self._distribution)
        task_losses = multi_task_losses(positive_weights, dataset.schema.tasks)
        self._run_dir = pathlib.Path(run_dir)
        self._after_validation = after_validation
        self._steps_per_epoch = dataset.steps("train", settings.batch_size)
        self._step = TrainingStep(
            model,
            task_losses,
            balancing or Balancing(tuple(task_losses)),
            settings,
            self._steps_per_epoch,
            self._distribution,
        )
        self.progress = Progress(
            self._step.step, settings.batch_size, settings.evaluate_every is not None
        )
        self._pauses = Pauses(settings, self._steps_per_epoch, self._step.longest_wait)
        self._log = RunLog(self._run_dir, self._distribution.is_chief)
        self._checkpoints = Checkpoints(self._run_dir / CHECKPOINTS, self._state())
        self._saved_step: int | None = None
        self._interruption = Interruption()
        # Traced for batches of any size, so that a run can continue with a batch of any size.
        # There is no control flow for AutoGraph to convert, and it would leave temporary files
        # behind when the process is killed.
        step = self._distribution.on_replicas(self._step)
        step = tf.function(step, autograph=False, jit_compile=settings.jit_compile or None)
        self.train_step = step.get_concrete_function(*self._batches().element_spec)
        self._train_steps = tf.function(self._several_steps, autograph=False)
        self._warm = False

    @property
    def steps(self) -> int:
        """Steps done so far."""
        return self.progress.count("step")

    @property
    def epochs(self) -> int:
        """Epochs begun so far."""
        return -(-self.steps // self._steps_per_epoch)

    def restore(self) -> int | None:
        """Reads the newest checkpoint and removes the metrics that were logged after it.

        Returns:
          The step of the checkpoint; None where there is none.

        Raises:
          DatasetError: There are checkpoints, but none can be read; or a line of the metrics up to
            the checkpoint is damaged.
          DistributionError: Other workers have read another checkpoint.
        """
        step = self._saved_step = self._checkpoints.restore()
        self._step.restored()
        self._distribution.check_same(step)
        self._log.cut(0 if step is None else self.progress.count("metrics_bytes"), step or 0)
        return step

    def start_from(self, earlier: Earlier) -> Carried:
        """Takes the weights and moments of an earlier run, before the first step.

        Raises:
          WarmStartError: Its checkpoint cannot be read, or is of another architecture.
        """
        return carry(self._state(), self.model, self.dataset.vocabularies(), earlier)

    def train(self) -> None:
        """Trains to the end of the last epoch, or of patience, from the step that the state is at.

        Raises:
          TrainingError: A loss, a gradient or a weight is not finite.
          Interrupted: SIGINT or SIGTERM came; a checkpoint to continue from is written.
        """
        self.progress.begin()
        total = self.settings.epochs * self._steps_per_epoch
        chief = self._distribution.is_chief
        bar = tqdm.tqdm(
            total=total * self.settings.batch_size,
            initial=self.steps * self.settings.batch_size,
            unit=" rows",
            unit_scale=True,
            mininterval=1.0,
            desc=self._run_dir.name,
            disable=not chief,
        )
        with self._log.writer().as_default(), bar, self.dataset.naming_damage(), self._interruption:
            for epoch in range(self.progress.count("epochs_evaluated"), self.settings.epochs):
                if not self._ended:
                    self._train_epoch(epoch, bar.update)
                if self._ended:
                    break
                metrics_found = self._validate()
                self.progress.variables["epochs_evaluated"].assign(epoch + 1)
                self.checkpoint()
                self._tell_of_validation(metrics_found)
                self._obey(self._distribution.agreed(self._interruption.number))
        if chief and self.monitor is not None and self.steps < total:
            done = f"{self.steps:,} of {total:,} steps"
            print(f"Training ends after {done}: {self.monitor.sentence()}.")

    def take_result(self) -> int:
        """Takes the weights that count, and returns their step; the last call of a training.

        They are those of the best step by `monitor`, the last ones where nothing is monitored; and
        their average, where the settings ask for one.

        Raises:
          DatasetError: The checkpoint of that step cannot be read.
        """
        best = None if self.monitor is None else self.monitor.best_step
        average = self._step.average
        if best is None or best == self.steps:
            if average is not None:
                average.swap()
            return self.steps
        self._distribution.wait()  # for the chief, which writes
        model = self.model
        variables = numbered("model", model.variables) if average is None else averaged(model)
        Checkpoints(self._run_dir / CHECKPOINTS, variables, partial=True).restore(best)
        return best

    def evaluate(self, split: str) -> dict:
        """Evaluates a split and logs its metrics, `{task or derived output: {metric: value}}`."""
        average = self._step.average
        try:
            with contextlib.nullcontext() if average is None else average.taken():
                predictions = self.predictor.predict(
                    self.dataset, split, progress=lambda rows: self._after_evaluated_batch()
                )
        except _Signalled:  # here, where the weights are those of training again
            self._obey(self._interruption.number)
            raise
        tasks = self.dataset.schema.tasks
        derived_outputs = self.model.derived_outputs(tasks)
        weights = weights_of(self.dataset, split, derived_outputs)
        groups = row_groups.read(self.dataset, split, self.settings.group_by)
        figures = evaluate(*predictions, derived_outputs, tasks, weights, groups)
        self._log.evaluation(self.epochs, self.steps, split, figures)
        if self.monitor is not None and self.monitor.address.split == split:
            self.monitor.note(self.steps, figures)
        return figures

    @property
    def _ended(self) -> bool:
        return self.monitor is not None and self.monitor.ended

    def _validate(self) -> dict | None:
        self._check_weights()
        self._step.finish()
        there = VALIDATION in self.dataset.schema.splits
        return self.evaluate(VALIDATION) if there else None

    def checkpoint(self) -> None:
        """Saves everything that a continued run needs, with every embedding row up to date.

        Raises:
          TrainingError: A loss, a gradient or a weight is not finite.
        """
        self._check_weights()
        self._step.finish()
        self._save()

    def _save(self, only_to_continue: bool = False) -> None:
        self.progress.note_times()
        if self._distribution.is_chief:
            self.progress.variables["metrics_bytes"].assign(self._log.size)
            best = self._log.best_step() if self.monitor is None else self.monitor.best_step
            self._checkpoints.save(self.steps, only_to_continue, spared=best)
        self._saved_step = self.steps

    def _after_evaluated_batch(self) -> None:
        self._distribution.beat()
        alone = self._distribution.workers == 1  # several would not end at the same batch
        if alone and self._interruption.number is not None:
            raise _Signalled

    def _obey(self, number: int | None) -> None:
        """Ends the run if a signal has asked for it, after a checkpoint of the step it is at."""
        if number is None:
            return
        if self._saved_step != self.steps:
            self._check_weights()
            # What waits in rows waits on: making it now would change the bits of the run.
            self._save(only_to_continue=self._step.rows_wait)
        raise Interrupted(
            number,
            f" at step {self.steps}, of which there is a checkpoint; the same command goes on from "
            "it",
        )

    def _check_weights(self) -> None:
        self._check_steps()
        if names := non_finite_weights(self.model.variables):
            self._stop(f"after step {self.steps} weights of {', '.join(names)} are not finite")

    def _check_steps(self) -> None:
        if (finding := self._step.guard.finding()) is not None:
            self._stop(finding)

    def _stop(self, finding: str) -> None:
        steps = self._checkpoints.steps()
        last = f"the last checkpoint is that of step {steps[-1]}" if steps else "no checkpoint yet"
        raise TrainingError(
            f"{finding} ({last}); lower the learning rate, or look for damaged numbers in "
            f"{self.dataset.folder} with dcrnn_tf.dataset.verification.findings"
        )

    def _batches(self, epoch: int = 0, skip: int = 0) -> tf.data.Dataset:
        settings = self.settings
        return self.dataset.batches(
            "train",
            settings.batch_size,
            settings.seed,
            epoch,
            skip,
            settings.jit_compile,
            parts=self._distribution.parts,
        )

    def _train_epoch(self, epoch: int, advance: Callable[[int], object]) -> None:
        settings = self.settings
        step = self.steps
        batches = iter(self._batches(epoch, step - epoch * self._steps_per_epoch))
        watch = Stopwatch(self.progress, step)
        if self._evaluates(step):  # the run was interrupted in this evaluation
            self._validate_within_epoch()
        end = (epoch + 1) * self._steps_per_epoch
        while not self._ended and (count := self._steps_together(step, end)):
            if count == 1:
                self.train_step(*next(batches))
            else:
                self._train_steps(batches, tf.constant(count))
            step += count
            self._distribution.beat()
            advance(count * settings.batch_size)
            if not self._warm:  # the first step of a process compiles
                self._warm = True
                watch.restart(step)
            if step % settings.log_every == 0:
                rows_per_second = watch.lap(step)
                self._check_steps()
                self._log_losses(epoch, rows_per_second)
            if self._step.longest_wait and step % self._step.longest_wait == 0:
                self._step.finish()
            if self._evaluates(step) or self._pauses.is_checkpoint(step):
                watch.stop(step)
                if self._evaluates(step):
                    self._validate_within_epoch()
                else:
                    self.checkpoint()
                watch.restart(step)
            signal = self._distribution.agreed(self._interruption.number, step)
            if signal is not None:
                watch.stop(step)
                self._obey(signal)
        watch.stop(step)

    def _evaluates(self, step: int) -> bool:
        """Whether an evaluation within an epoch is due at a step, and has not been."""
        return self._pauses.is_evaluation(step) and self.progress.count("evaluated") < step

    def _validate_within_epoch(self) -> None:
        metrics_found = self._validate()
        self.progress.variables["evaluated"].assign(self.steps)
        self.checkpoint()
        self._tell_of_validation(metrics_found)

    def _tell_of_validation(self, metrics_found: Mapping | None) -> None:
        if metrics_found is not None:
            self._after_validation(self.steps, metrics_found)

    def _steps_together(self, step: int, end: int) -> int:
        if not self._warm:  # the first step compiles the function that the others use
            return min(1, end - step)
        return self._pauses.steps_together(step, end)

    def _several_steps(self, batches: tf.data.Iterator, count: tf.Tensor) -> None:
        def one_more(done: tf.Tensor) -> tuple[tf.Tensor]:
            self.train_step(*batches.get_next())
            return (done + 1,)

        tf.while_loop(lambda done: done < count, one_more, (0,), parallel_iterations=1)

    def _log_losses(self, epoch: int, rows_per_second: float) -> None:
        losses = self._step.mean_losses.take(self.settings.log_every)
        statistics = self._step.mean_statistics.take(self.settings.log_every)
        rates = self._step.rates
        self._log.losses(epoch + 1, self.steps, losses, statistics, rates, rows_per_second)

    def _state(self) -> dict[str, tf.Variable]:
        return (
            {f"progress_{name}": variable for name, variable in self.progress.variables.items()}
            | self._step.variables()
            | ({} if self.monitor is None else self.monitor.variables)
        )
