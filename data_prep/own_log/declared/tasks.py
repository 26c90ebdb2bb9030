"""The tasks of a declaration: the columns that are labels."""

import dataclasses

import polars as pl

from data_prep.own_log.cells import spelled
from data_prep.own_log.declared.keys import Keys, in_both
from dcrnn_tf.dataset.schema import (
    BINARY,
    MULTICLASS,
    REGRESSION,
    TASK_KINDS,
    DatasetError,
    Task,
)
from dcrnn_tf.dataset.targets import SQUARED, Target

_EVERY = ("kind", "column", "only_where", "may_be_missing", "weight")
TASK_KEYS = {
    BINARY: (*_EVERY, "positive", "negative", "keep_negatives"),
    REGRESSION: (*_EVERY, "loss", "scaling"),
    MULTICLASS: (*_EVERY, "classes"),
}
ONE, ZERO = ("1", "true"), ("0", "false")  # labels of a task that declares none


@dataclasses.dataclass(frozen=True)
class DeclaredTask:
    """A label column, and the values or numbers that it holds.

    Attributes:
      name: of the task.
      column: of the label in the files.
      positive: values that make the label 1.
      negative: values that make it 0; None if every other value does.
      only_where: an earlier task without whose positive label this one may be missing.
      may_be_missing: Whether any row may lack the label.
      kind: `binary`, `regression` or `multiclass`.
      loss: Loss of a regression task, as `Target` has it.
      scaling: Scaling of its numbers, as `Target` has it.
      classes: Classes of a multiclass task, spelled as ids; none are learned from training rows.
      weight: Column of the weights of its examples; None if all count alike.
      keep_negatives: Share of the training rows with a negative label that are kept.
    """

    name: str
    column: str
    positive: tuple[str, ...] = ONE
    negative: tuple[str, ...] | None = None
    only_where: str | None = None
    may_be_missing: bool = False
    kind: str = BINARY
    loss: str = SQUARED
    scaling: str = Target.SCALINGS[SQUARED][0]
    classes: tuple[str, ...] = ()
    weight: str | None = None
    keep_negatives: float = 1.0

    @property
    def task(self) -> Task:
        """The task of the prepared dataset, without what is learned of training rows."""
        target = Target(self.loss, self.scaling) if self.kind == REGRESSION else None
        return Task(
            self.name,
            self.only_where,
            self.may_be_missing,
            self.kind,
            target,
            self.classes,
            weight=None if self.weight is None else f"weight of {self.weight}",
            keep_negatives=self.keep_negatives,
        )


def declared_task(name: str, entry: object, weight: str | None) -> DeclaredTask:
    """Returns the task that an entry of `tasks` declares.

    Args:
      name: Name of the task.
      entry: The entry.
      weight: Column of the weights of all tasks that declare none of their own.

    Raises:
      DatasetError: The entry has an unknown key, or a value that cannot be.
    """
    where = f"task {name}"
    every_key = sorted({key for keys in TASK_KEYS.values() for key in keys})
    kind = Keys(entry, where, every_key).choice("kind", TASK_KINDS, BINARY)
    keys = Keys(entry, where, TASK_KEYS[kind], f" of a {kind} task")
    positive = keys.cells("positive")
    negative = keys.cells("negative")
    if both := in_both(positive or (), negative or ()):
        raise DatasetError(f"{where}: {both!r} is positive and negative")
    if negative and not positive:
        raise DatasetError(f"{where}: negative values without positive ones")
    classes = tuple(spelled(pl.Series(keys.cells("classes") or (), dtype=pl.String)))
    if "classes" in keys.entry and not 2 <= len(set(classes)) == len(classes):
        keys.fail("classes", "two or more, no two of them the same")
    loss = keys.choice("loss", Target.LOSSES, SQUARED)
    scalings = Target.SCALINGS[loss]
    return DeclaredTask(
        name=name,
        column=keys.text("column", name),
        positive=positive or ONE,
        negative=negative if positive else ZERO,
        only_where=keys.text("only_where", None),
        may_be_missing=keys.truth("may_be_missing", False),
        kind=kind,
        loss=loss,
        scaling=keys.choice("scaling", scalings, scalings[0]),
        classes=classes,
        weight=keys.text("weight", weight),
        keep_negatives=keys.share("keep_negatives"),
    )
