import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.training.losses import WeightedCrossEntropy, multi_task_losses, positive_weights
from tests.dcrnn_tf.dataset.test_schema import make_schema


def test_value_and_gradient_by_hand():
    logits = tf.constant([0.5, 2.0, -1.0])
    labels = tf.constant([1.0, 0.0, 1.0])
    sigmoid = 1 / (1 + np.exp(-logits.numpy()))
    expected = np.mean([-3 * np.log(sigmoid[0]), -np.log(1 - sigmoid[1]), -3 * np.log(sigmoid[2])])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = WeightedCrossEntropy(3.0)(labels, logits)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    slope = np.array([-3 * (1 - sigmoid[0]), sigmoid[1], -3 * (1 - sigmoid[2])]) / 3
    np.testing.assert_allclose(tape.gradient(loss, logits), slope, rtol=1e-6)


def test_weight_one_is_binary_cross_entropy():
    random = np.random.default_rng(0)
    logits = random.normal(size=64).astype(np.float32)
    labels = (random.random(64) < 0.3).astype(np.float32)
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(labels, logits)
    np.testing.assert_allclose(WeightedCrossEntropy()(labels, logits), expected, rtol=1e-5)


def test_an_undefined_label_adds_nothing():
    logits = tf.constant([1.0, 5.0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = WeightedCrossEntropy(2.0)(tf.constant([1.0, -1.0]), logits)
    sigmoid = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(loss, -2 * np.log(sigmoid) / 2, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, logits), [sigmoid - 1, 0.0], atol=1e-7)


def test_large_logits_stay_finite():
    loss = WeightedCrossEntropy(4584.0)(tf.constant([1.0, 0.0]), tf.constant([-200.0, 200.0]))
    np.testing.assert_allclose(loss, (4584 * 200 + 200) / 2, rtol=1e-6)


def test_serialisation():
    loss = WeightedCrossEntropy(7.5, name="click_loss")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.positive_weight == 7.5
    assert again.name == "click_loss"


def test_positive_weights():
    schema = make_schema()  # 10 rows, 4 clicks; 1 conversion among the 4 clicks
    assert positive_weights(schema, "auto") == {"click": 1.5, "conversion": 3.0}
    assert positive_weights(schema, "none") == {"click": 1.0, "conversion": 1.0}
    assert positive_weights(schema, [2, 5]) == {"click": 2.0, "conversion": 5.0}
    assert multi_task_losses({"click": 2.0})["click"].positive_weight == 2.0


def test_positive_weights_that_make_no_sense():
    schema = make_schema()
    with pytest.raises(DatasetError, match="one finite number above 0 for each of the 2 tasks"):
        positive_weights(schema, [1.0])
    for weight in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(DatasetError, match="one finite number above 0"):
            positive_weights(schema, [1.0, weight])
    train = schema.splits["train"]
    empty = dataclasses.replace(train, positives={"click": 0, "conversion": 0})
    with pytest.raises(DatasetError, match="0 positives of click among 10 rows"):
        positive_weights(make_schema(splits={"train": empty}), "auto")
