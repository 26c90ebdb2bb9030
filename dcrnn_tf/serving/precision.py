"""What is lost where embedding tables are stored in fewer bytes, measured before an export."""

import dataclasses
import itertools
import json
import math
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from dcrnn_tf import metrics
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.serving import gate
from dcrnn_tf.serving.serving_model import ServingModel, batches
from dcrnn_tf.system.errors import UserError

FILE = "precision.json"
ROWS = 65_536  # that are scored twice, at most
_BATCH = 4096


class PrecisionError(UserError):
    """A model whose tables are stored in fewer bytes answers too differently."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far an output moves.

    Attributes:
      output: Name of the output.
      largest: Largest difference of one row; of an output that is a number, as a share of the
        largest number.
      mean: Mean of the differences, likewise.
    """

    output: str
    largest: float
    mean: float

    def __str__(self) -> str:
        return f"{self.output} moves by {self.largest:.2g} at most, {self.mean:.2g} on average"


@dataclasses.dataclass(frozen=True)
class Change:
    """The primary metric of a task in float32, and as tables are stored.

    Attributes:
      task: Name of the task.
      metric: Name of the metric.
      before: Its value in float32; None where it is not defined.
      after: Its value as tables are stored.
    """

    task: str
    metric: str
    before: float | None
    after: float | None

    def __str__(self) -> str:
        metric = metrics.get(self.metric)
        values = ("n/a" if value is None else f"{value:.6f}" for value in (self.before, self.after))
        return f"{self.task}: {metric.label} " + " in float32, ".join(values) + " as stored"


@dataclasses.dataclass(frozen=True)
class Precision:
    """What is lost.

    Attributes:
      table_precision: Type in which tables are stored.
      rows: Number of rows that were scored.
      differences: Differences of each output.
      changes: Primary metric of each task.
    """

    table_precision: str
    rows: int
    differences: Sequence[Difference]
    changes: Sequence[Change]

    def write(self, extra: pathlib.Path) -> None:
        """Writes `precision.json` into a version's `assets.extra`."""
        text = json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=2) + "\n"
        (extra / FILE).write_text(text, encoding="utf-8")

    def check(self, largest: float) -> None:
        """Refuses outputs that move too far.

        Args:
          largest: Largest difference of a probability.

        Raises:
          PrecisionError: There is one.
        """
        furthest = max(self.differences, key=lambda d: (math.isnan(d.largest), d.largest))
        if not furthest.largest <= largest:  # NaN is too far as well
            raise PrecisionError(
                f"with tables in {self.table_precision} {furthest}, which is more than "
                f"{largest:g}, so that nothing was exported; choose another --table_precision, or "
                "a larger --largest_difference if that is as it should be"
            )


def measured(serving_model: ServingModel, dataset: PreparedDataset) -> Precision:
    """Returns what is lost on rows of the validation split.

    Args:
      serving_model: A model whose tables are stored in fewer bytes.
      dataset: Dataset of the model; of a dataset without a validation split another one is taken.
    """
    parts = [
        (*serving_model.both(features), labels)
        for features, labels in itertools.islice(batches(dataset, _BATCH), ROWS // _BATCH)
    ]
    before, after, label = map(_joined, zip(*parts, strict=True))
    count = len(next(iter(before.values())))
    differences = []
    for output in serving_model.outputs:
        distances = np.abs(after[output].astype(np.float64) - before[output])
        if output in serving_model.numbers:
            distances /= max(float(np.abs(before[output]).max()), np.finfo(np.float32).tiny)
        differences.append(Difference(output, float(distances.max()), float(distances.mean())))
    changes = [
        Change(
            task.name,
            metrics.PRIMARIES[task.kind],
            *(gate.primary(task, label[task.name], side[task.name]) for side in (before, after)),
        )
        for task in serving_model.tasks
    ]
    return Precision(serving_model.table_precision, count, tuple(differences), tuple(changes))


def _joined(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
