"""Metrics of predictions, and the sentence that says them."""

import numpy as np
import pytest

from dcrnn_tf import metrics
from dcrnn_tf.dataset.schema import BINARY
from dcrnn_tf.training.evaluation import evaluate, sentence


def evaluated(labels, logits):
    """Metrics of one task."""
    return evaluate({"click": np.array(labels)}, {"click": np.array(logits, np.float32)})["click"]


def is_unweighted(metric):
    """Whether a metric is that of a binary task of a dataset without weights."""
    return metric.kind == BINARY and "weights" not in metric.needs and not metric.by_group


def test_metrics_are_of_the_rows_where_a_task_is_defined():
    values = evaluated([1, -1, 0, 0, -1, 0], [0, 9, 0, 0, -9, 0])
    assert values == evaluated([1, 0, 0, 0], [0, 0, 0, 0])
    assert (values["rows"], values["positives"]) == (4, 1)
    assert list(values)[-2:] == ["rows", "positives"]
    names = {metric.name for metric in metrics.printed() if is_unweighted(metric)}
    assert set(values) == names | {"rows", "positives"}


def test_the_sentence_says_every_metric():
    # AUC: the positive's pairs are 0.5 + 1 + 1. Logloss and that of the constant 1/4 by hand.
    words = sentence(evaluated([1, 0, 0, 0], [0, 0, -1, -1]))
    logloss = (2 * np.log(2) + 2 * np.log1p(np.exp(-1))) / 4
    assert words.startswith(f"AUC 0.8333, logloss {logloss:.5f} (constant 0.56234), calibration 1.")
    assert words.endswith(", 1 positives in 4 rows")
    for metric in metrics.registered():
        assert not is_unweighted(metric) or f"{metric.label} " in words


@pytest.mark.parametrize("label", [0, 1])
def test_the_sentence_says_why_there_is_no_value(label):
    words = sentence(evaluated([label] * 2, [0.0, 1.0]))
    assert words.startswith("AUC n/a (one class only), logloss ")
    assert sentence(evaluated([-1], [0.0])) == "n/a (no rows)"
