"""The report of a run: one HTML page that needs no other file."""

import dataclasses
import pathlib
from collections.abc import Mapping

from experiments.reports import evaluations, measured
from experiments.reports.blocks import Block, Bullets
from experiments.reports.document import Document, Section
from experiments.reports.grid import Grid, Number, Text
from experiments.reports.words import plain
from experiments.runs import run_folder
from experiments.runs.pages import curves, origin
from experiments.runs.run import Run, load_run

REPORT_FILE = "report.html"


def write(run_dir: str | pathlib.Path, result: Mapping | None = None) -> pathlib.Path:
    """Writes `report.html` of a run, finished or not, and returns its path.

    Args:
      run_dir: Folder of the run.
      result: Result of the run, where the folder does not hold it yet.

    Raises:
      DatasetError: The folder is no run, or one of its files is damaged.
    """
    run = load_run(run_dir)
    if result is not None:
        run = dataclasses.replace(run, result=result)
    path = pathlib.Path(run_dir, REPORT_FILE)
    document(run).write(path)
    return path


def document(run: Run) -> Document:
    """Returns the report of a run."""
    model, data = run.config["model"], run.record["dataset"]
    done = run.result is not None
    evaluated = run_folder.read_if_there(run.folder, run_folder.EVALUATION_FILE) or {}
    by_group = evaluations.grids_by_group((run.result or {}).get("metrics") or {})
    metrics: list[Block] = [_metrics_grid(run), *by_group, Bullets(_populations(run), small=True)]
    return Document(
        f"{model} on {data['name']}, seed {run.seed}",
        Section("Metrics", metrics if done else []),
        [
            *curves.sections({model: [run]}, statistics=True),
            *measured.sections(evaluated),
            *curves.explanations(run),
            Section("Settings", [_settings_grid(run)]),
            *origin.sections([run]),
        ],
        warning="Simulated data" if data["simulated"] else "",
        incomplete=[] if done else ["This run is not finished"],
    )


def _metrics_grid(run: Run) -> Grid:
    """Returns a line for each split and task; a known optimum stands beside the first metric."""
    splits = (run.result or {}).get("metrics") or {}
    simulation = run.record["dataset"].get("simulation") or {}
    bayes = simulation.get("bayes_auc") or {}
    lines = [
        line | {"bayes_auc": (bayes.get(line["split"]) or {}).get(line["task"])}
        for line in evaluations.lines(splits)
    ]
    optimum = Number("Bayes-optimal AUC", "bayes_auc", ".4f")
    columns = evaluations.metric_columns(splits)
    optima = [optimum] if bayes else []
    columns = [*evaluations.SPLIT_AND_TASK, *columns[:1], *optima, *columns[1:]]
    return Grid.of("Metrics", [*columns, evaluations.POSITIVES, evaluations.ROWS], lines)


def _populations(run: Run) -> list[str]:
    """Returns sentences on what the metrics are those of, where that does not go without saying."""
    outputs = {
        name: values
        for split in ((run.result or {}).get("metrics") or {}).values()
        for name, values in split.items()
    }
    result = run.result or {}
    sentences = []
    if (step := result.get("evaluated_step")) is not None:
        best = f"the best one by {run.config.get('monitor')}, of {result['steps']:,} steps"
        sentences.append(f"The metrics are those of step {step:,}, {best}.")
    for name, values in outputs.items():
        if population := values.get("measured_on"):
            sentences.append(f"{name} is measured on {population}.")
        if population := values.get("population"):
            derived = f"{name} is derived from the predictions of the tasks"
            sentences.append(f"{derived} and measured on {population}.")
    return sentences


def _settings_grid(run: Run) -> Grid:
    values = {name: value for name, value in run.config.items() if name != "settings"}
    values |= {f"{run.config['model']}: {n}": v for n, v in (run.config["settings"] or {}).items()}
    values["positive weights used"] = run.record["positive_weights"]
    lines = [(name, plain(value)) for name, value in values.items()]
    return Grid("Settings", (Text("setting"), Text("value")), lines)
