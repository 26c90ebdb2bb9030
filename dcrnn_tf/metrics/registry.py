"""The registry of metrics: what each is called, how it is printed, and how it is computed."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

from dcrnn_tf.dataset.schema import BINARY, MULTICLASS, REGRESSION

PRIMARY = "auc"
"""Name of the metric of binary tasks by which models are ranked and checkpoints chosen."""

PRIMARIES = {BINARY: PRIMARY, REGRESSION: "xauc", MULTICLASS: "macro_auc"}
"""Names of these metrics by kind of task: shares of pairs in the right order, 0.5 by chance."""

GROUP_COUNTS = ("groups", "groups_of_one_class", "rows_without_group")
"""Names of the numbers beside metrics by group: of all groups, and of what is left out."""

_metrics: dict[str, "Metric"] = {}


@dataclasses.dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are.

    Attributes:
      name: Key of its values in files and logs.
      label: Name as printed.
      form: How its values are printed, as the built-in `format` takes it.
      better: Which of two values is better: the `high` one, the `low` one, or the one that is
        nearer to this number.
      compute: Function of the columns that `needs` names, `(rows,)` each; it returns None where the
        metric is not defined.
      needs: Names of the columns; where one is missing, the metric is left out.
      kind: Kind of the tasks that it is a metric of.
      difference_form: How differences, and the means that they are read beside, are printed;
        `form` if not given.
      reference: A metric that this one is read beside, such as that of the best constant.
      note: How to read its values, a clause for the notes of a page.
    """

    name: str
    label: str
    form: str
    better: Literal["high", "low"] | float
    compute: Callable[..., float | None]
    needs: tuple[str, ...] = ("labels", "logits")
    kind: str = BINARY
    difference_form: str = ""
    reference: "Metric | None" = None
    note: str = ""

    def __post_init__(self) -> None:
        if not self.difference_form:
            object.__setattr__(self, "difference_form", self.form)

    @property
    def by_group(self) -> bool:
        """Whether it is computed within groups of rows, such as those of a user."""
        return not {"groups", "ranking"}.isdisjoint(self.needs)

    def penalty(self, value: float) -> float:
        """Returns a number that is lower for a better value."""
        if self.better == "high":
            return -value
        return value if self.better == "low" else abs(value - self.better)

    def best(self, values: Sequence[float]) -> float:
        """Returns the best of at least one value."""
        return min(values, key=self.penalty)


def register(metric: Metric) -> None:
    """Adds a metric, behind those that are registered.

    Raises:
      ValueError: its name, or that of its reference, is taken.
    """
    taken = {known.name for known in printed()}
    names = [metric.name, *([metric.reference.name] if metric.reference else [])]
    if repeated := [name for name in names if name in taken]:
        raise ValueError(
            f"there is already a metric called {', '.join(repeated)}; choose another name"
        )
    _metrics[metric.name] = metric


def get(name: str) -> Metric:
    """Returns the registered metric of this name.

    Raises:
      KeyError: there is none.
    """
    return _metrics[name]


def registered() -> tuple[Metric, ...]:
    """Returns all metrics, in the order in which they are printed."""
    return tuple(_metrics.values())


def printed() -> tuple[Metric, ...]:
    """Returns all metrics, each followed by its reference."""
    pairs = ((metric, metric.reference) for metric in registered())
    return tuple(metric for pair in pairs for metric in pair if metric is not None)


def present(evaluations: Iterable[Collection[str]]) -> tuple[Metric, ...]:
    """Returns the metrics and references that some of the evaluations hold by name."""
    names = set().union(*evaluations)
    return tuple(metric for metric in printed() if metric.name in names)


def primary_of(values: Collection[str]) -> Metric:
    """Returns the metric that tasks are ranked by which have these metrics."""
    return get(next((name for name in PRIMARIES.values() if name in values), PRIMARY))


def compute(columns: Mapping[str, Any], kind: str = BINARY) -> dict[str, float | None]:
    """Computes every metric of a kind of task, and its reference, whose columns are all there.

    Args:
      columns: `{name: (rows,)}`, such as `labels` (zeros and ones) and `logits`, or `labels` and
        `predictions` of a regression task; `class_logits` of a multiclass one are
        `(rows, classes)`. `ranking` is a `GroupedRanking` of the rows.
      kind: Kind of the task.

    Returns:
      `{name: value}`; None where a metric is not defined, as any is where there are no rows.
    """
    rows = len(columns["labels"])
    return {
        metric.name: metric.compute(*(columns[need] for need in metric.needs)) if rows else None
        for metric in printed()
        if metric.kind == kind and set(metric.needs) <= set(columns)
    }
