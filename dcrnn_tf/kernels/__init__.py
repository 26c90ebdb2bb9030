"""Operations in C++, for what TensorFlow's own take several passes over memory to do.

They are optional. `python -m dcrnn_tf.kernels` compiles them, for the TensorFlow that is installed;
where they have not been compiled, or where a variable lives on another device than the CPU, the
same is computed by TensorFlow's operations, to the same bits.
"""

import functools
import hashlib
import pathlib
from collections.abc import Callable

import tensorflow as tf
from absl import logging

SOURCE = pathlib.Path(__file__).with_name("row_wise_adam.cc")


def library_file() -> pathlib.Path:
    """Where the compiled operations lie, or would: another source or TensorFlow, another file."""
    made_of = (
        SOURCE.read_bytes() + " ".join([tf.__version__, *tf.sysconfig.get_link_flags()]).encode()
    )
    return SOURCE.with_name(f"{SOURCE.stem}-{hashlib.sha256(made_of).hexdigest()[:16]}.so")


@functools.cache
def row_wise_adam() -> Callable | None:
    """The operation `LazyAdam` uses for tables on the CPU; None if it has not been compiled."""
    file = library_file()
    if not file.is_file():
        return None
    try:
        return tf.load_op_library(str(file)).dcrnn_row_wise_adam
    except (tf.errors.NotFoundError, OSError, RuntimeError) as error:
        logging.warning("%s cannot be loaded and is not used: %s", file, error)
        return None


def on_cpu(*variables: tf.Variable) -> bool:
    """Whether all variables are plain ones, one copy each, in the memory of this machine's CPU."""
    return all(
        hasattr(variable, "handle")
        and not hasattr(variable, "values")  # of a strategy, with a copy for each replica
        and tf.DeviceSpec.from_string(variable.device or "").device_type in (None, "CPU")
        for variable in variables
    )
