"""Checkpoints of named variables, complete or absent."""

import pathlib
import shutil
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.plain_path import plain_path
from dcrnn_tf.system.whole_folder import whole_folder

CHECKPOINTS = "checkpoints"
"""Name of the folder of a run's checkpoints, below the run's."""

_PREFIX = "step_"
_PARTIAL = "partial"
_ONLY_TO_CONTINUE = "only_to_continue"
_REMOVED = "removed"


def numbered(prefix: str, variables: Sequence[keras.Variable]) -> dict[str, tf.Variable]:
    """Names the variables of a model or an optimizer by their position and their own name.

    The paths that Keras gives contain counters of the process, such as `dense_7`; these do not.
    """
    return {f"{prefix}_{i:04d}_{v.name}": v.value for i, v in enumerate(variables)}


class Checkpoints:
    """A folder of checkpoints, a sub-folder for each step; old ones are removed.

    A checkpoint is written under a temporary name and renamed last, so that an interrupted write
    never passes for a complete one. Variables are saved by the names given here, never by their
    position in an object graph: TensorFlow's own silently skips what lies in lists and dicts.

    Args:
      folder: Folder of the checkpoints; the first `save` makes it.
      variables: `{name: tf.Variable}`, everything that a continued run needs.
      keep: Number of checkpoints that stay, at least 2.
      partial: Whether the checkpoints may hold other variables beside these.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        variables: dict[str, tf.Variable],
        keep: int = 2,
        partial: bool = False,
    ):
        self._folder = pathlib.Path(folder)
        self._variables = variables
        self._checkpoint = tf.train.Checkpoint(**variables)
        self._keep = keep
        self._partial = partial

    def save(self, step: int, only_to_continue: bool = False, spared: int | None = None) -> None:
        """Writes the variables, removes the oldest checkpoint, and names the new one after `step`.

        The name comes last, and what is removed loses its name first: a run that is killed at any
        of these moments continues from a complete checkpoint, and ends with the same checkpoints.

        Args:
          step: Number of the step.
          only_to_continue: Whether some rows wait for updates that only the run itself can make, so
            that programs that read the model's weights alone must not use the checkpoint.
          spared: A step whose checkpoint stays however old it is.
        """
        target = self._path(step)
        with whole_folder(target, self._folder / _PARTIAL) as partial:
            self._checkpoint.write(str(partial / "variables"))
            if only_to_continue:
                (partial / _ONLY_TO_CONTINUE).touch()
            for newer in [other for other in self.steps() if other > step]:  # those were unreadable
                self._remove(self._path(newer))
            others = [other for other in self.steps() if other not in (step, spared)]
            for old in others[: 1 - self._keep]:
                self._remove(self._path(old))
            self._remove(target)

    def _remove(self, checkpoint: pathlib.Path) -> None:
        removed = self._folder / _REMOVED
        shutil.rmtree(removed, ignore_errors=True)
        if checkpoint.exists():
            checkpoint.rename(removed)
            shutil.rmtree(removed)

    def steps(self) -> list[int]:
        """Returns the steps that have a checkpoint, in ascending order."""
        names = [path.name.removeprefix(_PREFIX) for path in self._folder.glob(_PREFIX + "*")]
        return sorted(int(name) for name in names if name.isdecimal())

    def restore(self, step: int | None = None) -> int | None:
        """Reads a checkpoint into the variables.

        Args:
          step: Step of the checkpoint; None takes the newest that can be read, and prints which
            ones cannot.

        Returns:
          The step of the checkpoint that was read; None where there is no checkpoint at all.

        Raises:
          DatasetError: There are checkpoints, and none of them can be read.
        """
        wanted = self.steps() if step is None else [step]
        if not wanted:
            return None
        if step is not None and step not in self.steps():
            known = ", ".join(map(str, self.steps())) or "none"
            raise DatasetError(
                f"{self._folder} has no checkpoint of step {step}; there are: {known}"
            )
        reasons = []
        for candidate in reversed(wanted):
            reason = self._read(candidate)
            if reason is None:
                return candidate
            reasons.append(f"that of step {candidate}: {reason}")
            if step is None:
                print(f"Checkpoint {self._path(candidate)} cannot be read ({reason}).")
        if step is not None:
            known = ", ".join(map(str, self.steps())) or "none"
            raise DatasetError(
                f"the checkpoint {self._path(step)} cannot be read ({reason}); there are: {known}"
            )
        raise DatasetError(
            f"none of the checkpoints in {self._folder} can be read ({'; '.join(reasons)}); "
            "remove the run folder to start again"
        )

    def _path(self, step: int) -> pathlib.Path:
        return path_of(self._folder, step)

    def _read(self, step: int) -> str | None:
        """Reads one checkpoint; returns the reason why it cannot be read, None if it was read."""
        path = self._path(step)
        if self._partial and (path / _ONLY_TO_CONTINUE).exists():
            return "it was made at an interruption and is only for the run to go on from"
        try:
            with plain_path(path) as readable:
                if found := _difference(readable, self._variables, self._partial):
                    return found
                status = self._checkpoint.read(str(readable / "variables"))
                status.assert_existing_objects_matched()
                status.expect_partial()
        except (tf.errors.OpError, AssertionError, ValueError, IndexError, RuntimeError) as error:
            return str(error).strip().splitlines()[0]
        return None


def path_of(folder: pathlib.Path, step: int) -> pathlib.Path:
    """Returns the folder of a step's checkpoint, below that of all checkpoints."""
    return folder / f"{_PREFIX}{step:09d}"


