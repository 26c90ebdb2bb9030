"""What a device reaches at most: matrix products of each precision, copies of memory.

python -m benchmarks.gpu.rates
"""

import json
import time
from collections.abc import Callable

from benchmarks.gpu.cases import PRECISIONS
from dcrnn_tf.system import command_line

_SIDE = {"GPU": 8192, "CPU": 512}  # of the matrices
_REPEATS = 10
_ROUNDS = 5


def main() -> None:
    """Prints a line of JSON: operations a second by precision, bytes a second."""
    import tensorflow as tf

    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    side = _SIDE[kind]
    found: dict = {"device": _device_name(), "products": {}}
    for precision in PRECISIONS:
        tf.config.experimental.enable_tensor_float_32_execution(precision == "tf32")
        type_ = precision if precision in ("bfloat16", "float16") else "float32"
        matrix = tf.cast(tf.random.normal((side, side)) / side**0.5, type_)
        seconds = _seconds(lambda matrix=matrix: _chain(matrix))
        found["products"][precision] = 2 * side**3 / seconds
    numbers = tf.random.normal((side, side, 4))
    # Read and written; the addition is free beside it.
    found["bytes_per_second"] = 2 * 4 * 4 * side**2 / _seconds(lambda: _added(numbers))
    print(json.dumps(found))


def _seconds(work: Callable) -> float:
    """The least time of one of the repeats that `work` makes."""
    times = []
    for _ in range(_ROUNDS + 1):  # the first one allocates
        started = time.perf_counter()
        float(work())
        times.append((time.perf_counter() - started) / _REPEATS)
    return min(times[1:])


def _chain(matrix):
    import tensorflow as tf

    result = matrix
    for _ in range(_REPEATS):
        result = result @ matrix
    return tf.cast(result[0, 0], tf.float32)


def _added(numbers):
    result = numbers
    for _ in range(_REPEATS):
        result = result + 1.0
    return result[0, 0, 0]


def _device_name() -> str:
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        return str(tf.config.experimental.get_device_details(device).get("device_name", "GPU"))
    return "CPU"


if __name__ == "__main__":
    command_line.run(main)
