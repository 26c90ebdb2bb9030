"""Numbers of rows by split, label and declared value, and what must be right with them."""

import collections
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from data_prep.own_log.cells import ListedValues, as_values, text_of
from data_prep.own_log.declaration import ONE, SPLIT_NAMES, ZERO, Declaration
from data_prep.own_log.declared.times import TIME
from data_prep.own_log.learning import classes
from data_prep.own_log.learning.target import TargetLearner
from data_prep.own_log.moments import written_moment
from data_prep.own_log.split_draw import TRAIN
from data_prep.own_log.weighting.row_weights import weight_columns
from data_prep.storage.columns import count_labels
from dcrnn_tf.dataset.schema import BINARY, MULTICLASS, DatasetError, Task
from dcrnn_tf.dataset.targets import Target
from dcrnn_tf.system.nearest import did_you_mean

COUNTED_VALUES = 10_000  # of a column; of more, the rarest are forgotten
LEARNED_CLASSES = 1_000  # of a task; each has an output of the model
NAMED_VALUES = 5  # in a message


@dataclasses.dataclass(frozen=True)
class ValueList:
    """The list of values that a part of the declaration has for a column."""

    part: str
    column: str
    values: tuple[str, ...]


class RowCounts:
    """Numbers of rows by split and by label, and of the values of columns with listed values.

    Args:
      declaration: Declaration of the log.

    Attributes:
      rows: Number of rows of each split, in the order of `SPLIT_NAMES`.
      positives: Number of training rows on which each task is positive.
      defined: Number of training rows on which each task is defined.
      values: `{column: {value: rows}}` of the columns whose values the declaration lists.
      classes: Numbers of training rows by class, of multiclass tasks.
      targets: Learners of the targets of regression tasks, which have seen the training rows.
      left_out: Number of negatives that were left out, where that is counted here.
      in_no_split: Number of rows that are in no split, where that is counted here.
      weights: Sums of the weights of training rows, by their names in the prepared dataset.
      spans: The first and the last moment of the rows of each split that has rows, by its position
        in `SPLIT_NAMES`, where times are declared.
    """

    def __init__(self, declaration: Declaration):
        self.rows = np.zeros(len(SPLIT_NAMES), np.int64)
        self.positives: collections.Counter[str] = collections.Counter()
        self.defined: collections.Counter[str] = collections.Counter()
        self.values: dict[str, collections.Counter[str]] = {
            listed.column: collections.Counter() for listed in value_lists(declaration)
        }
        self.spans: dict[int, tuple[int, int]] = {}
        self._tasks = tuple(task.task for task in declaration.tasks)
        self.classes: dict[str, collections.Counter[str]] = {
            task.name: collections.Counter() for task in self._tasks if task.kind == MULTICLASS
        }
        self.left_out = 0
        self.in_no_split = 0
        self.weights = {task.weight: 0.0 for task in self._tasks if task.weight is not None}
        self.targets = {t.name: TargetLearner(t.target) for t in self._tasks if t.target}
        self._listed: dict[str, tuple[str, ...]] = {}
        for listed in value_lists(declaration):
            self._listed[listed.column] = self._listed.get(listed.column, ()) + listed.values

    def add(
        self, frame: pl.DataFrame, splits: np.ndarray, labels: Mapping[str, np.ndarray]
    ) -> None:
        """Counts rows as `LogRows.read` yields them."""
        self.rows += np.bincount(splits, minlength=len(SPLIT_NAMES))
        training = {task: label[splits == TRAIN] for task, label in labels.items()}
        for task, found in classes.class_counts(training, self._tasks).items():
            self.classes[task].update(found)
        training = classes.countable(training, self._tasks)
        positives, defined, _ = count_labels(training, self._tasks)
        self.positives.update(positives)
        self.defined.update(defined)
        for task, learner in self.targets.items():
            learner.add(training[task])
        for name in self.weights:
            self.weights[name] += float(np.sum(training[name], dtype=np.float64))
        if TIME in frame.columns:
            times = frame.select(TIME, split=splits).group_by("split")
            for split, *span in times.agg(first=pl.min(TIME), last=pl.max(TIME)).iter_rows():
                self._extend(split, *span)
        for column in self.values:
            counts = text_of(frame[column]).drop_nulls().value_counts()
            self._update(column, dict(counts.iter_rows()))

    def merge(self, other: "RowCounts") -> None:
        """Adds the counts of rows of the same log that follow those counted here."""
        self.rows += other.rows
        self.positives.update(other.positives)
        self.defined.update(other.defined)
        for task, found in self.classes.items():
            found.update(other.classes[task])
        for task, learner in self.targets.items():
            learner.merge(other.targets[task])
        self.left_out += other.left_out
        self.in_no_split += other.in_no_split
        for name, total in other.weights.items():
            self.weights[name] += total
        for split, span in other.spans.items():
            self._extend(split, *span)
        for column in self.values:
            self._update(column, other.values[column])

    def tasks(self) -> tuple[Task, ...]:
        """Returns the tasks of the prepared dataset, with what was learned of training rows."""
        return tuple(map(self._learned, self._tasks))

    def _learned(self, task: Task) -> Task:
        """Returns a task with what was learned of training rows."""
        learned: dict[str, Any] = {}
        if task.target is not None:
            learned["target"] = self.targets[task.name].finish()
        if task.kind == MULTICLASS:
            learned["classes"] = task.classes or classes.learned(self.classes[task.name])
        if task.weight is not None:
            learned["weight_mean"] = self.weights[task.weight] / int(self.rows[TRAIN])
        return dataclasses.replace(task, **learned)

    def _extend(self, split: int, first: int, last: int) -> None:
        earliest, latest = self.spans.get(split, (first, last))
        self.spans[split] = min(first, earliest), max(last, latest)

    def _update(self, column: str, counts: Mapping[str, int]) -> None:
        counter = self.values[column]
        counter.update(counts)
        if len(counter) > COUNTED_VALUES:
            kept = dict(frequent(counter, COUNTED_VALUES // 2))
            values = pl.Series(counter.keys(), dtype=pl.String)
            listed = values.filter(as_values(self._listed[column]).hold(values))
            kept |= {value: counter[value] for value in listed}
            counter.clear()
            counter.update(kept)


def value_lists(declaration: Declaration) -> Iterator[ValueList]:
    """Yields the lists of values in a declaration, except the usual labels of 1 and 0."""
    for task in declaration.tasks:
        for key, values, usual in (
            ("positive", task.positive, ONE),
            ("negative", task.negative, ZERO),
        ):
            if values is not None and values != usual:
                yield ValueList(f"task {task.name}: {key}", task.column, values)
    if declaration.split.column is not None:
        for name, values in declaration.split.values.items():
            yield ValueList(f"split: {name}", declaration.split.column, values)


def written_spans(declaration: Declaration, counts: RowCounts) -> dict[str, list[str]]:
    """Returns the first and the last moment of the rows of each split, as text."""
    zone = declaration.time.zone if declaration.time else "UTC"
    return {
        SPLIT_NAMES[split]: [written_moment(moment, zone) for moment in span]
        for split, span in sorted(counts.spans.items())
    }


def never_met(declaration: Declaration, counts: RowCounts) -> dict[str, dict[str, str]]:
    """Returns the listed values that no row has, by part, each with what its column holds."""
    absent: dict[str, dict[str, str]] = {}
    for listed in value_lists(declaration):
        counted = counts.values[listed.column]
        texts = pl.Series(counted.keys(), dtype=pl.String)
        for value in listed.values:
            if value not in counted and not ListedValues([value]).hold(texts).any():
                held = holds(listed.column, counted, value)
                absent.setdefault(listed.part, {})[value] = held
    return absent


def holds(column: str, counts: Mapping[str, int], *words: str) -> str:
    """Says which values a column holds, the most frequent first, and which is near to a word."""
    if not counts:
        return f"column {column!r} holds no value"
    named = [f"{value!r} ({rows:,} rows)" for value, rows in frequent(counts, NAMED_VALUES)]
    more = [f"{len(counts) - len(named):,} other values"] if len(counts) > len(named) else []
    hints = (did_you_mean(word, counts) for word in words if word not in counts)
    return f"column {column!r} holds {', '.join(named + more)}" + next(filter(None, hints), "")


def frequent(counts: Mapping[str, int], most: int) -> list[tuple[str, int]]:
    """Returns the most frequent values and their counts, in an order that is always the same."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


def check_rows(declaration: Declaration, counts: RowCounts) -> None:
    """Checks that there is something to learn from, and to test with.

    Raises:
      DatasetError: A declared split has no rows, or a task has the same label on all training rows;
        or one of amounts none above 0.
    """
    declared = {"train", "test", *declaration.split.files, *declaration.split.values}
    if declaration.split.has_validation:
        declared.add("validation")
    for split, rows in zip(SPLIT_NAMES, counts.rows.tolist(), strict=True):
        if split in declared and not rows:
            raise DatasetError(
                f"{declaration.path}: the split leaves no {split} rows (of "
                f"{counts.rows.sum():,} rows in all){_why_empty(declaration, split, counts)}"
            )
    for name, found in counts.classes.items():
        _check_classes(declaration, name, found)
    for column, name in weight_columns(declaration.tasks).items():
        if not counts.weights[name]:
            raise DatasetError(
                f"{declaration.path}: weight: column {column!r} holds 0 in every training row, "
                "expected a number above 0 in some"
            )
    for learned in counts.tasks():
        if learned.target is not None:
            defined = counts.defined[learned.name]
            _check_numbers(declaration, learned.name, learned.target, defined)
    for task in declaration.tasks:
        positives, defined = counts.positives[task.name], counts.defined[task.name]
        if task.kind == BINARY and not 0 < positives < defined:
            raise DatasetError(
                f"{declaration.path}: task {task.name} has {positives:,} positives "
                f"among its {defined:,} training rows, expected some and not all; "
                f"check its positive values ({', '.join(task.positive)})"
                + _held(task.column, counts, *task.positive)
            )


def _check_classes(declaration: Declaration, task: str, found: Mapping[str, int]) -> None:
    """Checks that training rows have several classes, and not as many as ids."""
    if not 2 <= len(found) <= LEARNED_CLASSES:
        raise DatasetError(
            f"{declaration.path}: task {task} has {len(found):,} classes in its training rows, "
            f"expected 2 to {LEARNED_CLASSES:,}; check its column, or leave the task out"
        )


def _check_numbers(declaration: Declaration, task: str, target: Target, defined: int) -> None:
    """Checks that the numbers of a regression task differ, and that amounts are not all 0."""
    found, expected = "", "different numbers"
    if not defined:
        found = "no number"
    elif target.is_amount and not target.above_0:
        found, expected = "no amount above 0", "some"
    elif not target.is_amount and not target.deviation:
        found = f"the number {target.average:g} alone"
    if found:
        raise DatasetError(
            f"{declaration.path}: task {task} has {found} among its {defined:,} training "
            f"rows, expected {expected}; check its column, or leave the task out"
        )


def _why_empty(declaration: Declaration, split: str, counts: RowCounts) -> str:
    declared = declaration.split
    if declared.by == "time":
        spans = ", ".join(
            f"{name} from {first} to {last}"
            for name, (first, last) in written_spans(declaration, counts).items()
        )
        return f"; {spans}" if spans else ""
    if values := declared.values.get(split):
        return f"; no row has {' or '.join(map(repr, values))}" + _held(
            declared.column, counts, *values
        )
    if declared.by == "column" and split == "train":
        return "; other splits list every value" + _held(declared.column, counts)
    if files := declared.files.get(split, ()) if declared.by == "file" else ():
        return f"; {', '.join(files)} must hold a usable row"
    if split == "validation" or declared.by in ("group", "fraction"):
        drawn = "groups" if declared.by == "group" else "rows"
        return f"; there are too few {drawn} for its share, so change the fraction or leave it out"
    return ""


def _held(column: str | None, counts: RowCounts, *words: str) -> str:
    if column is None or column not in counts.values:
        return ""
    return "; " + holds(column, counts.values[column], *words)
