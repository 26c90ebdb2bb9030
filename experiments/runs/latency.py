"""How long one call of an exported model takes."""

import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

from dcrnn_tf.serving import export
from experiments.runs import trained_runs

SIGNATURE = "serving_default"
BATCHES = (1, 4096)


def measure(
    run_dir: str | pathlib.Path, batches: Sequence[int] = BATCHES, seconds: float = 1.0
) -> dict[int, float]:
    """Exports a run's model, loads what was written, and times its `serving_default`.

    Raw ids go in and probabilities come out, so vocabularies are part of it; a network is not.

    Args:
      run_dir: of a finished run.
      batches: rows of a call.
      seconds: how long to repeat each; at least three times.

    Returns:
      `{rows: median milliseconds of a call}`.

    Raises:
      DatasetError: the folder is no run that can be loaded.
    """
    run = trained_runs.load(run_dir)
    model = export.ServingModel(
        run.model, run.dataset.schema, run.vocabularies(), run.positive_weights
    )
    with tempfile.TemporaryDirectory() as folder:
        signatures = {SIGNATURE: model.signatures()[SIGNATURE]}
        tf.saved_model.save(model, folder, signatures=signatures)
        loaded = tf.saved_model.load(folder)
        serve = loaded.signatures[SIGNATURE]
        inputs = {
            rows: {
                name: tf.constant(value)
                for name, value in model.raw_features.samples(rows=rows).items()
            }
            for rows in batches
        }
        return {
            rows: 1000 * median_seconds(lambda given=given: serve(**given), seconds)
            for rows, given in inputs.items()
        }


def median_seconds(call: Callable[[], object], seconds: float) -> float:
    """Median time of a call after a first one, repeated for so long, at least three times."""
    call()
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
