"""A small planted problem of two tasks, for the tests that a model learns."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.training.losses import multi_task_losses
from tests.dcrnn_tf.models.test_values import FIELDS, SCHEMA


def examples(rows: int, seed: int) -> tuple[dict, dict]:
    """Clicks where the first two ids are both odd or both even; conversions by the last two.

    No linear model of the ids sees it; one label in twenty is turned over.
    """
    random = np.random.default_rng(seed)
    ids = random.integers(0, 10, (rows, len(FIELDS))).astype("int32")
    features = {field.name: ids[:, f] for f, field in enumerate(FIELDS)}
    labels = {}
    for task, (one, other) in {"click": (0, 1), "conversion": (1, 2)}.items():
        same = (ids[:, one] + ids[:, other]) % 2
        labels[task] = np.where(random.random(rows) < 0.05, 1 - same, same).astype("float32")
    return features, labels


def sequence_examples(rows: int, seed: int) -> tuple[dict, dict]:
    """The same, but that a conversion needs a click."""
    features, labels = examples(rows, seed)
    return features, labels | {"conversion": labels["click"] * labels["conversion"]}


def fit_sequence(name: str, epochs: int = 6, **settings) -> tuple[dict, dict]:
    """As `fit`, with conversions that need a click."""
    return fit(name, epochs, sequence_examples, **settings)


def fit(name: str, epochs: int = 6, examples: Callable = examples, **settings) -> tuple[dict, dict]:
    """Trains on 2,000 examples; logits and labels of 1,000 others, by task."""
    keras.utils.set_random_seed(1)
    model = models.build(name, SCHEMA, embedding_dim=8, embedding_range=0.5, **settings)
    losses = multi_task_losses(dict.fromkeys(SCHEMA.task_names, 1.0))
    model.compile(keras.optimizers.Adam(0.01), loss=losses)
    batches = tf.data.Dataset.from_tensor_slices(examples(2000, 1)).batch(200)
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    features, labels = examples(1000, 2)
    logits = model({field: tf.constant(ids) for field, ids in features.items()})
    return {task: np.array(logit) for task, logit in logits.items()}, labels
