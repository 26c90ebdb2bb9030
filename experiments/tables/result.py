"""What finished runs say about a table of a paper.

The runs of a table lie in `TABLE_DIR/runs/ROW_SLUG/seed_N/`, each a run folder.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from dcrnn_tf import metrics
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.metrics import Metric
from dcrnn_tf.metrics.auc import CHANCE
from experiments.runs import run_folder
from experiments.runs.run import Run, damage_of_curves, load_run
from experiments.tables.spec import Row, Table
from experiments.tables.statistics import PairedDifference, Summary, paired_difference, summarise

TEST = "test"


@dataclasses.dataclass(frozen=True)
class MetricResult:
    """One metric of one row and task on the test split.

    Attributes:
      by_seed: The values, `{seed: value}`.
      summary: Summary of the values over seeds; None if no finished run has a value.
      difference: Difference to the row's baseline over common seeds; None if the row has no
        baseline or no seed is common.
    """

    by_seed: Mapping[int, float]
    summary: Summary | None
    difference: PairedDifference | None

    @property
    def mean(self) -> float | None:
        """Mean of the values over seeds."""
        return None if self.summary is None else self.summary.mean


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """All metrics of one row and task on the test split.

    Attributes:
      metrics: Results of the registered metrics and their references, `{name: result}`.
      bayes_auc: Best AUC that any model can reach, known for simulated data alone.
    """

    metrics: Mapping[str, MetricResult]
    bayes_auc: float | None

    @property
    def primary(self) -> MetricResult:
        """The metric that models are ranked by."""
        return self.metrics[metrics.primary_of(self.present).name]

    @property
    def present(self) -> list[str]:
        """The names of the metrics that finished runs have."""
        return [name for name, result in self.metrics.items() if result.by_seed]

    @property
    def gap(self) -> float | None:
        """Bayes-optimal AUC minus the mean AUC."""
        mean = self.metrics["auc"].mean
        return None if mean is None or self.bayes_auc is None else self.bayes_auc - mean

    @property
    def attained(self) -> float | None:
        """Share of the way from chance to the Bayes-optimal AUC that the mean AUC has come."""
        mean = self.metrics["auc"].mean
        if mean is None or self.bayes_auc is None or self.bayes_auc <= CHANCE:
            return None
        return (mean - CHANCE) / (self.bayes_auc - CHANCE)


@dataclasses.dataclass(frozen=True)
class RowResult:
    """What the finished runs of one row say.

    Attributes:
      row: the row.
      runs: finished, by seed.
      tasks: `{task: metrics}`.
      missing: seeds without a run.
      unfinished: seeds whose run has not come to its end.
      failed: Reasons why runs failed or cannot be read, by seed. A run whose numbers can be read is
        among `runs` all the same.
    """

    row: Row
    runs: tuple[Run, ...]
    tasks: Mapping[str, TaskResult]
    missing: tuple[int, ...]
    unfinished: tuple[int, ...]
    failed: Mapping[int, str] = dataclasses.field(default_factory=dict)

    @property
    def drawn(self) -> tuple[Run, ...]:
        """The runs of which pictures can be drawn."""
        return tuple(run for run in self.runs if run.seed not in self.failed)

    @property
    def constant(self) -> bool:
        """Whether the model ranks nothing, with an AUC of exactly 0.5 in all there is of it."""
        results = (task.metrics["auc"].by_seed.values() for task in self.tasks.values())
        return {auc for aucs in results for auc in aucs} == {CHANCE}

    def median(self, key: str) -> float | None:
        """Median over the runs of a number such as `result.rows_per_second`."""
        values = [run.value(key) for run in self.runs]
        values = [value for value in values if value is not None]
        return float(np.median(values)) if values else None

    def parameters(self, part: str) -> int | None:
        """Number of parameters: `total`, `embedding` or `other`."""
        return self.runs[0].value(f"record.parameters.{part}") if self.runs else None


@dataclasses.dataclass(frozen=True)
class TableResult:
    """The results of a table's runs.

    Attributes:
      table: The table.
      folder: Folder of the table.
      seeds: Seeds that each row was to have.
      rows: Results of the rows.
      left_out: Sentences on the rows that could not be made of the dataset.
    """

    table: Table
    folder: pathlib.Path
    seeds: tuple[int, ...]
    rows: tuple[RowResult, ...]
    left_out: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """All finished runs."""
        return tuple(run for row in self.rows for run in row.runs)

    @property
    def failures(self) -> list[str]:
        """A clause on each run that failed or cannot be read."""
        return [
            f"{row.row.label}: seed {seed} failed ({reason})"
            for row in self.rows
            for seed, reason in row.failed.items()
        ]

    @property
    def metrics(self) -> tuple[metrics.Metric, ...]:
        """The registered metrics and references that runs have on the test split."""
        tasks = (run.value(f"result.metrics.{TEST}") or {} for run in self.runs)
        return metrics.present(values for of_run in tasks for values in of_run.values())

    def primary(self, task: str) -> Metric:
        """Returns the metric that models are ranked by on a task, which depends on its kind."""
        return metrics.primary_of([n for row in self.rows for n in row.tasks[task].present])

    @property
    def ranking(self) -> tuple[RowResult, ...]:
        """The rows to draw: those whose model ranks at all."""
        return tuple(row for row in self.rows if not row.constant)

    @property
    def data(self) -> Mapping:
        """The dataset that all runs share, as their `run.json` has it."""
        return self.runs[0].record["dataset"]

    def values(self, key: str) -> dict[str, object]:
        """What the rows' runs hold under a path, `{row label: value}`; rows without are left out.

        Runs of one row differ in their seed alone, so the first speaks for all.
        """
        values = {row.row.label: row.runs[0].value(key) for row in self.rows if row.runs}
        return {label: value for label, value in values.items() if value is not None}


def aggregate(
    table: Table,
    table_dir: str | pathlib.Path,
    seeds: Sequence[int] | None = None,
    failed: Mapping[pathlib.Path, str] | None = None,
) -> TableResult:
    """Computes a table from the finished runs of its folder.

    Args:
      table: the whole table; rows and seeds without a finished run are listed as missing.
      table_dir: holds `runs/`.
      seeds: Seeds of the table; by default those of its runs.
      failed: Reasons why runs failed, by their folders.

    Raises:
      DatasetError: no run is finished, runs were made on different data, or seeds of one row with
        different settings.
    """
    table_dir = pathlib.Path(table_dir)
    if seeds is None:
        names = {
            folder.name.removeprefix("seed_")
            for row in table.rows
            for folder in (table_dir / "runs" / row.slug).glob("seed_*")
        }
        seeds = [int(name) for name in names if name.isdecimal()]
    seeds = tuple(sorted(seeds))
    reasons = {row.label: _failed(table, table_dir, row, seeds, failed or {}) for row in table.rows}
    runs = {row.label: _finished_runs(table, table_dir, row, seeds) for row in table.rows}
    _refuse_mixtures(runs)
    if not any(runs.values()):
        first = next((reason for row in reasons.values() for reason in row.values()), None)
        raise DatasetError(
            f"{table_dir} has no finished run of {table.name}; "
            + ("make them first" if first is None else f"the first that failed: {first}")
        )
    by_label = {row.label: row for row in table.rows}
    rows = []
    for row in table.rows:
        label = table.baseline_of(row)
        baseline = None if label is None else (by_label[label], runs[label])
        tasks = {
            task: _task_result(task, row, runs[row.label], baseline, seeds) for task in table.tasks
        }
        done = {run.seed for run in runs[row.label]} | set(reasons[row.label])
        left = [] if row.deterministic and done else [seed for seed in seeds if seed not in done]
        begun = [seed for seed in left if table.run_dir(table_dir, row, seed).exists()]
        missing = tuple(seed for seed in left if seed not in begun)
        failures = reasons[row.label]
        rows.append(RowResult(row, runs[row.label], tasks, missing, tuple(begun), failures))
    return TableResult(table, table_dir, seeds, tuple(rows))


def _finished_runs(
    table: Table, table_dir: pathlib.Path, row: Row, seeds: Sequence[int]
) -> tuple[Run, ...]:
    folders = [table.run_dir(table_dir, row, seed) for seed in seeds]
    if row.deterministic:  # any one will do, also of a seed that is not asked for
        folders += sorted((table_dir / "runs" / row.slug).glob("seed_*"))
    runs = []
    for folder in filter(run_folder.finished, folders):
        with contextlib.suppress(DatasetError):  # `_failed` tells of it
            runs.append(load_run(folder))
    return tuple(runs[:1] if row.deterministic else runs)


def _failed(
    table: Table,
    table_dir: pathlib.Path,
    row: Row,
    seeds: Sequence[int],
    failed: Mapping[pathlib.Path, str],
) -> dict[int, str]:
    """The reasons why runs of a row failed or cannot be read, by seed."""
    reasons = {}
    for seed in seeds:
        folder = table.run_dir(table_dir, row, seed)
        if folder in failed:
            reasons[seed] = failed[folder]
        elif run_folder.finished(folder):
            try:
                run = load_run(folder)
            except DatasetError as error:
                reasons[seed] = str(error)
            else:
                if (damage := damage_of_curves(folder)) is not None:
                    reasons[run.seed] = damage
    return reasons


def _refuse_mixtures(runs: Mapping[str, Sequence[Run]]) -> None:
    flat = [run for row_runs in runs.values() for run in row_runs]
    for run in flat[1:]:
        if run.record["dataset"]["fingerprint"] != flat[0].record["dataset"]["fingerprint"]:
            raise DatasetError(
                f"{run.folder} and {flat[0].folder} were made on different data (fingerprints "
                "differ), so no table can compare them; remove one of them"
            )
    for row_runs in runs.values():
        for run in row_runs[1:]:
            first = row_runs[0]
            names = (set(run.config) | set(first.config)) - {"seed", "data_dir"}
            other = sorted(n for n in names if run.config.get(n) != first.config.get(n))
            if other:
                raise DatasetError(
                    f"{run.folder} and {first.folder} differ in {', '.join(other)}, not in their "
                    "seed alone; remove one of them"
                )


def _task_result(
    task: str,
    row: Row,
    runs: Sequence[Run],
    baseline: tuple[Row, Sequence[Run]] | None,
    seeds: Sequence[int],
) -> TaskResult:
    def of_metric(metric: metrics.Metric) -> MetricResult:
        values = _by_seed(task, runs, metric.name)
        return MetricResult(
            by_seed=values,
            summary=summarise(list(values.values()), metric.best) if values else None,
            difference=baseline
            and paired_difference(
                *(
                    for_every_seed(each, _by_seed(task, its_runs, metric.name), seeds)
                    for each, its_runs in ((row, runs), baseline)
                )
            ),
        )

    bayes_auc = f"record.dataset.simulation.bayes_auc.{TEST}.{task}"
    return TaskResult(
        metrics={metric.name: of_metric(metric) for metric in metrics.printed()},
        bayes_auc=runs[0].value(bayes_auc) if runs else None,
    )


def for_every_seed(
    row: Row, by_seed: Mapping[int, float], seeds: Sequence[int]
) -> Mapping[int, float]:
    """The values of a row, where the one of a deterministic model stands for every seed."""
    return dict.fromkeys(seeds, *by_seed.values()) if row.deterministic and by_seed else by_seed


def _by_seed(task: str, runs: Sequence[Run], name: str) -> dict[int, float]:
    """The values of a metric on the test split, `{seed: value}`, of the runs that have it."""
    values = {run.seed: run.value(f"result.metrics.{TEST}.{task}.{name}") for run in runs}
    return {seed: value for seed, value in values.items() if value is not None}
