"""Metrics of predicted classes beside those of scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics

from dcrnn_tf import metrics
from dcrnn_tf.dataset.schema import MULTICLASS
from dcrnn_tf.metrics.accuracy import accuracy, constant_accuracy
from dcrnn_tf.metrics.class_logloss import class_logloss, constant_class_logloss
from dcrnn_tf.metrics.macro_auc import macro_auc


def classes(rows=400, seed=0):
    """Labels of four classes, and logits with ties that know something of them."""
    random = np.random.default_rng(seed)
    labels = random.choice(4, rows, p=[0.5, 0.3, 0.15, 0.05]).astype(np.int16)
    logits = (np.eye(4)[labels] + random.normal(size=(rows, 4))).round(1).astype(np.float32)
    return labels, logits


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_beside_scikit_learn():
    labels, logits = classes()
    shares = softmax(logits.astype(np.float64))
    assert class_logloss(labels, logits) == pytest.approx(sklearn.metrics.log_loss(labels, shares))
    expected = sklearn.metrics.accuracy_score(labels, logits.argmax(axis=1))
    assert accuracy(labels, logits) == pytest.approx(expected)
    expected = sklearn.metrics.roc_auc_score(labels, shares, multi_class="ovr", average="macro")
    assert macro_auc(labels, logits) == pytest.approx(expected, abs=1e-9)


def test_references_are_those_of_the_best_constants():
    labels, _ = classes()
    counts = np.bincount(labels)
    constant = np.log(np.tile(counts / counts.sum(), (len(labels), 1)))
    assert constant_class_logloss(labels) == pytest.approx(class_logloss(labels, constant))
    assert constant_accuracy(labels) == accuracy(labels, constant)
    assert macro_auc(labels, constant) == 0.5


def test_classes_that_no_row_has_are_left_out():
    labels, logits = classes()
    kept = labels < 3
    wide = np.pad(logits[kept], ((0, 0), (0, 2)), constant_values=-9.0)
    values = [
        sklearn.metrics.roc_auc_score(labels[kept] == k, softmax(wide.astype(np.float64))[:, k])
        for k in range(3)
    ]
    assert macro_auc(labels[kept], wide) == pytest.approx(np.mean(values), abs=1e-9)
    assert macro_auc([2, 2], logits[:2]) is None


def test_large_logits_stay_finite():
    logits = np.array([[1e4, 0.0, -1e4], [0.0, 1e4, 0.0]], np.float32)
    assert class_logloss([1, 1], logits) == pytest.approx(5000.0)
    assert macro_auc([0, 1], logits) == 1.0


def test_they_are_computed_of_tasks_of_classes():
    labels, logits = classes(30)
    found = metrics.compute({"labels": labels, "class_logits": logits}, MULTICLASS)
    assert set(found) == {
        *("macro_auc", "accuracy", "constant_accuracy", "class_logloss", "constant_class_logloss")
    }
    assert metrics.primary_of(found).name == "macro_auc"
