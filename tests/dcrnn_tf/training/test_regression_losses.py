"""Losses of numbers: values and gradients beside those worked out by hand or by SciPy."""

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from dcrnn_tf.dataset.schema import DatasetError, Field, Schema, Split, Task
from dcrnn_tf.dataset.targets import Target
from dcrnn_tf.models import predictions
from dcrnn_tf.training import losses
from dcrnn_tf.training.losses.regression import LOSSES, initial_loss

NAN = math.nan
AMOUNTS = Target("zero_inflated_lognormal", "log", mean=1.0, deviation=2.0, above_0=0.25)


def value_and_slope(loss, labels, outputs):
    outputs = tf.constant(outputs)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        value = loss(tf.constant(labels), outputs)
    return float(value), tape.gradient(value, outputs).numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("loss", "of_errors", "slopes"),
    [
        # The scaled labels are 2, -1 and 0; the outputs are 2.5, 1 and -3.
        ("squared", [0.25, 4.0, 9.0], [1.0, 4.0, -6.0]),
        ("huber", [0.125, 1.5, 2.5], [0.5, 1.0, -1.0]),
    ],
)
def test_errors_of_scaled_numbers_by_hand(loss, of_errors, slopes):
    target = Target(loss, "standard", mean=10.0, deviation=5.0)
    value, slope = value_and_slope(LOSSES[loss](target), [20.0, 5.0, 10.0], [2.5, 1.0, -3.0])
    assert value == pytest.approx(np.mean(of_errors))
    np.testing.assert_allclose(slope, np.array(slopes) / 3, rtol=1e-6)


def test_the_logistic_loss_is_least_at_the_label_and_its_slope_is_bounded():
    loss = losses.Logistic(Target("logistic", "standard", mean=10.0, deviation=5.0))
    labels, outputs = [20.0, 10.0, 1e6], [2.0, 1.0, 0.0]
    q, p = sigmoid(np.array([2.0, 0.0, 2e5])), sigmoid(np.array(outputs))
    value, slope = value_and_slope(loss, labels, outputs)
    assert value == pytest.approx(np.mean(-q * np.log(p) - (1 - q) * np.log(1 - p)), rel=1e-6)
    np.testing.assert_allclose(slope, (p - q) / 3, atol=1e-7)


