"""A table of a paper as data: which runs make it, of which size, and what the paper printed."""

import dataclasses
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from dcrnn_tf.dataset.schema import Schema

if TYPE_CHECKING:
    from dcrnn_tf.metrics import Metric


class Program(NamedTuple):
    """A program that fits a model which `experiments.train` does not train.

    Attributes:
      module: Name of the program's module.
      label: Name by which readers know the model.
    """

    module: str
    label: str


PROGRAMS = {
    "boosted_trees": Program("experiments.baselines.boosted_trees", "Boosted trees"),
    "constant": Program("experiments.baselines.constant", "Constant"),
    "sklearn_logistic_regression": Program(
        "experiments.baselines.logistic_regression", "Logistic regression, scikit-learn"
    ),
}


@dataclasses.dataclass(frozen=True)
class Column:
    """A number that a paper table prints of each task.

    Attributes:
      label: Heading as printed.
      metric: Name of a registered metric, on the test split.
      statistic: Statistic over seeds, `best` or `mean`.
      form: How values are printed, with as many decimals as the papers print.
    """

    label: str
    metric: str
    statistic: str
    form: str


COLUMNS = {
    "best": Column("best", "auc", "best", ".4f"),
    "mean": Column("mean", "auc", "mean", ".4f"),
    "logloss": Column("logloss", "logloss", "mean", ".6f"),
    "auc": Column("AUC", "auc", "mean", ".6f"),
    "auc_4": Column("AUC", "auc", "mean", ".4f"),
}


def column(name: str) -> Column:
    """One of `COLUMNS`, or the mean of the registered metric of this name.

    Raises:
      KeyError: there is neither.
    """
    if name in COLUMNS:
        return COLUMNS[name]
    from dcrnn_tf import metrics  # late, since it takes NumPy to be imported

    metric = metrics.get(name)
    return Column(metric.label, metric.name, "mean", metric.form)


@dataclasses.dataclass(frozen=True)
class Preset:
    """How much to run, and on what.

    Attributes:
      rows: of the data to simulate, or to sample of real data; None is all of them.
      epochs: passes over the training split.
      seeds: runs per row.
      batch_size: rows of a training step.
      learning_rate: of all models.
      min_count: how often an id must occur to be in the vocabulary.
      labels: of the rows of the table to run; none means all.
    """

    rows: int | None
    epochs: int
    seeds: int
    batch_size: int
    learning_rate: float
    min_count: int = 10
    labels: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Row:
    """One model of a table.

    Attributes:
      label: as the paper prints it.
      model: name in the model registry, or in `PROGRAMS`.
      settings: of the model.
      paper: published figures, `{task: {column: value}}`; None for a row that the paper lacks.
      deterministic: whether the seed changes nothing, so that one run stands for every seed.
      baseline: label of the row that this one is compared with, if not the table's baseline.
      matched_width: a setting that is chosen so that the model has as many parameters outside of
        the embeddings as the table's baseline; see `equal_size`.
    """

    label: str
    model: str
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    paper: Mapping[str, Mapping[str, float]] | None = None
    deterministic: bool = False
    baseline: str | None = None
    matched_width: str | None = None

    @property
    def slug(self) -> str:
        """The label as a folder's name."""
        return re.sub(r"[^a-z0-9]+", "_", self.label.lower()).strip("_")


