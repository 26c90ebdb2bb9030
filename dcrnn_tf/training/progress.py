"""How far a run has come: steps, epochs and time, in variables that checkpoints hold."""

import time

import tensorflow as tf


class Progress:
    """Counts and times of a run, which go on where its last checkpoint was made.

    Args:
      step: Number of steps done, which the training step counts.
      batch_size: Rows of a step.
      evaluates_within_epochs: Whether there are evaluations within epochs to be counted.

    Attributes:
      batch_size: Rows of a step.
      variables: All of it by name, for checkpoints.
    """

    def __init__(self, step: tf.Variable, batch_size: int, evaluates_within_epochs: bool):
        self.batch_size = batch_size
        self.variables = {
            "step": step,
            "epochs_evaluated": tf.Variable(0, dtype=tf.int64),
            "metrics_bytes": tf.Variable(0, dtype=tf.int64),
            "seconds_timed": tf.Variable(0.0, dtype=tf.float64),
            "steps_timed": tf.Variable(0, dtype=tf.int64),
            "seconds": tf.Variable(0.0, dtype=tf.float64),
            "processor_seconds": tf.Variable(0.0, dtype=tf.float64),
        }
        if evaluates_within_epochs:
            self.variables["evaluated"] = tf.Variable(0, dtype=tf.int64)
        self._started: float | None = None
        self._processor_seconds_before = 0.0

    def count(self, name: str) -> int:
        """Returns a variable that counts."""
        return int(self.variables[name].numpy())

    @property
    def rows_per_second(self) -> float:
        """Rows trained on per second of the clock that runs while steps are done."""
        rows = self.count("steps_timed") * self.batch_size
        return rows / max(float(self.variables["seconds_timed"].numpy()), 1e-9)

    @property
    def seconds(self) -> float:
        """Time of the whole run up to its last checkpoint, interruptions left out."""
        return float(self.variables["seconds"].numpy())

    @property
    def processor_seconds(self) -> float:
        """Processor time of the whole run so far, start-up of each of its processes included."""
        return self._processor_seconds_before + time.process_time()

    def begin(self) -> None:
        """Starts the clocks of this process, behind the times of those before it."""
        self._started = time.monotonic() - self.seconds
        self._processor_seconds_before = float(self.variables["processor_seconds"].numpy())

    def note_times(self) -> None:
        """Writes the times into the variables, for a checkpoint."""
        if self._started is not None:
            self.variables["seconds"].assign(time.monotonic() - self._started)
        self.variables["processor_seconds"].assign(self.processor_seconds)


class Stopwatch:
    """The clock that runs while steps are done, and stands at evaluations and checkpoints.

    Args:
      progress: Progress that the times are added to.
      step: Steps done when the clock starts.
    """

    def __init__(self, progress: Progress, step: int):
        self._progress = progress
        self.restart(step)

    def restart(self, step: int) -> None:
        """Starts anew; what has not been stopped is not counted."""
        now = time.monotonic()
        self._from = self._lap_from = (step, now)

    def lap(self, step: int) -> float:
        """Returns the rows per second since the last lap."""
        now = time.monotonic()
        (before, at), self._lap_from = self._lap_from, (step, now)
        return (step - before) * self._progress.batch_size / max(now - at, 1e-9)

    def stop(self, step: int) -> None:
        """Adds the time and the steps to the progress."""
        before, at = self._from
        self._progress.variables["seconds_timed"].assign_add(time.monotonic() - at)
        self._progress.variables["steps_timed"].assign_add(step - before)
