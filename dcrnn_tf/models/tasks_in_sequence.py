"""What a model takes to be in sequence: tasks that are possible only where another is positive."""

import itertools
from collections.abc import Mapping, Sequence

import tensorflow as tf

from dcrnn_tf.dataset.schema import BINARY, Schema, Task
from dcrnn_tf.models import derived_outputs, every_exposure
from dcrnn_tf.models.derived_outputs import DerivedOutput
from dcrnn_tf.models.model_error import ModelError


class TasksInSequence:
    """The part of a model that knows the sequence of its tasks.

    Attributes:
      name: Name of the model.
      tasks: Names of the tasks, in the order of their causes.
      tasks_in_sequence: Whether outputs beside the tasks' take them to be in sequence.
    """

    name: str
    tasks: tuple[str, ...]
    tasks_in_sequence: bool
    _only_where: tuple[tuple[str, str], ...] = ()

    @property
    def needed_tasks(self) -> tuple[tuple[str, str], ...]:
        """Pairs of tasks in sequence: the first one of a pair is needed for the other one."""
        return tuple(itertools.pairwise(self.tasks))

    @property
    def outputs_in_sequence(self) -> tuple[DerivedOutput, ...]:
        """With `tasks_in_sequence` each probability after the task before, else none."""
        pairs = self.needed_tasks if self.tasks_in_sequence else ()
        # The output of a task that is defined after the one before it is that probability.
        return tuple(
            derived_outputs.after(task, given)
            for given, task in pairs
            if (task, given) not in self._only_where
        )

    @property
    def tasks_on_every_exposure(self) -> tuple[str, ...]:
        """The tasks that are defined where another one is positive, and trained on all exposures.

        So they are in models that take tasks to be in sequence. The model's own output is then the
        probability on all exposures, `TASK_per_exposure`.
        """
        needed = self.bounds_tasks or self.tasks_in_sequence
        return tuple(task for task, _ in self._only_where) if needed else ()

    def training_labels(self, labels: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the labels that a training step takes: 0 where a task is no more possible.

        Args:
          labels: Labels of a batch as the dataset gives them, `{task: (batch,)}`.
        """
        if not self.tasks_on_every_exposure:
            return dict(labels)
        return every_exposure.labels(labels, dict(self._only_where))

    def training_schema(self, schema: Schema) -> Schema:
        """Returns a dataset's schema with the counts of labels that training steps take."""
        return every_exposure.schema(schema) if self.tasks_on_every_exposure else schema

    def derived_outputs(self, tasks: Sequence[Task]) -> tuple[DerivedOutput, ...]:
        """Returns all outputs beside the tasks', in an order in which they can be computed.

        Args:
          tasks: Tasks of the dataset, which say where their labels are defined.
        """
        if self.tasks_on_every_exposure:
            tasks = [Task(task, dict(self._only_where).get(task)) for task in self.tasks]
        return derived_outputs.per_exposure(tasks) + self.outputs_in_sequence

    @property
    def bounds_tasks(self) -> bool:
        """Whether training holds the probability of each task to at most that of the one before."""
        return False

    def take_tasks(self, schema: Schema) -> None:
        """Notes where tasks are defined, and refuses those that are in no sequence.

        Args:
          schema: Schema of the dataset.

        Raises:
          ModelError: A task has the name of a derived output; or is positive where the one before
            it is not, as far as the schema tells, and the model takes tasks to be in sequence.
        """
        pairs = ((task.name, task.only_where) for task in schema.tasks)
        self._only_where = tuple((task, where) for task, where in pairs if where is not None)
        for output in self.derived_outputs(schema.tasks):
            if output.name in self.tasks:
                raise ModelError(f"{output.name} is a task and a derived output; rename the task")
        if not (self.bounds_tasks or self.tasks_in_sequence):
            return
        for task in schema.tasks:
            if task.kind != BINARY:
                raise ModelError(
                    f"{task.name} is a {task.kind} task, and the model takes binary tasks alone, "
                    "each of which is positive only where the one before it is; choose another "
                    "model, or leave the task out"
                )
        self._check_sample(schema)
        for split in schema.splits.values():
            for before, name in self.needed_tasks:
                known = (before, name) in itertools.pairwise(self.tasks)
                if alone := known and (split.out_of_sequence or {}).get(name):
                    raise ModelError(
                        f"{name} is positive and {before} is not on {alone:,} rows of the "
                        f"{split.name} split, and the model needs tasks each of which is positive "
                        "only where the one before it is; leave these rows out of the raw files, "
                        "or choose another model"
                    )
                counted = known and split.out_of_sequence is not None
                if not counted and split.positives[name] > split.positives[before]:
                    raise ModelError(
                        f"the {split.name} split has {split.positives[name]} positives of {name} "
                        f"and {split.positives[before]} of {before}, and the model needs tasks "
                        "each of which is positive only where the one before it is"
                    )

    def _check_sample(self, schema: Schema) -> None:
        """Refuses negatives that were left out of a task whose probability another one bounds."""
        sampled = schema.sampled_task
        if sampled is None:
            return
        bounded = self.bounds_tasks and sampled.name != self.tasks[0]
        if bounded or sampled.name in self.tasks_on_every_exposure:
            raise ModelError(
                f"{sampled.name} has keep_negatives, and the model learns it as a part of the task "
                f"before it; declare keep_negatives at {self.tasks[0]}, or choose another model"
            )

    def check_positive_weights(self, weights: Mapping[str, float]) -> None:
        """Refuses factors on the positives' losses with which the outputs would be wrong.

        A weight w makes odds w times as large. That of a later task must not be larger where
        `bounds_tasks`: the bound would then lie below what its weighted loss tends to.

        Args:
          weights: Factor of each task, `{task: weight}`.

        Raises:
          ModelError: The weights are such.
        """
        for before, task in self.needed_tasks:
            if self.bounds_tasks and weights[task] > weights[before]:
                raise ModelError(
                    f"model {self.name} holds the probability of {task} to that of {before}, which "
                    f"a larger positive weight ({weights[task]:.4g} to {weights[before]:.4g}) "
                    "contradicts; use positive_weights=none"
                )