def test_the_loss_of_amounts_is_the_negative_log_likelihood():
    labels = np.array([0.0, 3.0, 0.5, 0.0])
    outputs = np.array([[1.0, 3, 2], [0.5, 0.2, 0.3], [-1.0, -0.5, 1.0], [-2, 0, 0]], np.float32)
    # A logit of 0 is the share of amounts above 0, a quarter: odds of 1 to 3.
    probability, sigma = sigmoid(outputs[:, 0] - np.log(3)), np.log1p(np.exp(outputs[:, 2])) + 1e-3
    mu, sigma = 1 + 2 * outputs[:, 1], 2 * sigma  # on the scale of ln y
    density = stats.lognorm.pdf(np.maximum(labels, 0.1), sigma, scale=np.exp(mu))
    # Of the density of ln y / 2: that of y, times y and the deviation of ln y.
    likelihood = np.where(labels > 0, probability * density * labels * 2, 1 - probability)
    value, _ = value_and_slope(losses.ZeroInflatedLognormal(AMOUNTS), labels.astype("f4"), outputs)
    assert value == pytest.approx(-np.log(likelihood).mean(), rel=1e-5)
    found = predictions.on_scale_of_labels(
        Task("spend", kind="regression", target=AMOUNTS), outputs
    )
    mean = np.exp(mu + sigma**2 / 2)  # of a lognormal
    np.testing.assert_allclose(found, probability * mean, rtol=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_label_that_is_not_defined_adds_nothing(loss):
    target = AMOUNTS if loss == "zero_inflated_lognormal" else Target(loss, "log")
    outputs = np.full((2, 3) if target.is_amount else 2, 0.5, np.float32)
    both, slope = value_and_slope(LOSSES[loss](target), [3.0, NAN], outputs)
    alone, alone_slope = value_and_slope(LOSSES[loss](target), [3.0], outputs[:1])
    assert both == pytest.approx(alone / 2)
    np.testing.assert_allclose(slope[:1], alone_slope / 2)
    np.testing.assert_array_equal(slope[1:], np.zeros_like(slope[1:]))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_first_loss_is_that_of_outputs_of_0_on_numbers_of_these_moments(loss):
    random = np.random.default_rng(0)
    if loss == "zero_inflated_lognormal":
        numbers = np.exp(1 + 2 * random.normal(size=400_000)) * (random.random(400_000) < 0.25)
        target, outputs = AMOUNTS, np.zeros((400_000, 3))
    else:
        numbers = 3 + 2 * random.normal(size=400_000)
        target, outputs = Target(loss, "none", mean=3.0, deviation=2.0), np.zeros(400_000)
    found = float(LOSSES[loss](target, dtype="float64")(numbers, outputs))
    assert initial_loss(target) == pytest.approx(found, rel=5e-3)


def test_serialisation():
    for name, cls in LOSSES.items():
        target = AMOUNTS if name == AMOUNTS.loss else Target(name, "log", 3.0, 2.0)
        again = keras.losses.deserialize(keras.losses.serialize(cls(target, name="watch_loss")))
        assert type(again) is cls
        assert again.target == target
        assert again.name == "watch_loss"


def test_the_cross_entropy_of_classes_by_hand():
    outputs = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0], [9.0, 9.0, 0.0]], np.float32)
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    value, slope = value_and_slope(losses.SoftmaxCrossEntropy(), [2.0, 1.0, -1.0], outputs)
    assert value == pytest.approx(-(np.log(shares[0, 2]) + np.log(shares[1, 1])) / 3, rel=1e-6)
    expected = shares - np.array([[0, 0, 1], [0, 1, 0], [0, 0, 0]])
    expected[2] = 0  # not defined
    np.testing.assert_allclose(slope, expected / 3, atol=1e-7)
    again = keras.losses.deserialize(keras.losses.serialize(losses.SoftmaxCrossEntropy()))
    assert type(again) is losses.SoftmaxCrossEntropy


def schema_of_kinds():
    tasks = (Task("click"), Task("watch", kind="regression", target=Target(mean=3.0)))
    train = Split("train", 10, {"click": 4, "watch": 9}, {"click": 10, "watch": 8}, ())
    return Schema("small", (Field("item", vocabulary_size=9),), tasks, {"train": train})


def test_only_binary_tasks_have_weights_of_positives():
    schema = schema_of_kinds()
    assert losses.positive_weights(schema) == {"click": 1.5, "watch": 1.0}
    assert losses.positive_weights(schema, "none") == {"click": 1.0, "watch": 1.0}
    assert losses.positive_weights(schema, [2]) == {"click": 2.0, "watch": 1.0}
    with pytest.raises(DatasetError, match="one finite number above 0 for each of the 1 binary"):
        losses.positive_weights(schema, [2, 3])
    by_task = losses.multi_task_losses({"click": 1.5, "watch": 1.0}, schema.tasks)
    assert {task: type(loss) for task, loss in by_task.items()} == {
        "click": losses.WeightedCrossEntropy,
        "watch": losses.Squared,
    }
    first = losses.initial_losses(schema, {"click": 1.5, "watch": 1.0})
    assert first["watch"] == pytest.approx(0.8)  # a variance of 1, on 8 of 10 rows
    assert first["click"] == pytest.approx(math.log(2) * (1.5 * 4 + 6) / 10)
    genre = Task("genre", kind="multiclass", classes=("rock", "jazz", "folk"))
    assert type(losses.multi_task_losses({"genre": 1.0}, [genre])["genre"]) is (
        losses.SoftmaxCrossEntropy
    )
    watch = dataclasses.replace(schema.tasks[1], target=Target("huber"))
    assert type(losses.multi_task_losses({"watch": 1.0}, [watch])["watch"]) is losses.Huber
