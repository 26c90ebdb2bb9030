"""A task: a label, and what is to be predicted of it."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from dcrnn_tf.dataset import targets
from dcrnn_tf.dataset.checked import later
from dcrnn_tf.dataset.field import check_name
from dcrnn_tf.dataset.names import column_name
from dcrnn_tf.dataset.targets import Target
from dcrnn_tf.system.errors import DatasetError

BINARY, REGRESSION, MULTICLASS = "binary", "regression", "multiclass"
TASK_KINDS = (BINARY, REGRESSION, MULTICLASS)
MOST_CLASSES = 2**15 - 1  # labels of several classes are stored as int16


@dataclasses.dataclass(frozen=True)
class Task:
    """A label, and what is to be predicted of it.

    Attributes:
      name: key of the label in a batch and of the logit in a model's output.
      only_where: task on whose positives alone this label is defined; None if on every exposure.
      may_be_missing: Whether rows may lack the label; they are no part of the task's loss and
        metrics.
      kind: `binary`, a label of 0 and 1; `regression`, a number; or `multiclass`, the position of a
        class among the classes.
      target: How the numbers of a regression task are learned; None of other tasks.
      classes: Names of the classes of a multiclass task; none while they are to be learned.
      weight: Name of the weights of the task's examples; None if all count alike.
      weight_mean: Mean of these weights over the training rows, by which training divides them.
      keep_negatives: Share of its negatives that the training rows hold.
    """

    name: str
    only_where: str | None = None
    may_be_missing: bool = later(False)
    kind: str = later(BINARY)
    target: Target | None = later(None)
    classes: tuple[str, ...] = later(())
    weight: str | None = later(None)
    weight_mean: float = later(1.0)
    keep_negatives: float = later(1.0)

    def __post_init__(self) -> None:
        check_name("task", self.name)
        if isinstance(self.target, Mapping):  # of `dataclasses.asdict`
            object.__setattr__(self, "target", targets.from_dict(self.target))
        if self.kind not in TASK_KINDS:
            raise DatasetError(f"task {self.name}: kind {self.kind!r} is not one of {TASK_KINDS}")
        if (self.target is None) != (self.kind != REGRESSION):
            raise DatasetError(f"task {self.name}: a regression task has a target, no other has")
        object.__setattr__(self, "classes", tuple(self.classes))
        if self.classes and self.kind != MULTICLASS:
            raise DatasetError(f"task {self.name}: only a multiclass task has classes")
        if self.classes and not 2 <= len(set(self.classes)) == len(self.classes) <= MOST_CLASSES:
            raise DatasetError(
                f"task {self.name}: {len(self.classes):,} classes, expected 2 to {MOST_CLASSES:,}, "
                "no two of them the same"
            )
        if self.weight is not None:
            check_name("weight", self.weight)
        whole = self.keep_negatives == 1
        if not (whole or (self.kind == BINARY and 0 < self.keep_negatives < 1)):
            raise DatasetError(
                f"task {self.name}: keep_negatives {self.keep_negatives} of a {self.kind} task, "
                "expected a share above 0 up to 1 of a binary one"
            )
        if not 0 < self.weight_mean < math.inf:
            raise DatasetError(
                f"task {self.name}: weight_mean {self.weight_mean} is no finite number above 0"
            )

    @property
    def column(self) -> str:
        """The label's column on disk."""
        return column_name(self.name)

    @property
    def column_type(self) -> str:
        """The type of the label's column on disk; -1 or NaN says that a label is missing."""
        if self.kind == REGRESSION:
            return "float32"
        if self.kind == MULTICLASS:
            return "int16"
        return "int8" if self.may_be_missing else "uint8"

    @property
    def outputs(self) -> int:
        """Number of outputs that a model has for each example."""
        return self.target.outputs if self.target else max(1, len(self.classes))

    @property
    def undefined(self) -> float:
        """The label in a batch where it is not defined: NaN instead of a number, -1 else."""
        return math.nan if self.kind == REGRESSION else -1.0

    def defined(self, labels: Any) -> Any:
        """Returns where labels of a batch are defined; arrays of NumPy or tensors."""
        return labels == labels if self.kind == REGRESSION else labels >= 0
