"""The model card of an export: what the model takes and gives, how good it is, how it was made."""

import datetime
import pathlib
from collections.abc import Iterator, Mapping

from dcrnn_tf.dataset.schema import REGRESSION
from dcrnn_tf.serving.serving_model import ServingModel
from dcrnn_tf.training import metrics_log
from dcrnn_tf.training.metrics_log import METRICS_FILE
from experiments.reports import evaluations
from experiments.reports.document import Document, Section
from experiments.reports.grid import Grid, Number, Text
from experiments.reports.markdown import Trusted
from experiments.reports.words import plain
from experiments.runs import run_folder
from experiments.runs.trained_runs import TrainedRun

CARD_FILE = "model_card.md"


def write(
    folder: pathlib.Path, run_dir: str | pathlib.Path, run: TrainedRun, serving_model: ServingModel
) -> pathlib.Path:
    """Writes the card and returns its path.

    Args:
      folder: Folder of the card.
      run_dir: Folder of the run.
      run: The run.
      serving_model: What is exported of it.
    """
    path = folder / CARD_FILE
    document(pathlib.Path(run_dir), run, serving_model).write(path)
    return path


def document(run_dir: pathlib.Path, run: TrainedRun, serving_model: ServingModel) -> Document:
    """Returns the card."""
    schema = run.dataset.schema
    splits = _evaluations(run_dir, run.step)
    warning = Trusted("**Simulated data: the figures say nothing about a real log.**")
    columns = [*evaluations.SPLIT_AND_TASK, *evaluations.metric_columns(splits)]
    columns += [evaluations.ROWS, evaluations.POSITIVES]
    counts = [
        (name, split.rows, ", ".join(f"{t} {n:,}" for t, n in split.positives.items()))
        for name, split in schema.splits.items()
    ]
    grids: dict[str, Grid] = {
        "Outputs": Grid(
            "", _texts("output", "probability or number of"), list(_outputs(serving_model))
        ),
        Trusted("Inputs of `serving_default`"): Grid(
            "", _texts("input", "type", "shape", "what"), list(_inputs(serving_model, run))
        ),
        "Metrics": Grid.of("", columns, evaluations.lines(splits)),
        **{grid.title: grid for grid in evaluations.grids_by_group(splits)},
        "Data": Grid("", (Text("split"), Number("rows", form=","), Text("positives")), counts),
        "Settings": Grid("", _texts("setting", "value"), list(_settings(run).items())),
        "Origin": Grid("", _texts("what", "value"), list(_origin(run_dir).items())),
    }
    return Document(
        f"{run.config['model']} on {schema.name}, step {run.step}",
        Section("", [warning] if schema.simulated else []),
        [Section(heading, [grid]) for heading, grid in grids.items()],
    )


def _texts(*labels: str) -> list[Text]:
    return [Text(label) for label in labels]


def _settings(run: TrainedRun) -> dict[str, str]:
    settings = {key: plain(value) for key, value in run.config.items() if key != "settings"}
    settings |= {f"model: {key}": plain(value) for key, value in run.config["settings"].items()}
    settings["positive weights"] = plain(run.positive_weights)
    settings["products when served"] = run.model.compute_dtype
    return settings


def _origin(run_dir: pathlib.Path) -> dict[str, str]:
    record = run_folder.read(run_dir, run_folder.RUN_FILE)
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "exported": now.isoformat(timespec="seconds"),
        "trained": record["started"],
        "training command": record["command"],
        "code": plain(record.get("code")),
        **record["versions"],
    }


def _outputs(serving_model: ServingModel) -> Iterator[tuple[str, str]]:
    for task in serving_model.tasks:
        number = ", a number" if task.kind == REGRESSION else ""
        number = f", each of {', '.join(task.classes)}" if task.classes else number
        if task.only_where is None:
            yield task.name, f"{task.name}, per exposure{number}"
        else:
            yield task.name, f"{task.name}, given {task.only_where}{number}"
    for output in serving_model.derived_outputs:
        if output.kind == REGRESSION:
            yield output.name, f"{output.task}, the expected number per exposure"
        elif output.is_product:
            yield output.name, f"{output.task} and all it depends on, per exposure"
        else:
            yield output.name, f"{output.task}, given {output.given}: the quotient, at most 1"


def _inputs(serving_model: ServingModel, run: TrainedRun) -> Iterator[tuple[str, str, str, str]]:
    fields = {field.name: field for field in run.dataset.schema.fields}
    weights = {field.weight_name: field for field in fields.values() if field.weighted}
    for name, spec in serving_model.raw_features.specs().items():
        if name in weights:
            what = f"pooling weights of {weights[name].name}"
        else:
            field = fields[name]
            what = field.kind.replace("_", "-")
            what += f", raw name {field.raw_name}" if field.raw_name not in ("", name) else ""
        if (argument := serving_model.arguments[name]) != name:
            what += f"; in Python {argument}"
        shape = "(rows,)" if len(spec.shape) == 1 else "(rows, width)"
        yield name, spec.dtype.name, shape, what


def _evaluations(run_dir: pathlib.Path, step: int) -> Mapping[str, Mapping[str, Mapping]]:
    """Metrics of the exported step, `{split: {task: {metric: value}}}`.

    Those of the validation split are as logged; the test split is there where the step is the one
    that the run was evaluated at, its last or its best.
    """
    validated = metrics_log.evaluations(metrics_log.read(run_dir / METRICS_FILE), "validation")
    splits = {"validation": validated[step]} if step in validated else {}
    result = run_folder.read_if_there(run_dir, run_folder.RESULT_FILE)
    if result is not None and result.get("evaluated_step", result.get("steps")) == step:
        splits |= result["metrics"]
    return splits
