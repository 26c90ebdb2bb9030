"""Trains the best settings of a benchmark on fewer rows: what each model makes of how many rows.

  python -m experiments.benchmark_models.learning_curves --data_dir=data/adult \
      --benchmark_dir=runs/benchmark_models/adult --rows=2048,8192 --models=mmoe,boosted_trees

Settings are those that were found with all training rows. Epochs, and evaluations without a better
value after which training stops, are as many more as rows are fewer, so that both stay about the
same number of steps. Validation and test rows are the same. What is finished is not made again.
Writes `curves.csv` and `curves.png`.
"""

import csv
import dataclasses
import json
import math
import pathlib
import sys
from collections.abc import Mapping, Sequence

from dcrnn_tf.system import command_line
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.settings import required, setting
from dcrnn_tf.system.whole_file import whole_file
from experiments.benchmark_models import entries
from experiments.benchmark_models.plan import TUNING, Finals
from experiments.runs import processes, run_folder
from experiments.tables.spec import PROGRAMS, Row, Table


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which models of which benchmark are trained on how many rows."""

    data_dir: str = required("Prepared dataset of the benchmark.")
    benchmark_dir: str = required("Folder of the benchmark's results on it.")
    rows: tuple[int, ...] = setting((2048, 8192), "Numbers of training rows.", lower=1)
    models: tuple[str, ...] | None = setting(
        None, "Names of the models; all that are tuned by default."
    )
    seeds: int = setting(3, "Number of runs.", lower=1)
    parallel_runs: int = setting(0, "Number of processes at a time; 0 is one per core.", lower=0)


@dataclasses.dataclass(frozen=True)
class Line:
    """A model's metric on a task after training on some rows.

    Attributes:
      rows: Number of training rows.
      model: Label of the model.
      task: Name of the task.
      value: Its mean metric over runs.
      low: Least of the runs.
      high: Largest of the runs.
      folder: Folder of the runs.
    """

    rows: int
    model: str
    task: str
    value: float
    low: float
    high: float
    folder: str


def main(settings: Settings) -> None:
    """Runs the program."""
    from data_prep.storage import fewer_rows
    from dcrnn_tf.dataset.schema import load_schema

    command_line.use_threads(0)
    source, base = pathlib.Path(settings.data_dir), pathlib.Path(settings.benchmark_dir)
    schema = load_schema(source)
    chosen = [e for e in entries.entries() if settings.models is None or e.name in settings.models]
    table = entries.table(chosen, schema.task_names, schema.name)
    rows_of = dict(zip([e.label for e in chosen], table.rows, strict=True))
    tuned = [e for e in chosen if _best(table, base, rows_of[e.label]).exists()]
    if not tuned:
        raise UserError(f"{base} has no tuned model among those chosen; run the benchmark first")
    everything = schema.split("train").rows
    runs: list[Finals] = []
    for rows in settings.rows:
        folder = base / "curves" / f"rows_{rows}"
        data = fewer_rows.make(source, folder / "data", rows)
        for entry in tuned:
            best = _best(table, base, rows_of[entry.label])
            runs.append(_process(entry, table, folder, data, best, everything, settings.seeds))
    failed = processes.run_all(runs, settings.seeds, 1, settings.parallel_runs, "runs")
    found = [
        line
        for rows in (*settings.rows, everything)
        for entry in tuned
        for line in _lines(table, base, rows, everything, rows_of[entry.label])
    ]
    _write(base, found)
    if failed:
        raise UserError("; ".join(f"{path} failed ({why})" for path, why in failed.items()))


def _best(table: Table, base: pathlib.Path, row: Row) -> pathlib.Path:
    return table.run_dir(base, row, 1).with_name(TUNING) / "best.json"


def _process(
    entry: entries.Entry,
    table: Table,
    folder: pathlib.Path,
    data: pathlib.Path,
    best: pathlib.Path,
    everything: int,
    seeds: int,
) -> Finals:
    """Returns the process that trains a model's best settings on fewer rows."""
    from dcrnn_tf.dataset.schema import load_schema

    schema = load_schema(data)
    row = next(row for row in table.rows if row.label == entry.label)
    count = 1 if row.deterministic else seeds
    folders = tuple(table.run_dir(folder, row, seed) for seed in range(1, count + 1))
    program = PROGRAMS.get(entry.model)
    module = program.module if program else "experiments.benchmark_models.seeds"
    command = [sys.executable, "-m", module, f"--config={best}", f"--data_dir={data}"]
    if program is None:
        config = json.loads(best.read_text(encoding="utf-8"))
        times = everything / schema.split("train").rows  # an evaluation comes after fewer steps
        more = {name: math.ceil(config[name] * times) for name in ("epochs", "patience")}
        command += [f"--run_dir={folders[0].parent}", f"--seeds={count}"]
        command += [f"--{name}={value}" for name, value in more.items()]
        command += [f"--dataset_fingerprint={schema.fingerprint}"]
    else:
        command += [f"--run_dir={folders[0]}"]
    return Finals(command, folders[0].with_name("seeds"), trains=program is None, seeds=folders)


def _lines(table: Table, base: pathlib.Path, rows: int, everything: int, row: Row) -> list[Line]:
    """Returns what came of a model's finished runs on some rows, a line for each task."""
    from dcrnn_tf import metrics

    folder = base if rows == everything else base / "curves" / f"rows_{rows}"
    runs = table.run_dir(folder, row, 1).parent
    results: Sequence[Mapping] = [
        run_folder.read(path.parent, run_folder.RESULT_FILE)["metrics"]["test"]
        for path in sorted(runs.glob("seed_*/result.json"))
    ]
    found = []
    for task in table.tasks if results else ():
        name = metrics.primary_of([m for m, v in results[0][task].items() if v is not None]).name
        values = [result[task][name] for result in results]
        mean = sum(values) / len(values)
        found.append(Line(rows, row.label, task, mean, min(values), max(values), str(runs)))
    return found


def _write(base: pathlib.Path, lines: Sequence[Line]) -> None:
    from experiments.benchmark_models import curve_plot
    from experiments.reports import plots

    with whole_file(base / "curves.csv", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in dataclasses.fields(Line)])
        writer.writerows(dataclasses.astuple(line) for line in lines)
    with plots.styled():
        figure = curve_plot.curves([dataclasses.asdict(line) for line in lines])
        plots.save(figure, base / "curves", "Test metric of each model by training rows")
    print(f"Picture: {base / 'curves.png'}")


if __name__ == "__main__":
    command_line.run(main, Settings)
