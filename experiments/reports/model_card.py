"""The model card of an export: what the model takes and gives, how good it is, how it was made."""

import datetime
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from dcrnn_tf.metrics import Metric
from dcrnn_tf.serving.export import ServingModel
from dcrnn_tf.training import metrics_log
from dcrnn_tf.training.trainer import METRICS_FILE
from experiments.runs import run_folder
from experiments.runs.trained_runs import TrainedRun
from experiments.tables.content import evaluated_metrics, metric_cells, plain

CARD_FILE = "model_card.md"


def write(
    folder: pathlib.Path, run_dir: str | pathlib.Path, run: TrainedRun, serving_model: ServingModel
) -> pathlib.Path:
    """Writes the card.

    Args:
      folder: to write to.
      run_dir: of the run.
      run: the run.
      serving_model: what is exported of it.

    Returns:
      The file.
    """
    path = folder / CARD_FILE
    path.write_text("\n".join(_lines(pathlib.Path(run_dir), run, serving_model)) + "\n")
    return path


def _lines(run_dir: pathlib.Path, run: TrainedRun, serving_model: ServingModel) -> Iterator[str]:
    schema, record = run.dataset.schema, run_folder.read_json(run_dir / run_folder.RUN_FILE)
    yield f"# {run.config['model']} on {schema.name}, step {run.step}"
    yield ""
    if schema.simulated:
        yield "**Simulated data: the figures say nothing about a real log.**"
        yield ""
    yield from _section("Outputs", ("output", "probability of"), _outputs(serving_model))
    yield from _section(
        "Inputs of `serving_default`",
        ("input", "type", "shape", "what"),
        _inputs(serving_model, run),
    )
    splits = _evaluations(run_dir, run.step)
    shown = evaluated_metrics(splits)
    header = ("split", "task", *(metric.label for metric in shown), "rows", "positives")
    yield from _section("Metrics", header, _metrics(splits, shown))
    counts = [
        (name, f"{split.rows:,}", ", ".join(f"{t} {n:,}" for t, n in split.positives.items()))
        for name, split in schema.splits.items()
    ]
    yield from _section("Data", ("split", "rows", "positives"), counts)
    settings = {key: plain(value) for key, value in run.config.items() if key != "settings"}
    settings |= {f"model: {key}": plain(value) for key, value in run.config["settings"].items()}
    settings["positive weights"] = plain(run.positive_weights)
    settings["products when served"] = run.model.compute_dtype
    yield from _section("Settings", ("setting", "value"), settings.items())
    now = datetime.datetime.now(datetime.timezone.utc)
    origin = {
        "exported": now.isoformat(timespec="seconds"),
        "trained": record["started"],
        "training command": record["command"],
        "git revision": record["git_revision"] or "none",
        **record["versions"],
    }
    yield from _section("Origin", ("what", "value"), origin.items())


def _section(
    heading: str, header: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]
) -> Iterator[str]:
    yield f"## {heading}"
    yield ""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(_cell(text) for text in row)} |"
    yield ""


def _cell(text: str) -> str:
    """What Markdown and HTML would read otherwise stays as it is."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return " ".join(text.split())


def _outputs(serving_model: ServingModel) -> Iterator[tuple[str, str]]:
    for task in serving_model.tasks:
        if task.only_where is None:
            yield task.name, f"{task.name}, per exposure"
        else:
            yield task.name, f"{task.name}, given {task.only_where}"
    for output in serving_model.derived_outputs:
        if output.is_product:
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
            what += f", raw name {field.source}" if field.source not in ("", name) else ""
        shape = "(rows,)" if len(spec.shape) == 1 else "(rows, width)"
        yield name, spec.dtype.name, shape, what


def _evaluations(run_dir: pathlib.Path, step: int) -> Mapping[str, Mapping[str, Mapping]]:
    """Metrics of the exported step, `{split: {task: {metric: value}}}`.

    Those of the validation split are as logged; the test split is there where the step is the
    run's last.
    """
    validated = metrics_log.evaluations(metrics_log.read(run_dir / METRICS_FILE), "validation")
    splits = {"validation": validated[step]} if step in validated else {}
    result = run_dir / run_folder.RESULT_FILE
    if result.exists():
        result = json.loads(result.read_text(encoding="utf-8"))
        splits |= result["metrics"] if result["steps"] == step else {}
    return splits


def _metrics(
    splits: Mapping[str, Mapping[str, Mapping]], shown: Sequence[Metric]
) -> Iterator[tuple[str, ...]]:
    for split, tasks in splits.items():
        for task, values in tasks.items():
            counts = (f"{values[name]:,}" for name in ("rows", "positives"))
            yield (split, task, *metric_cells(values, shown), *counts)
