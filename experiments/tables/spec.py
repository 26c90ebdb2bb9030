"""A paper table as data: which runs make it, of which size, and what the paper printed."""

import dataclasses
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dcrnn_tf.dataset.schema import Schema
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
    """The size of a table's runs and of their data.

    Attributes:
      rows: Number of examples to simulate, or to sample of real data; None takes all.
      epochs: Number of passes over the training split.
      seeds: Number of runs of each row.
      batch_size: Number of examples in a training step.
      learning_rate: Learning rate of all models.
      min_count: Number of times that an id must occur to be in the vocabulary.
      labels: Labels of the rows to run; an empty tuple stands for all rows.
      validation_fraction: Share of the training rows for validation; None leaves it to the
        preparation of the data.
    """

    rows: int | None
    epochs: int
    seeds: int
    batch_size: int
    learning_rate: float
    min_count: int = 10
    labels: tuple[str, ...] = ()
    validation_fraction: float | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One model of a table.

    Attributes:
      label: Name of the row, as the paper prints it.
      model: Name of the model in the model registry, or in `PROGRAMS`.
      settings: Settings of the model.
      paper: Published values, `{task: {column: value}}`; None for a row that the paper lacks.
      deterministic: Whether the seed changes nothing, so that one run stands for every seed.
      baseline: Label of the row that this one is compared with, if not the table's baseline.
      matched_width: Name of the setting to choose so that the model has as many parameters outside
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
      label: Name of the setting as printed.
      key: Path to a run's own value, such as `config.batch_size`, `record.machine.cores` or
        `config.settings.units`.
      paper: The paper's value; None where it gives none.
    """

    label: str
    key: str
    paper: object = None


@dataclasses.dataclass(frozen=True)
class Table:
    """A paper table: which runs make it, and what the paper printed.

    Attributes:
      name: Name of the files that are written, such as `table4`.
      title: Heading of the table's pages.
      source: Citation of the published values, or of what the table is made after.
      dataset: Name of the paper's data, as a reader knows it.
      tasks: Tasks of the table; an empty tuple stands for those of the dataset.
      columns: Names of the columns that are printed of each task, as `column` takes them.
      baseline: Label of the row that the others are compared with; None if only rows that name
        their own are compared.
      rows: The models.
      settings: The paper's settings to list beside those of the runs.
      data: Name of the table's data in `datasets.SOURCES`.
      run_flags: Flags of experiments.train that all runs get beside the preset's.
      presets: Sizes by name: `small` and `smoke` on simulated data, `paper` on the real data.
      more_rows: Function that makes further rows, where they depend on what is registered.
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
        """Whether the paper printed values."""
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
        """The table of a dataset's tasks, in the dataset's order if they differ from the table's.

        The published values do not belong to other tasks, and are left out then.

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
        """The table without the published values, for data that the paper did not use."""
        rows = tuple(dataclasses.replace(row, paper=None) for row in self.rows)
        return dataclasses.replace(self, rows=rows)

    def complete(self, schema: "Schema", models: Sequence[str] | None = None) -> "Table":
        """The table with all rows, and with the dataset's tasks where it names none.

        Args:
          schema: Schema of the dataset.
          models: Names of the models to keep beside the baseline; all if not given.

        Raises:
          ValueError: no row has such a model.
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
