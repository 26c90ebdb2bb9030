"""The run folder of a model that is fitted at once, rather than trained in steps."""

import dataclasses
import time
from collections.abc import Callable, Mapping

import numpy as np

from dcrnn_tf.dataset.schema import Schema
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.training import evaluation
from experiments.reports import report
from experiments.runs import run_folder

Columns = Mapping[str, np.ndarray]  # of each task, `(rows,)`


class FittingError(UserError):
    """There is nothing to learn from."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A fitted model's predictions, and what its run says of it.

    Attributes:
      labels: `{split: {task: (rows,)}}`, -1 where a task is not defined.
      logits: of the same rows.
      parameters: `total`, `embedding` and `other`; None where a model has no fixed number.
      record: what `run.json` holds besides.
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
) -> None:
    """Makes a run folder like that of experiments.train, unless it holds this run, finished.

    Args:
      run_dir: the folder.
      data_dir: of the prepared dataset.
      schema: of the dataset.
      model: name of the model, for the folder to tell.
      settings: of the model.
      fit: fits it.
      seed: that the model was fitted with.

    Raises:
      DatasetError: the folder holds another run.
    """
    config = {
        "data_dir": data_dir,
        "dataset_fingerprint": schema.fingerprint,
        "model": model,
        "settings": dict(settings),
        "seed": seed,
    }
    folder = run_folder.open_run(run_dir, config)
    if run_folder.finished(folder):
        print(f"{folder} holds this run, finished; choose another run_dir to run it again.")
        return
    started = time.monotonic()
    fitted = fit()
    record = run_folder.describe(schema, fitted.parameters, dict.fromkeys(schema.task_names, 1.0))
    run_folder.write_json(folder / run_folder.RUN_FILE, record | dict(fitted.record))
    figures = {
        split: evaluation.evaluate(fitted.labels[split], logits)
        for split, logits in fitted.logits.items()
    }
    for last in list(figures)[-1:]:
        curves = evaluation.curves(fitted.labels[last], fitted.logits[last])
        run_folder.write_json(folder / run_folder.CURVES_FILE, curves)
    result = {
        "epochs": None,
        "steps": None,
        "wall_seconds": round(time.monotonic() - started, 1),
        "rows_per_second": None,
        "metrics": figures,
    }
    report.render_run_report(folder, result)
    # Last, since a run that has it is not taken up again.
    run_folder.write_json(folder / run_folder.RESULT_FILE, result)
    for split, tasks in figures.items():
        for task, values in tasks.items():
            print(f"{split} {task}: {evaluation.sentence(values)}")


def learnable(task: str, labels: np.ndarray) -> np.ndarray:
    """Which rows to fit a task on, those where it is defined.

    Args:
      task: its name.
      labels: `(rows,)`.

    Raises:
      FittingError: they are not of both classes.
    """
    defined = labels >= 0
    if len(np.unique(labels[defined])) < 2:
        raise FittingError(
            f"the {len(labels)} training rows have no positives or no negatives of task {task}, so "
            "there is nothing to learn; use more rows, or leave the task out of the dataset"
        )
    return defined
