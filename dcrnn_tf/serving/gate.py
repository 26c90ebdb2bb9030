"""The gate before a new version of a served model: it is compared with the version before it.

The version before brought golden requests along, rows of its dataset with their labels. Both
versions answer them, as a server would have them do.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl  # the reader has no public name

from dcrnn_tf import metrics
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import MULTICLASS, REGRESSION, Schema, Task
from dcrnn_tf.serving import warmup
from dcrnn_tf.serving.serving_model import ServingModel
from dcrnn_tf.serving.signatures import argument_names
from dcrnn_tf.system.errors import UserError

REQUESTS_FILE, LABELS_FILE = "golden_requests", "golden_labels.json"
GOLDEN_ROWS = 4096
_SIGNATURE = "serving_default"
_SMALLEST = 1e-7  # of a probability, whose logit a metric is computed of


class GateError(UserError):
    """A new version must not take the place of the one before it."""


@dataclasses.dataclass(frozen=True)
class Fall:
    """The primary metric of a task on the golden requests.

    Attributes:
      task: Name of the task.
      metric: The metric.
      before: Its value by the version before; None where it is not defined.
      now: Its value by the new version.
    """

    task: str
    metric: metrics.Metric
    before: float | None
    now: float | None

    @property
    def amount(self) -> float:
        """By how much the metric has become worse."""
        if self.before is None or self.now is None:
            return 0.0
        return self.metric.penalty(self.now) - self.metric.penalty(self.before)

    def __str__(self) -> str:
        values = (
            "n/a" if value is None else f"{value:{self.metric.form}}"
            for value in (self.before, self.now)
        )
        return f"{self.task}: {self.metric.label} " + " before, ".join(values) + " now"


def write_golden(
    extra: pathlib.Path, serving_model: ServingModel, dataset: PreparedDataset
) -> None:
    """Writes golden requests and their labels into a version's `assets.extra`.

    Args:
      extra: The folder.
      serving_model: The version.
      dataset: Dataset of the model.
    """
    inputs, labels = serving_model.labelled_rows(dataset, GOLDEN_ROWS)
    warmup.write(extra, "golden", {_SIGNATURE: inputs}, REQUESTS_FILE)
    text = json.dumps({task: label.tolist() for task, label in labels.items()})
    (extra / LABELS_FILE).write_text(text, encoding="utf-8")


def check(
    new: pathlib.Path, before: pathlib.Path, schema: Schema, largest_fall: float
) -> list[Fall]:
    """Compares a new version with the one before it.

    Args:
      new: Folder of the new version.
      before: Folder of the version before.
      schema: Schema of the new version's dataset.
      largest_fall: By how much the primary metric of a task may become worse.

    Returns:
      The metrics of both, where the version before has golden requests.

    Raises:
      GateError: Signatures differ, an answer is not a finite number, or a metric falls by more.
    """
    _check_signatures(new, before)
    extra = before / "assets.extra"
    if not (extra / REQUESTS_FILE).exists():
        return []
    ((_, inputs),) = warmup.read(extra, REQUESTS_FILE)
    answers = [_answers(folder, inputs) for folder in (before, new)]
    for output, values in answers[1].items():
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))
            raise GateError(
                f"the new version gives {values[row]} as {output} in row {row} of the golden "
                f"requests of {before}, so that nothing was exported; train the model again"
            )
    content = json.loads((extra / LABELS_FILE).read_text(encoding="utf-8"))
    labels = {task: np.array(label, np.float32) for task, label in content.items()}
    falls = list(_falls(schema.tasks, labels, *answers))
    for fall in falls:
        if fall.amount > largest_fall:
            raise GateError(
                f"{fall} on the golden requests of {before}, a fall of more than "
                f"{largest_fall:g}, so that nothing was exported; give a larger --largest_fall if "
                "that is as it should be"
            )
    return falls


def _falls(
    tasks: Sequence[Task],
    labels: Mapping[str, np.ndarray],
    before: Mapping[str, np.ndarray],
    now: Mapping[str, np.ndarray],
) -> Iterator[Fall]:
    for task in tasks:
        if task.name not in labels or task.name not in before:
            continue
        metric = metrics.get(metrics.PRIMARIES[task.kind])
        values = (primary(task, labels[task.name], side[task.name]) for side in (before, now))
        yield Fall(task.name, metric, *values)


def primary(task: Task, labels: np.ndarray, answers: np.ndarray) -> float | None:
    """Returns the primary metric of a task; None where it is not defined.

    Args:
      task: The task.
      labels: Its labels.
      answers: What a served model gives for the same rows.
    """
    defined = np.asarray(task.defined(labels))
    columns = _columns(task.kind, labels[defined], answers[defined])
    return metrics.compute(columns, task.kind)[metrics.PRIMARIES[task.kind]]


def _columns(kind: str, labels: np.ndarray, answers: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the columns of metrics, of labels and what a served model gives."""
    if kind == REGRESSION:
        return {"labels": labels, "predictions": answers}
    answers = np.clip(answers.astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    if kind == MULTICLASS:
        return {"labels": labels, "class_logits": np.log(answers)}
    return {"labels": labels, "logits": np.log(answers) - np.log1p(-answers)}


def _answers(folder: pathlib.Path, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    arguments = argument_names(inputs)
    tensors = {arguments[name]: tf.constant(array) for name, array in inputs.items()}
    answers = tf.saved_model.load(str(folder)).signatures[_SIGNATURE](**tensors)
    return {output: answers[output].numpy() for output in sorted(answers)}  # in no order of its own


def _check_signatures(new: pathlib.Path, before: pathlib.Path) -> None:
    found, expected = (_signatures(folder) for folder in (new, before))
    for signature, parts in expected.items():  # one that the version before lacks has no clients
        others = found.get(signature, {})
        for part in sorted({*parts, *others}):
            if others.get(part) != parts.get(part):
                raise GateError(
                    f"{part} is {others.get(part, 'missing')}, and {parts.get(part, 'missing')} in "
                    f"{before}, so that clients of that version would fail and nothing was "
                    "exported; export to another --export_dir, or with --gate=false"
                )


def _signatures(folder: pathlib.Path) -> dict[str, dict[str, str]]:
    """Types and ranks of all inputs and outputs, by signature and by the words that name them."""
    (graph,) = loader_impl.parse_saved_model(str(folder)).meta_graphs
    found: dict[str, dict[str, str]] = {}
    for name, signature in graph.signature_def.items():
        if name.startswith("__"):  # TensorFlow's own
            continue
        parts = found[name] = {}
        for what, tensors in (("input", signature.inputs), ("output", signature.outputs)):
            for key, info in tensors.items():
                kind = tf.dtypes.as_dtype(info.dtype).name
                rank = len(info.tensor_shape.dim)
                parts[f"{what} {key} of signature {name}"] = f"{kind} of rank {rank}"
    return found
