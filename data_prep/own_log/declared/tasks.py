"""The tasks of a declaration: the columns that are labels."""

import dataclasses

from data_prep.own_log.declared.keys import Keys, in_both
from dcrnn_tf.dataset.schema import DatasetError, Task

TASK_KEYS = ("column", "positive", "negative", "only_where", "may_be_missing")
ONE, ZERO = ("1", "true"), ("0", "false")  # labels of a task that declares none


@dataclasses.dataclass(frozen=True)
class DeclaredTask:
    """A label column and its positive values.

    Attributes:
      name: of the task.
      column: of the label in the files.
      positive: values that make the label 1.
      negative: values that make it 0; None if every other value does.
      only_where: an earlier task without whose positive label this one may be missing.
      may_be_missing: Whether any row may lack the label.
    """

    name: str
    column: str
    positive: tuple[str, ...] = ONE
    negative: tuple[str, ...] | None = None
    only_where: str | None = None
    may_be_missing: bool = False

    @property
    def task(self) -> Task:
        """The task of the prepared dataset."""
        return Task(self.name, self.only_where, self.may_be_missing)


def declared_task(name: str, entry: object) -> DeclaredTask:
    """Returns the task that an entry of `tasks` declares.

    Raises:
      DatasetError: The entry has an unknown key, or a value that cannot be.
    """
    keys = Keys(entry, f"task {name}", TASK_KEYS)
    positive = keys.cells("positive")
    negative = keys.cells("negative")
    if both := in_both(positive or (), negative or ()):
        raise DatasetError(f"task {name}: {both!r} is positive and negative")
    if negative and not positive:
        raise DatasetError(f"task {name}: negative values without positive ones")
    return DeclaredTask(
        name=name,
        column=keys.text("column", name),
        positive=positive or ONE,
        negative=negative if positive else ZERO,
        only_where=keys.text("only_where", None),
        may_be_missing=keys.truth("may_be_missing", False),
    )
