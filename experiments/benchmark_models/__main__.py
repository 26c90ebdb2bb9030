"""Compares tuned models on one or several datasets, each model by the same budget.

  python -m experiments.benchmark_models --data=data/adult,data/hillstrom --trials=16
  python -m experiments.benchmark_models --preset=smoke

Each of `--data` is a prepared dataset, or a folder with a declaration beside its files. Every model
is tuned by experiments.tune, then trained anew with its best settings, once for each seed, and
evaluated on the test split. Killed at any moment, the same command goes on. Writes `report.html`,
`benchmark.md` and `benchmark.csv`; docs/benchmark.md describes the protocol.
"""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from absl import logging

from dcrnn_tf.system import command_line
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.settings import setting
from experiments.benchmark_models import entries, plan
from experiments.runs import processes
from experiments.tables import datasets
from experiments.tables.spec import Preset

if TYPE_CHECKING:
    from experiments.benchmark_models.content import DatasetResult


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which models are compared on which data, and what that may cost."""

    data: tuple[str, ...] = setting(
        (), "Folders of prepared datasets, or of raw files with their declaration."
    )
    preset: str | None = setting(
        None,
        "small or smoke: simulated Ali-CCP of 200,000 or 20,000 rows, the latter with few models, "
        "trials and seeds.",
        choices=("small", "smoke"),
    )
    models: tuple[str, ...] | None = setting(
        None, "Names of the models beside MMoE; all by default."
    )
    trials: int | None = setting(
        None, "Number of trials of each model on each dataset; 16 by default.", lower=1
    )
    seeds: int | None = setting(None, "Number of runs of the best settings, 5 by default.", lower=1)
    epochs: int = setting(10, "Largest number of epochs; training stops early.", lower=1)
    patience: int = setting(
        2, "Number of evaluations without a better value after which training ends.", lower=1
    )
    batch_size: int = setting(1024, "Number of examples of a training step.", lower=1)
    prune: bool = setting(
        False,
        "Whether a network's trial ends early whose metric is worse than the median of the "
        "complete trials at the same step; that costs less, but trees' trials are all complete.",
    )
    work_dir: str = setting("data", "Folder of simulated and prepared data.")
    out_dir: str = setting("runs/benchmark_models", "Folder of what is written.")
    parallel_runs: int = setting(
        0, "Number of tunings or runs at a time; 0 is one per core.", lower=0
    )


def main(settings: Settings) -> None:
    """Runs the program."""
    if bool(settings.data) == bool(settings.preset):
        raise command_line.UsageError(
            "give either --data, folders of datasets, or --preset=small or smoke for simulated data"
        )
    command_line.use_threads(0)
    logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every file it writes
    smoke = settings.preset == "smoke"
    chosen = _chosen(settings.models or (entries.SMOKE if smoke else None))
    budget = plan.Budget(
        settings.trials or (2 if smoke else 16),
        min(settings.epochs, 2) if smoke else settings.epochs,
        settings.patience,
        settings.batch_size,
        settings.seeds or (2 if smoke else 5),
        settings.prune,
    )
    out_dir = pathlib.Path(f"{settings.out_dir}-smoke" if smoke else settings.out_dir)
    failures: list[str] = []
    results = []
    for prepared in _prepared(settings):
        results.append(_benchmark(prepared, chosen, budget, settings, out_dir, failures))
        from experiments.benchmark_models import page

        document = page.write(out_dir, results)  # what there is before the next dataset
    print(document.markdown())
    print(f"Report: {out_dir / 'report.html'}")
    if failures:
        raise UserError(
            f"{'; '.join(failures)}; everything else is written, and the same command makes what "
            "is missing"
        )


def _chosen(names: tuple[str, ...] | None) -> list[entries.Entry]:
    every = entries.entries()
    known = [entry.name for entry in every]
    if unknown := [name for name in names or () if name not in known]:
        raise command_line.UsageError(
            f"there is no model {', '.join(unknown)} in the benchmark; it has {', '.join(known)}"
        )
    return [e for e in every if names is None or e.name in names or e == entries.BASELINE]


def _prepared(settings: Settings) -> list[pathlib.Path]:
    """Makes the prepared datasets, all of them before the first tuning."""
    if settings.preset:
        rows = 20_000 if settings.preset == "smoke" else 200_000
        preset = Preset(rows=rows, epochs=1, seeds=1, batch_size=512, learning_rate=1e-3)
        return [datasets.make("any", preset, None, settings.work_dir)]
    preset = Preset(rows=None, epochs=1, seeds=1, batch_size=512, learning_rate=1e-3)
    return [datasets.make("any", preset, folder, settings.work_dir) for folder in settings.data]


def _benchmark(
    prepared: pathlib.Path,
    chosen: list[entries.Entry],
    budget: plan.Budget,
    settings: Settings,
    out_dir: pathlib.Path,
    failures: list[str],
) -> "DatasetResult":
    """Tunes and trains all models on a dataset; returns the result, and adds what has failed."""
    from dcrnn_tf.dataset.schema import load_schema
    from experiments.benchmark_models import row_intervals
    from experiments.benchmark_models.content import DatasetResult
    from experiments.tables.result import aggregate
    from experiments.tune.study import read_trials

    name = prepared.name
    schema = load_schema(prepared)
    refusals = plan.refused(chosen, prepared)
    left_out = [f"{name}: {label} is left out: {why}." for label, why in refusals.items()]
    suited = [entry for entry in chosen if entry.label not in refusals]
    table = entries.table(suited, schema.task_names, name)
    folder = out_dir / name
    parallel = settings.parallel_runs
    print(f"{name}: tuning {len(suited)} models, {budget.trials} trials each.", flush=True)
    tunings = plan.tunings(suited, table, prepared, folder, budget)
    failed = processes.run_all(tunings, budget.trials, 1, parallel, "trials")
    failures += [f"{path} failed ({why})" for path, why in failed.items()]
    print(f"{name}: {budget.seeds} runs of the best settings of each.", flush=True)
    finals, without = plan.finals(suited, table, prepared, folder, budget)
    failed = dict(without)
    reasons = processes.run_all(finals, budget.seeds, 1, parallel, "runs")
    for run in finals:
        if run.folder in reasons:
            failed |= run.failed(reasons[run.folder])
    result = aggregate(table, folder, range(1, budget.seeds + 1), failed)
    failures += result.failures
    trials = {
        entry.label: read_trials(path)
        for entry in suited
        if (path := plan.folder_of(table, folder, entry)).exists()
    }
    return DatasetResult(name, result, trials, left_out, row_intervals.intervals(result))


if __name__ == "__main__":
    command_line.run(main, Settings)
