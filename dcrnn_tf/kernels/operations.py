"""Loads the compiled C++ operations; says where TensorFlow's own take their place.

They are optional. `python -m dcrnn_tf.kernels` compiles them, for the TensorFlow that is installed;
where they have not been compiled, or where a variable lives on another device than the CPU,
TensorFlow's operations compute the same, to the same bits (`DeferredAdam`, the steps of `CRNN`,
experts and their mixtures, `TargetAttention`, `Dice`: to rounding).
"""

import functools
import hashlib
import pathlib
from typing import Any

import tensorflow as tf
from absl import logging

_FOLDER = pathlib.Path(__file__).parent


def sources() -> list[pathlib.Path]:
    """Returns the C++ files to compile."""
    return sorted(_FOLDER.glob("*.cc"))


def library_file() -> pathlib.Path:
    """Returns the file of the compiled operations; other sources or TensorFlow, another file."""
    key = hashlib.sha256(" ".join([tf.__version__, *tf.sysconfig.get_link_flags()]).encode())
    for source in [*sources(), *sorted(_FOLDER.glob("*.h"))]:
        key.update(source.read_bytes())
    return _FOLDER / f"operations-{key.hexdigest()[:16]}.so"


@functools.cache
def library() -> Any:
    """Returns the compiled operations by name; None if they have not been compiled."""
    file = library_file()
    if not file.is_file():
        return None
    try:
        loaded = tf.load_op_library(str(file))
    except (tf.errors.NotFoundError, OSError, RuntimeError) as error:
        logging.warning("%s cannot be loaded and is not used: %s", file, error)
        return None
    tf.RegisterGradient("DcrnnPooledRows")(_pooled_rows_gradient)
    return loaded


def usable(*variables: tf.Variable) -> bool:
    """Returns whether the operations exist and may work on these variables.

    The variables must hold float32 in the memory of this machine's CPU, in one copy each.
    """
    return library() is not None and all(
        variable.dtype == tf.float32
        and not hasattr(variable, "values")  # a strategy's variable, with a copy for each replica
        and hasattr(variable, "handle")
        and _is_here(tf.DeviceSpec.from_string(variable.device or ""))
        for variable in variables
    )


def _is_here(device: tf.DeviceSpec) -> bool:
    return device.device_type in (None, "CPU") and device.job in (None, "localhost")


def _pooled_rows_gradient(operation: tf.Operation, upstream: tf.Tensor) -> list:
    table, *ids = operation.inputs
    rows, values = library().dcrnn_pooled_rows_gradient(
        ids, upstream, offsets=operation.get_attr("offsets")
    )
    shape = tf.raw_ops.VariableShape(input=table)
    return [tf.IndexedSlices(values, rows, shape), *[None] * len(ids)]