@dataclasses.dataclass(frozen=True)
class Setting:
    """A setting that the paper states or leaves open.

    Attributes:
      label: as printed.
      key: where a run has its own value, a path such as `config.batch_size`, `record.machine.cores`
        or `config.settings.units`.
      paper: the paper's value; None where it gives none.
    """

    label: str
    key: str
    paper: object = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of a paper: which runs make it, and what the paper printed.

    Attributes:
      name: of the files that are written, such as `table4`.
      title: heading.
      source: where the published figures stand, or what the table is made after.
      dataset: the paper's data, as a reader knows it.
      tasks: that the table has figures of; none for those of the dataset, whichever they are.
      columns: names of what is printed of each task, as `column` takes them.
      baseline: label of the row that the others are compared with; None if only rows that name
        their own are compared.
      rows: the models.
      settings: what to list of the paper's settings beside the runs' own.
      data: name in `datasets.SOURCES`.
      run_flags: flags of experiments.train that all runs get beside the preset's.
      presets: sizes by name: `small` and `smoke` on simulated data, `paper` on the real data.
      more_rows: makes further rows, where they depend on what there is at run time.
    """

    name: str
    title: str
    source: str
    dataset: str
    tasks: tuple[str, ...]
    columns: tuple[str, ...]
    baseline: str | None
    rows: tuple[Row, ...]
    settings: tuple[Setting, ...] = ()
    data: str = "ali_ccp"
    run_flags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    presets: Mapping[str, Preset] = dataclasses.field(default_factory=dict)
    more_rows: Callable[[], tuple[Row, ...]] | None = None

    def __post_init__(self) -> None:
        slugs = [row.slug for row in self.rows]
        if len(set(slugs)) < len(slugs):
            raise ValueError(f"{self.name}: two rows share a folder's name: {', '.join(slugs)}")
        for baseline in (self.baseline, *(row.baseline for row in self.rows)):
            if baseline not in (None, *(row.label for row in self.rows)):
                raise ValueError(f"{self.name}: the baseline {baseline!r} is no row")
        for name in self.columns:
            try:
                column(name)
            except KeyError:
                raise ValueError(f"{self.name}: no column is called {name}") from None

    @property
    def metrics(self) -> tuple["Metric", ...]:
        """The metrics that models are compared by: the primary one, and those that are printed."""
        from dcrnn_tf import metrics

        names = {metrics.PRIMARY, *(column(name).metric for name in self.columns)}
        return tuple(metric for metric in metrics.registered() if metric.name in names)

    @property
    def published(self) -> bool:
        """Whether there are published figures."""
        return any(row.paper for row in self.rows)

    @property
    def compared_with(self) -> str:
        """The baseline in words."""
        own = any(row.baseline for row in self.rows)
        return "its baseline" if own or self.baseline is None else self.baseline

    def compared(self, row: Row) -> str:
        """A row's label, with that of its baseline where rows have several."""
        baseline = self.baseline_of(row)
        several = self.compared_with != self.baseline
        return f"{row.label}, minus {baseline}" if several and baseline else row.label

    def baseline_of(self, row: Row) -> str | None:
        """Label of the row that one is compared with; None if it is compared with none."""
        label = row.baseline or self.baseline
        return None if label == row.label else label

    def of_tasks(self, tasks: Sequence[str]) -> "Table":
        """The table of a dataset's tasks, in the dataset's order if they are others than its own.

        The published figures are not of other tasks, and left out then.

        Raises:
          ValueError: there are more or fewer tasks than the table has.
        """
        if len(tasks) != len(self.tasks):
            raise ValueError(
                f"{self.name} compares models on {len(self.tasks)} tasks, and the dataset has "
                f"{len(tasks)} ({', '.join(tasks)}); declare as many as the table has"
            )
        if set(tasks) == set(self.tasks):
            return self
        return dataclasses.replace(self.unpublished(), tasks=tuple(tasks))

    def unpublished(self) -> "Table":
        """The table without the paper's figures, for data that are none of the paper's."""
        rows = tuple(dataclasses.replace(row, paper=None) for row in self.rows)
        return dataclasses.replace(self, rows=rows)

    def complete(self, schema: Schema, models: Sequence[str] | None = None) -> "Table":
        """The table with all rows, and the dataset's tasks where it has none of its own.

        Args:
          schema: of the dataset.
          models: names of models to keep beside the baseline; all if not given.

        Raises:
          ValueError: no row is of such a model.
        """
        rows = self.rows + (self.more_rows() if self.more_rows else ())
        known = [row.model for row in rows]
        if unknown := [name for name in models or () if name not in known]:
            raise ValueError(
                f"{self.name} has no model {', '.join(unknown)}; it has {', '.join(known)}"
            )
        rows = tuple(
            row
            for row in rows
            if models is None or row.model in models or row.label == self.baseline
        )
        return dataclasses.replace(
            self, rows=rows, more_rows=None, tasks=self.tasks or schema.task_names
        )

    def folder_name(self, preset: str) -> str:
        """Name of the folder of a preset's runs."""
        return self.name + {"small": "", "paper": f"-{self.data}"}.get(preset, f"-{preset}")

    def run_dir(self, table_dir: str | pathlib.Path, row: Row, seed: int) -> pathlib.Path:
        """Folder of one run of the table."""
        return pathlib.Path(table_dir, "runs", row.slug, f"seed_{seed}")
