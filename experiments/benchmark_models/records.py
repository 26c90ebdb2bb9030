"""The numbers behind the benchmark's page, each with the folder that it is from."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from experiments.benchmark_models.content import DatasetResult, compared
from experiments.benchmark_models.plan import TUNING
from experiments.reports.grid import Grid, Interval, Number, Text
from experiments.tune.study import ROW_VISITS, SETTINGS, TRIALS
from experiments.tune.trials import SECONDS, STEP


def of_models(results: Sequence[DatasetResult], out_dir: pathlib.Path) -> Grid:
    """Returns a line for each dataset, task and model; folders are relative to `out_dir`."""
    lines = [(one, c) for one in results for c in compared(one)]

    def folder(line: Any) -> str:
        one, c = line
        return _within(out_dir, one.result.table.run_dir(one.result.folder, c.row.row, 1).parent)

    columns = [
        Text("dataset", lambda line: line[0].name),
        Text("fingerprint", lambda line: line[0].result.data["fingerprint"]),
        Text("task", lambda line: line[1].task),
        Text("model", lambda line: line[1].row.row.label),
        Text("metric", lambda line: line[0].result.primary(line[1].task).name),
        Number("mean", lambda line: line[1].row.tasks[line[1].task].primary.mean),
        Number("difference", lambda line: line[1].difference and line[1].difference.mean),
        Interval("interval", lambda line: line[1].difference and line[1].difference.interval),
        Interval("by_rows", lambda line: line[1].by_rows),
        Number("p", lambda line: line[1].difference and line[1].difference.p_value),
        Number("p_holm", lambda line: line[1].corrected),
        Number("seeds", lambda line: len(line[1].row.tasks[line[1].task].primary.by_seed)),
        Text("folder", folder),
    ]
    return Grid.of("Models", columns, lines)


def of_runs(results: Sequence[DatasetResult], out_dir: pathlib.Path) -> Grid:
    """Returns a line for each run of the best settings and each task."""
    lines = [
        (one, row, run, task)
        for one in results
        for row in one.result.rows
        for run in row.runs
        for task in one.result.table.tasks
    ]

    def metric(line: Any) -> object:
        one, _, run, task = line
        return run.value(f"result.metrics.test.{task}.{one.result.primary(task).name}")

    columns = [
        Text("dataset", lambda line: line[0].name),
        Text("model", lambda line: line[1].row.label),
        Number("seed", lambda line: line[2].seed),
        Text("task", lambda line: line[3]),
        Text("metric", lambda line: line[0].result.primary(line[3]).name),
        Number("value", metric),
        Number("logloss", lambda x: x[2].value(f"result.metrics.test.{x[3]}.logloss")),
        Number("step", lambda line: line[2].value("result.evaluated_step")),
        Number("steps", lambda line: line[2].value("result.steps")),
        Number("parameters", lambda line: line[1].parameters("other")),
        Text("folder", lambda line: _within(out_dir, line[2].folder)),
    ]
    return Grid.of("Runs", columns, lines)


def of_trials(results: Sequence[DatasetResult], out_dir: pathlib.Path) -> Grid:
    """Returns a line for each trial, with its settings."""
    lines = []
    for one in results:
        for row in one.result.rows:
            tuning = one.result.table.run_dir(one.result.folder, row.row, 1).with_name(TUNING)
            lines += [
                (one.name, row.row.label, trial, tuning / TRIALS / f"trial_{trial.number:04d}")
                for trial in one.trials.get(row.row.label, ())
            ]
    columns = [
        Text("dataset", lambda line: line[0]),
        Text("model", lambda line: line[1]),
        Number("trial", lambda line: line[2].number),
        Text("state", lambda line: line[2].state.name.lower()),
        Number("value", lambda line: line[2].values[0] if line[2].values else None),
        Number("step", lambda line: line[2].user_attrs.get(STEP)),
        Number("rows_read", lambda line: line[2].user_attrs.get(ROW_VISITS)),
        Number("seconds", lambda line: line[2].user_attrs.get(SECONDS)),
        Text("settings", lambda line: json.dumps(line[2].user_attrs.get(SETTINGS))),
        Text("folder", lambda line: _within(out_dir, line[3])),
    ]
    return Grid.of("Trials", columns, lines)


def _within(out_dir: pathlib.Path, path: pathlib.Path) -> str:
    return pathlib.PurePath(path).relative_to(out_dir).as_posix()
