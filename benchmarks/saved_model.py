"""A contender: a SavedModel, of this project or of a peer, loaded and called in its own process.

It needs nothing but TensorFlow and NumPy, as the peers run in environments of their own.

  python -m benchmarks.saved_model --model=FOLDER --ids=FILE.npy --rows=500 --signature=rank \
      --user_fields=13 --one_core
"""

import dataclasses
import itertools
import time

import numpy as np

from benchmarks import contender, requests
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which SavedModel is called with which requests."""

    model: str = required("Folder of the SavedModel.")
    ids: str = required("File of an array of ids, (rows, fields), whose columns are the inputs.")
    rows: int = setting(4096, "Number of rows of a request.")
    signature: str = setting("serving_default", "Name of the signature that is called.")
    user_fields: int = setting(
        0, "Number of the first fields, which are alike in the rows of a request."
    )
    one_core: bool = setting(
        False, "Whether it runs on one core, as a server does that has many requests."
    )


def main(settings: Settings) -> None:
    """Runs the program."""
    if settings.one_core:
        contender.use_one_core()
    import tensorflow as tf

    before = contender.resident_bytes()
    started = time.perf_counter()
    loaded = tf.saved_model.load(settings.model)
    function = loaded.signatures[settings.signature]
    facts = {"load_seconds": time.perf_counter() - started, "bytes_before": before}
    facts["bytes_after"] = contender.resident_bytes()

    inputs = function.structured_input_signature[1]
    once = settings.user_fields if settings.signature == "rank" else 0
    made = requests.load(settings.ids, settings.rows, settings.user_fields, once)
    named = requests.named(made, list(inputs))
    for request in named:
        for name, spec in inputs.items():  # a peer's inputs are columns, (rows, 1)
            request[name] = request[name].reshape([-1] + [1] * (len(spec.shape) - 1))

    def work(request: dict[str, np.ndarray]) -> None:
        outputs = function(**{name: tf.constant(values) for name, values in request.items()})
        for output in outputs.values():
            output.numpy()

    started = time.perf_counter()
    work(named[0])
    facts["first_call_seconds"] = time.perf_counter() - started
    cycle = itertools.cycle(named)
    contender.serve(lambda: work(next(cycle)), settings.rows, facts)


if __name__ == "__main__":
    command_line.run(main, Settings)