def whole_steps(folder: pathlib.Path) -> list[int]:
    """Returns the steps whose checkpoints hold weights that no update is missing from."""
    steps = Checkpoints(folder, {}).steps()
    return [step for step in steps if not (path_of(folder, step) / _ONLY_TO_CONTINUE).exists()]


def damage(path: pathlib.Path, variables: Mapping[str, tf.Variable] | None = None) -> str | None:
    """Returns what is wrong with a checkpoint; None if nothing is.

    Every variable is read, which compares it with its checksum, and must hold finite numbers.

    Args:
      path: Folder of the checkpoint.
      variables: Variables that it must hold, by their names; None if they are not known.
    """
    try:
        with plain_path(path) as readable:
            found = variables and _difference(readable, variables, partial=True)
            return found or _not_finite(str(readable / "variables"))
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        return str(error).strip().splitlines()[0]


def _difference(
    path: pathlib.Path, variables: Mapping[str, tf.Variable], partial: bool
) -> str | None:
    """Names the first variable in which a checkpoint and the variables here differ.

    Args:
      path: Folder of the checkpoint, which TensorFlow can read.
      variables: The variables here, by their names.
      partial: Whether the checkpoint may hold others beside these.
    """
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    there = tf.train.load_checkpoint(str(path / "variables")).get_variable_to_shape_map()
    there = {n.removesuffix(suffix): s for n, s in there.items() if n.endswith(suffix)}
    there.pop("save_counter", None)
    for name, variable in variables.items():
        if name not in there:
            return f"it is of another model: it has no {name}"
        if variable.shape.as_list() != there[name]:
            return (
                f"it is of another model or dataset: {name} has shape {there[name]} there, "
                f"{variable.shape.as_list()} here"
            )
    more = sorted(set(there) - set(variables))
    if more and not partial:
        return f"it is of another model: it has {more[0]}, which there is none of here"
    return None


def _not_finite(prefix: str) -> str | None:
    """Names the first variable of a checkpoint with a number that is not finite."""
    reader = tf.train.load_checkpoint(prefix)
    for name in sorted(reader.get_variable_to_shape_map()):
        value = np.asarray(reader.get_tensor(name))
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            return f"{name.split('/')[0]} holds a number that is not finite"
    return None
