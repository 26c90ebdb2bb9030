"""What finished runs say about a table of a paper.

The runs of a table lie in `TABLE_DIR/runs/ROW_SLUG/seed_N/`, each a run folder.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from dcrnn_tf.dataset.schema import DatasetError
from experiments.runs import run_folder
from experiments.tables.spec import Row, Table
from experiments.tables.statistics import PairedDifference, Summary, paired_difference, summarise

TEST = "test"


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder, read; `result` is None while the run is not finished."""

    folder: pathlib.Path
    config: Mapping
    record: Mapping
    result: Mapping | None

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.config["seed"]

    def value(self, key: str) -> object:
        """What `config`, `record` or `result` hold under a dotted path; None if nothing."""
        value: object = {"config": self.config, "record": self.record, "result": self.result}
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """One row's figures for one task on the test split.

    Attributes:
      aucs: `{seed: AUC}`.
      auc: the summary over seeds; None if no finished run has an AUC.
      difference: to the row's baseline over common seeds; None if it or a common seed is lacking.
      bayes_auc: best AUC that any model can reach, known for simulated data alone.
      loglosses: the summary of the logloss over seeds, the lowest as its best.
      logloss_difference: as `difference`; negative where the model is the better one.
      constant_logloss, calibration: means over seeds.
    """

    aucs: Mapping[int, float]
    auc: Summary | None
    difference: PairedDifference | None
    bayes_auc: float | None
    loglosses: Summary | None
    logloss_difference: PairedDifference | None
    constant_logloss: float | None
    calibration: float | None

    @property
    def logloss(self) -> float | None:
        """The mean logloss over seeds."""
        return self.loglosses and self.loglosses.mean

    def summary(self, metric: str) -> Summary | None:
        """Over seeds, of `auc` or `logloss`."""
        return {"auc": self.auc, "logloss": self.loglosses}[metric]

    def difference_of(self, metric: str) -> PairedDifference | None:
        """To the baseline, of `auc` or `logloss`."""
        return {"auc": self.difference, "logloss": self.logloss_difference}[metric]

    @property
    def gap(self) -> float | None:
        """Bayes-optimal AUC minus the mean AUC."""
        return (
            None if self.auc is None or self.bayes_auc is None else self.bayes_auc - self.auc.mean
        )

    @property
    def attained(self) -> float | None:
        """Share of the way from 0.5 to the Bayes-optimal AUC that the mean AUC has come."""
        if self.gap is None or self.bayes_auc <= 0.5:
            return None
        return (self.auc.mean - 0.5) / (self.bayes_auc - 0.5)


