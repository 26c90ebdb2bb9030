"""Fixes the threads of `tf.data` pipelines, whose tuning would delay the end of each pass."""

import os

import tensorflow as tf

PARALLEL_CALLS = min(8, max(2, os.cpu_count() or 1))


def with_fixed_threads(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the dataset with threads of its own, as many as cores, and without autotuning.

    The thread that tunes a pipeline sleeps for up to a minute at a time, and the end of every pass
    waits until it wakes up. A program may keep TensorFlow's own threads to one operation at a time.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = os.cpu_count() or 1
    return dataset.with_options(options)
