"""Times the training steps of one case, in a process of its own.

  python -m benchmarks.gpu.work --workload=FOLDER --model=mmoe --precision=tf32 --batches=1024

It answers with a line of JSON for each batch size.
"""

import dataclasses
import itertools
import json
import pathlib
import statistics
import tempfile
import time

from benchmarks import workload
from benchmarks.gpu import cases
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting
from experiments.runs import run_folder

_IN_MEMORY = 8  # batches
_BLOCKS = 5  # of steps, each timed as one: a step alone may end before it is done


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which step is timed, and on which batches."""

    workload: str = required("Folder that benchmarks.workload has made.")
    model: str = setting("mmoe", "Name of the model.", choices=tuple(cases.MODELS))
    precision: str = setting(
        "float32", "Precision of the products.", choices=tuple(cases.PRECISIONS)
    )
    compiled: bool = setting(False, "Whether XLA compiles the step.")
    batches: tuple[int, ...] = setting(cases.BATCHES, "Numbers of rows of a batch.")
    seconds: float = setting(3.0, "Seconds for which the steps of a batch size are timed.")


def main(settings: Settings) -> None:
    """Runs the program."""
    import tensorflow as tf

    from dcrnn_tf.dataset.reader import PreparedDataset

    tf.config.experimental.enable_tensor_float_32_execution(settings.precision == "tf32")
    low = settings.precision in ("bfloat16", "float16")
    run_folder.use_precision(settings.precision if low else "none")
    dataset = PreparedDataset(pathlib.Path(settings.workload) / "prepared")
    for batch in settings.batches:
        if tf.config.list_logical_devices("GPU"):
            tf.config.experimental.reset_memory_stats("GPU:0")
        print(json.dumps(_measured(settings, dataset, batch)), flush=True)


def _measured(settings: Settings, dataset, batch: int) -> dict:
    import keras
    import tensorflow as tf

    from benchmarks.gpu.bounds import bound
    from dcrnn_tf import models
    from dcrnn_tf.training import losses
    from dcrnn_tf.training.trainer import Trainer, TrainingSettings

    name, model_settings = cases.MODELS[settings.model]
    if settings.compiled:
        model_settings = model_settings | {"static_shapes": True}
    keras.utils.set_random_seed(1)
    dim = workload.EMBEDDING_DIM
    model = models.build(name, dataset.schema, embedding_dim=dim, **model_settings)
    weights = losses.positive_weights(dataset.schema, "auto")
    training = TrainingSettings(batch_size=batch, jit_compile=settings.compiled, learning_rate=1e-4)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, dataset, training, weights, folder)
    source = dataset.batches("train", batch, seed=1, static_shapes=settings.compiled)
    in_memory = list(itertools.islice(source, _IN_MEMORY))
    batches = itertools.cycle(in_memory)

    def steps(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            trainer.train_step(*next(batches))
        trainer.steps  # noqa: B018 (read, it waits for the device)
        return time.perf_counter() - started

    first = steps(1)
    count = max(1, round(settings.seconds / _BLOCKS / max(steps(3) / 3, 1e-5)))
    times = [steps(count) / count for _ in range(_BLOCKS)]
    features = in_memory[0][0]
    offsets = model.embedding.offsets
    ids = tf.stack([tf.cast(features[f], tf.int32) + offsets[f] for f in offsets], axis=1)
    least = bound(model, ids.numpy())
    return {
        "batch": batch,
        "first_step_seconds": first,
        "step_seconds": statistics.median(times),
        "blocks": times,
        "steps": count * _BLOCKS,
        "operations": least.operations,
        "bytes": least.bytes,
        "peak_bytes": _peak_bytes(),
    }


def _peak_bytes() -> int | None:
    """The most memory of the first GPU that was taken; None without one."""
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])


if __name__ == "__main__":
    command_line.run(main, Settings)