@dataclasses.dataclass(frozen=True)
class RowResult:
    """What the finished runs of one row say.

    Attributes:
      row: the row.
      runs: finished, by seed.
      tasks: `{task: figures}`.
      missing: seeds without a run.
      unfinished: seeds whose run has not come to its end.
    """

    row: Row
    runs: tuple[Run, ...]
    tasks: Mapping[str, TaskResult]
    missing: tuple[int, ...]
    unfinished: tuple[int, ...]

    @property
    def constant(self) -> bool:
        """Whether the model ranks nothing, with an AUC of exactly 0.5 in all there is of it."""
        return {auc for task in self.tasks.values() for auc in task.aucs.values()} == {0.5}

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
    """A table with figures; `seeds` are the ones that it was to have."""

    table: Table
    folder: pathlib.Path
    seeds: tuple[int, ...]
    rows: tuple[RowResult, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All finished runs."""
        return tuple(run for row in self.rows for run in row.runs)

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


def load_run(folder: str | pathlib.Path) -> Run:
    """Reads a run folder.

    Raises:
      DatasetError: it is none, or one of its files is damaged.
    """
    folder = pathlib.Path(folder)
    config = run_folder.read_json(folder / run_folder.CONFIG_FILE)
    record = run_folder.read_json(folder / run_folder.RUN_FILE)
    done = run_folder.finished(folder)
    result = run_folder.read_json(folder / run_folder.RESULT_FILE) if done else None
    return Run(folder, config, record, result)


def aggregate(
    table: Table, table_dir: str | pathlib.Path, seeds: Sequence[int] | None = None
) -> TableResult:
    """Computes a table from the finished runs of its folder.

    Args:
      table: the whole table; rows and seeds without a finished run are listed as missing.
      table_dir: holds `runs/`.
      seeds: that the table is to have; all that are found if not given.

    Raises:
      DatasetError: no run is finished, runs were made on different data, or seeds of one row with
        different settings.
    """
    table_dir = pathlib.Path(table_dir)
    if seeds is None:
        seeds = {
            int(folder.name.removeprefix("seed_"))
            for row in table.rows
            for folder in (table_dir / "runs" / row.slug).glob("seed_*")
            if folder.name.removeprefix("seed_").isdecimal()
        }
    seeds = tuple(sorted(seeds))
    runs = {row.label: _finished_runs(table, table_dir, row, seeds) for row in table.rows}
    _refuse_mixtures(runs)
    if not any(runs.values()):
        raise DatasetError(f"{table_dir} has no finished run of {table.name}; make them first")
    by_label = {row.label: row for row in table.rows}
    rows = []
    for row in table.rows:
        label = table.baseline_of(row)
        baseline = None if label is None else (by_label[label], runs[label])
        tasks = {
            task: _task_result(task, row, runs[row.label], baseline, seeds) for task in table.tasks
        }
        done = {run.seed for run in runs[row.label]}
        left = [] if row.deterministic and done else [seed for seed in seeds if seed not in done]
        begun = [seed for seed in left if table.run_dir(table_dir, row, seed).exists()]
        missing = tuple(seed for seed in left if seed not in begun)
        rows.append(RowResult(row, runs[row.label], tasks, missing, tuple(begun)))
    return TableResult(table, table_dir, seeds, tuple(rows))


def _finished_runs(
    table: Table, table_dir: pathlib.Path, row: Row, seeds: Sequence[int]
) -> tuple[Run, ...]:
    folders = [table.run_dir(table_dir, row, seed) for seed in seeds]
    if row.deterministic:  # any one will do, also of a seed that is not asked for
        folders += sorted((table_dir / "runs" / row.slug).glob("seed_*"))
    runs = [load_run(folder) for folder in folders if run_folder.finished(folder)]
    return tuple(runs[:1] if row.deterministic else runs)


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
    aucs, loglosses = (_figures(task, runs, name) for name in ("auc", "logloss"))

    def difference(name: str) -> PairedDifference | None:
        if baseline is None:
            return None
        # Whatever the seed, a deterministic model gives its one figure: it pairs with every seed.
        pairs = [
            dict.fromkeys(seeds, *values.values()) if each.deterministic and values else values
            for each, its_runs in ((row, runs), baseline)
            for values in [_figures(task, its_runs, name)]
        ]
        return paired_difference(*pairs)

    means = {
        name: summarise(list(values.values())).mean if values else None
        for name in ("constant_logloss", "calibration")
        for values in [_figures(task, runs, name)]
    }
    return TaskResult(
        aucs=aucs,
        auc=summarise(list(aucs.values())) if aucs else None,
        difference=difference("auc"),
        bayes_auc=runs[0].value(f"record.dataset.simulation.bayes_auc.{TEST}.{task}")
        if runs
        else None,
        loglosses=summarise(list(loglosses.values()), best=min) if loglosses else None,
        logloss_difference=difference("logloss"),
        **means,
    )


def _figures(task: str, runs: Sequence[Run], name: str) -> dict[int, float]:
    """`{seed: figure}` on the test split, of the runs that have it."""
    figures = {run.seed: run.value(f"result.metrics.{TEST}.{task}.{name}") for run in runs}
    return {seed: value for seed, value in figures.items() if value is not None}
