"""The steps after which training pauses: for a line of the log, an evaluation, a checkpoint."""

from dcrnn_tf.training.settings import TrainingSettings


class Pauses:
    """The pauses of a run within its epochs.

    Args:
      settings: Settings of the training loop.
      steps_per_epoch: Steps of an epoch.
      longest_wait: Steps after which rows that wait for updates are brought up to date; None
        where none wait.
    """

    def __init__(self, settings: TrainingSettings, steps_per_epoch: int, longest_wait: int | None):
        self._settings = settings
        self._steps_per_epoch = steps_per_epoch
        every = [settings.log_every, settings.checkpoint_every]
        every += [n for n in (settings.evaluate_every, longest_wait) if n is not None]
        self._every = every

    def is_evaluation(self, step: int) -> bool:
        """Whether the validation split is evaluated at a step within an epoch."""
        every = self._settings.evaluate_every
        return every is not None and not step % every and self._is_within(step)

    def is_checkpoint(self, step: int) -> bool:
        """Whether there is a checkpoint at a step within an epoch, without an evaluation."""
        return not step % self._settings.checkpoint_every and self._is_within(step)

    def steps_together(self, step: int, end: int) -> int:
        """Returns the steps from one step to the next pause; 0 at the epoch's end.

        Args:
          step: Steps done.
          end: Steps at the end of the epoch.
        """
        to_pauses = [count - step % count for count in self._every]
        return min(self._settings.steps_per_execution, end - step, *to_pauses)

    def _is_within(self, step: int) -> bool:
        return step % self._steps_per_epoch > 0
