"""Measures the time of one call of an exported model."""

import functools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

from dcrnn_tf.serving.serving_model import ServingModel
from experiments.runs import trained_runs

SIGNATURE = "serving_default"
BATCHES = (1, 4096)


def measure(
    run_dir: str | pathlib.Path, batches: Sequence[int] = BATCHES, seconds: float = 1.0
) -> dict[int, float]:
    """Exports a run's model, loads the export, and times its signature `serving_default`.

    A call takes raw ids and returns probabilities: its time includes the vocabularies, and no
    network.

    Args:
      run_dir: Folder of a finished run.
      batches: Numbers of rows of a call.
      seconds: Seconds for which each call is repeated, at least three times.

    Returns:
      `{rows: median milliseconds of a call}`.

    Raises:
      DatasetError: The folder is no run that can be loaded.
    """
    run = trained_runs.load(run_dir)
    model = ServingModel(
        run.model, run.dataset.schema, run.dataset.vocabularies(), run.positive_weights
    )
    with tempfile.TemporaryDirectory() as folder:
        signatures = {SIGNATURE: model.signatures()[SIGNATURE]}
        tf.saved_model.save(model, folder, signatures=signatures)
        loaded = tf.saved_model.load(folder)
        serve = loaded.signatures[SIGNATURE]
        inputs = {
            rows: {
                model.arguments[name]: tf.constant(value)
                for name, value in model.raw_features.samples(rows=rows).items()
            }
            for rows in batches
        }
        return {
            rows: 1000 * median_seconds(functools.partial(serve, **given), seconds)
            for rows, given in inputs.items()
        }


def median_seconds(call: Callable[[], object], seconds: float) -> float:
    """The median time of a call, repeated after a first one for so long, at least three times."""
    call()
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
