"""The trial of an export before it gets its name: it must give what the model in training gives."""

import pathlib
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl  # the reader has no public name

from dcrnn_tf.system.errors import UserError

Inputs = Mapping[str, np.ndarray]


class ExportError(UserError):
    """An exported model does not give what the model in training gives."""


class Trial(NamedTuple):
    """Inputs of a signature, and what it must answer.

    Attributes:
      signature: Name of the signature.
      inputs: Inputs, `{input: array}`.
      expected: What the model in training gives, `{output: (rows,)}`; None asks for any.
      tolerance: Largest difference of probabilities from it.
      of_numbers: Largest difference of each output that is a number, by name.
    """

    signature: str
    inputs: Inputs
    expected: Mapping[str, np.ndarray] | None = None
    tolerance: float = 0.0
    of_numbers: Mapping[str, float] = MappingProxyType({})


def check(
    folder: pathlib.Path,
    inputs: Mapping[str, Mapping[str, tf.TensorSpec]],
    arguments: Mapping[str, str],
    outputs: Sequence[str],
    trials: Sequence[Trial],
    numbers: Collection[str] = (),
) -> None:
    """Loads a SavedModel and tries its signatures.

    Args:
      folder: Folder of the SavedModel.
      inputs: Inputs that each signature must have, `{signature: {input: tf.TensorSpec}}`.
      arguments: Argument of an input in Python where it has another name, by input.
      outputs: Names of the outputs that each signature must have.
      trials: What is asked, and what must be answered.
      numbers: Names of the outputs that are numbers; others are probabilities.

    Raises:
      ExportError: A signature, an input or an output is missing, or a probability is none, or
        another one than expected.
    """
    _check_inputs(folder, inputs)
    signatures = tf.saved_model.load(str(folder)).signatures
    for trial in trials:
        arrays = {
            arguments.get(name, name): tf.constant(array) for name, array in trial.inputs.items()
        }
        found = signatures[trial.signature](**arrays)
        answers = {output: values.numpy() for output, values in found.items()}
        check_answers(trial, answers, outputs, numbers)


def check_answers(
    trial: Trial,
    answers: Mapping[str, np.ndarray],
    outputs: Sequence[str],
    numbers: Collection[str] = (),
) -> None:
    """Compares what a model answers with what it must answer.

    Args:
      trial: What was asked.
      answers: What the model has answered, by output.
      outputs: Names of the outputs that there must be.
      numbers: Names of the outputs that are numbers; others are probabilities.

    Raises:
      ExportError: An output is missing, or a probability is none, or another one than expected.
    """
    if set(answers) != set(outputs):
        raise _refused(f"gives {', '.join(sorted(answers))} instead of {', '.join(outputs)}")
    for output in outputs:
        _check_values(trial, output, answers[output], output in numbers)


def _check_inputs(folder: pathlib.Path, inputs: Mapping[str, Mapping[str, tf.TensorSpec]]) -> None:
    """Reads the signatures as a server does, which knows no arguments of functions."""
    (graph,) = loader_impl.parse_saved_model(str(folder)).meta_graphs
    for name, specs in inputs.items():
        found = graph.signature_def[name].inputs if name in graph.signature_def else {}
        types = {key: (info.dtype, len(info.tensor_shape.dim)) for key, info in found.items()}
        expected = {
            key: (spec.dtype.as_datatype_enum, spec.shape.rank) for key, spec in specs.items()
        }
        if types != expected:
            raise _refused(f"has no signature {name} with the inputs {', '.join(specs)}")


def _check_values(trial: Trial, output: str, found: np.ndarray, is_number: bool) -> None:
    expected = found if trial.expected is None else trial.expected[output]
    if found.shape != expected.shape:
        raise _refused(f"gives {len(found)} values of {output} for {len(expected)} rows")
    # A value that is not a number is in no interval.
    tolerance = trial.of_numbers.get(output, 0.0) if is_number else trial.tolerance
    sound = np.abs(found - expected) <= tolerance
    if not is_number:
        sound &= (found >= 0) & (found <= 1)
    if sound.ndim > 1:  # a class that is at fault, if one is, stands for all
        furthest = np.argmin(sound, axis=1)[:, np.newaxis]
        sound, found, expected = (
            np.take_along_axis(values, furthest, axis=1)[:, 0]
            for values in (sound, found, expected)
        )
    if not sound.all():
        row = int(np.argmin(sound))
        what = "the number" if is_number else "probability of"
        told = "" if trial.expected is None else f", the model in training {expected[row]:.6f},"
        raise _refused(
            f"gives {found[row]:.6f} as {what} {output}{told} in row {row} (counted from "
            f"0) of a request to {trial.signature}"
        )


def _refused(what: str) -> ExportError:
    return ExportError(
        f"the exported model {what}, so that nothing was exported; report this with the command "
        "that exports it"
    )
