"""Makes the run folder of a model that is fitted at once, rather than trained in steps."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import BINARY, Schema, Task
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.training.evaluation import row_groups
from experiments.runs import finish, reuse, run_folder
from experiments.runs.finish import Columns

Inputs = TypeVar("Inputs")


class FittingError(UserError):
    """The training rows have nothing to learn from."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """The predictions of a fitted model, and what `run.json` records of it.

    Attributes:
      labels: Labels, `{split: {task: (rows,)}}`, -1 or NaN where a task is not defined.
      logits: Logits of the same rows, and predictions of regression tasks.
      parameters: Numbers of parameters, `total`, `embedding` and `other`; None where the model has
        no fixed number.
      record: Further content of `run.json`.
    """

    labels: Mapping[str, Columns]
    logits: Mapping[str, Columns]
    parameters: Mapping[str, int | None]
    record: Mapping[str, object]


def make(
    run_dir: str,
    data_dir: str,
    schema: Schema,
    model: str,
    settings: Mapping[str, object],
    fit: Callable[[], Fitted],
    seed: int = 0,
    evaluate_test: bool = True,
    paged: bool = True,
    keep_scores: bool = False,
) -> None:
    """Makes a run folder like that of experiments.train, unless it holds this run, finished.

    Args:
      run_dir: Folder of the run.
      data_dir: Folder of the prepared dataset.
      schema: Schema of the dataset.
      model: Name of the model.
      settings: Settings of the model.
      fit: Function that fits the model.
      seed: Seed that the model is fitted with.
      evaluate_test: Whether the test split is evaluated.
      paged: Whether the run has a report.
      keep_scores: Whether labels and logits of the last split are written.

    Raises:
      DatasetError: The folder holds another run.
    """
    config = {
        "data_dir": data_dir,
        "dataset_fingerprint": schema.fingerprint,
        "model": model,
        "settings": dict(settings),
        "seed": seed,
        **({} if evaluate_test else {"evaluate_test": False}),
    }
    folder = run_folder.open_run(run_dir, config)
    if run_folder.finished(folder):
        again = "choose another run_dir to run it again"
        print(f"{folder} holds this run, finished; {again}.{reuse.remark(folder)}")
        return
    started = time.monotonic()
    fitted = fit()
    record = run_folder.describe(schema, fitted.parameters, dict.fromkeys(schema.task_names, 1.0))
    run_folder.write_json(folder / run_folder.RUN_FILE, record | dict(fitted.record))
    predictions = ((split, fitted.labels[split], fitted.logits[split]) for split in fitted.logits)
    dataset = PreparedDataset(data_dir, splits=finish.splits_of(evaluate_test))
    groups = functools.partial(row_groups.read, dataset)
    metrics = finish.evaluate(
        folder, predictions, (), schema.tasks, dataset.example_weights, groups, keep_scores
    )
    result = {
        "epochs": None,
        "steps": None,
        "wall_seconds": round(time.monotonic() - started, 1),
        "rows_per_second": None,
        "metrics": metrics,
    }
    finish.finish(folder, result, paged)


def score(
    dataset: PreparedDataset,
    batches: Callable[[str], Iterable[tuple[Inputs, Columns]]],
    score_batch: Callable[[str, Inputs], np.ndarray],
) -> tuple[dict[str, Columns], dict[str, Columns]]:
    """Scores all splits that are read but the training split.

    Args:
      dataset: The dataset.
      batches: Function of a split's name that yields the split's inputs and labels, part by part.
      score_batch: Function of a task's name and of inputs that returns the task's logits, as they
        are where the training rows hold a share of its negatives.

    Returns:
      `{split: labels}` and `{split: logits}`.
    """
    schema = dataset.schema
    labels: dict[str, Columns] = {}
    logits: dict[str, Columns] = {}
    for split in [name for name in dataset.splits if name != "train"]:
        parts = [
            (columns, {t.name: score_batch(t.name, inputs) + offset(t) for t in schema.tasks})
            for inputs, columns in batches(split)
        ]
        labels[split], logits[split] = (
            {task: np.concatenate([one[task] for one in side]) for task in schema.task_names}
            for side in zip(*parts, strict=True)
        )
    return labels, logits


def offset(task: Task) -> float:
    """Returns what makes logits of the share of the negatives that was kept those of all rows."""
    return math.log(task.keep_negatives)


def learnable(task: Task, labels: np.ndarray) -> np.ndarray:
    """Marks the rows to fit a task on, those where it is defined.

    Args:
      task: The task.
      labels: Labels of the training rows, `(rows,)`.

    Raises:
      FittingError: The labels are all the same.
    """
    defined = task.defined(labels)
    if len(np.unique(labels[defined])) < 2:
        lacking = "no positives or no negatives" if task.kind == BINARY else "one number alone"
        raise FittingError(
            f"the {len(labels)} training rows have {lacking} of task {task.name}, so "
            "there is nothing to learn; use more rows, or leave the task out of the dataset"
        )
    return defined
