"""What a run logs: lines of `metrics.jsonl`, and TensorBoard's scalars beside them."""

import pathlib
from collections.abc import Mapping

import tensorflow as tf

from dcrnn_tf import metrics
from dcrnn_tf.training import metrics_log
from dcrnn_tf.training.metrics_log import METRICS_FILE


class RunLog:
    """The log of one run, which the chief alone writes.

    Args:
      run_dir: Folder of the run.
      is_chief: Whether this worker writes.
    """

    def __init__(self, run_dir: pathlib.Path, is_chief: bool):
        self._folder = run_dir / "tensorboard"
        self._path = run_dir / METRICS_FILE
        self._is_chief = is_chief

    def writer(self) -> tf.summary.SummaryWriter:
        """Returns TensorBoard's writer, in whose scope the other methods are called."""
        if self._is_chief:
            return tf.summary.create_file_writer(str(self._folder))
        return tf.summary.create_noop_writer()

    @property
    def size(self) -> int:
        """Bytes of `metrics.jsonl`."""
        return self._path.stat().st_size if self._path.exists() else 0

    def best_step(self) -> int | None:
        """Returns the step with the best primary metrics on the validation split."""
        return metrics_log.best_step(metrics_log.read(self._path))

    def cut(self, size: int, step: int) -> None:
        """Removes the lines that were written after a checkpoint, see `metrics_log.cut`."""
        if self._is_chief:
            metrics_log.cut(self._path, size, step)

    def losses(
        self,
        epoch: int,
        step: int,
        losses: Mapping[str, float],
        statistics: Mapping[str, float],
        rates: Mapping[str, float],
        rows_per_second: float,
    ) -> None:
        """Logs the means of the steps since the last line."""
        for kind, values in (("loss", losses), ("statistics", statistics), ("rate", rates)):
            for name, value in values.items():
                tf.summary.scalar(f"{kind}/{name}", value, step)
        tf.summary.scalar("rows_per_second", rows_per_second, step)
        entry = {
            "kind": "train",
            "epoch": epoch,
            "step": step,
            "loss": sum(losses.values()),
            "losses": dict(losses),
            **({"statistics": dict(statistics)} if statistics else {}),
            "rows_per_second": round(rows_per_second, 1),
        }
        self._append(entry)

    def evaluation(self, epoch: int, step: int, split: str, figures: Mapping) -> None:
        """Logs the metrics of a split, `{task or derived output: {metric: value}}`."""
        for task, values in figures.items():
            for metric in metrics.registered():
                if (value := values.get(metric.name)) is not None:
                    tf.summary.scalar(f"{split}/{task}/{metric.name}", value, step)
        entry = {"kind": "evaluation", "epoch": epoch, "step": step, "split": split}
        self._append(entry | {"metrics": figures})

    def _append(self, entry: Mapping) -> None:
        if self._is_chief:
            metrics_log.append(self._path, entry)
