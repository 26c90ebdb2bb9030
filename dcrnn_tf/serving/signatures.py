"""Signatures of a SavedModel whose inputs have the names of fields, in any language.

TensorFlow makes signatures of functions, whose arguments have names that Python takes, and in which
upper and lower case count as the same. The signatures that servers read take any name. A SavedModel
is therefore written with `argument_names`, and its signatures are named anew when it is.
"""

import copy
import inspect
import keyword
import pathlib
from collections.abc import Callable, Iterable, Mapping

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from dcrnn_tf.dataset.names import ascii_names

_RESERVED = ("self", *keyword.kwlist)


def argument_names(inputs: Iterable[str]) -> dict[str, str]:
    """Returns the argument of an input for `tf.saved_model.load(...).signatures[...]`, by input.

    A plain name such as `user_id` stands for itself, unless Python keeps it for itself.

    Args:
      inputs: Names of all inputs of a model.
    """
    return ascii_names(inputs, _RESERVED)


def named_inputs(
    function: Callable[[dict], dict],
    specs: Mapping[str, tf.TensorSpec],
    arguments: Mapping[str, str],
    defaults: Mapping[str, tf.Tensor] | None = None,
) -> tf.types.experimental.PolymorphicFunction:
    """Returns a `tf.function` with an argument for each input.

    Args:
      function: Function of a dict of inputs.
      specs: Types and shapes of the inputs, by name.
      arguments: The names of `argument_names`.
      defaults: Values of inputs that are left out, by name.
    """
    names = list(specs)

    def serve(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return function(dict(zip(names, inputs, strict=True)))

    empty = inspect.Parameter.empty
    vars(serve)["__signature__"] = inspect.Signature(
        [
            inspect.Parameter(
                arguments[name],
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=empty if defaults is None else defaults[name],
            )
            for name in names
        ]
    )
    signature = [tf.TensorSpec(s.shape, s.dtype, arguments[name]) for name, s in specs.items()]
    return tf.function(serve, autograph=False, input_signature=signature)


def name_inputs(folder: pathlib.Path, arguments: Mapping[str, str]) -> None:
    """Gives the inputs in the signatures of a SavedModel their own names.

    Args:
      folder: Folder of the SavedModel.
      arguments: The names of `argument_names`.
    """
    names = {argument: name for name, argument in arguments.items() if name != argument}
    if not names:
        return
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        for signature in graph.signature_def.values():
            for values in (signature.inputs, signature.defaults):
                renamed = {names.get(key, key): copy.deepcopy(values[key]) for key in values}
                values.clear()
                for key, value in renamed.items():
                    values[key].CopyFrom(value)
    path.write_bytes(saved.SerializeToString(deterministic=True))
    (folder / "fingerprint.pb").unlink(missing_ok=True)  # of the signatures as they were
