import gc
import time

import pytest
import tensorflow as tf

from dcrnn_tf.dataset.fixed_threads import PARALLEL_CALLS, with_fixed_threads
from dcrnn_tf.dataset.reader import PreparedDataset


def test_batches_are_read_without_autotuning(dataset_folder):
    dataset = PreparedDataset(dataset_folder)
    for arguments in ({"seed": 1}, {}, {"seed": 1, "skip": 3, "every": (1, 2)}):
        batches = dataset.batches("train", 16, **arguments)
        assert batches.options().autotune.enabled is False


@pytest.mark.slow
def test_passes_of_seconds_end_at_once():
    """Under autotuning some of these wait for seconds, for the thread that tunes to wake up."""
    numbers = tf.data.Dataset.range(1000).map(lambda x: x + 1, num_parallel_calls=PARALLEL_CALLS)
    iterators = []
    for _ in range(12):
        iterators.append(iter(with_fixed_threads(numbers)))
        for iterator in iterators:
            next(iterator)
        time.sleep(0.7)
    longest = 0.0
    while iterators:
        start = time.monotonic()
        del iterator
        iterator = iterators.pop()
        gc.collect()
        longest = max(longest, time.monotonic() - start)
    assert longest < 1
