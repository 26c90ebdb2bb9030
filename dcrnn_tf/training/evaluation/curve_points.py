"""Curves of predictions, for plots."""

from collections.abc import Mapping, Sequence

import numpy as np

from dcrnn_tf.dataset.schema import BINARY, Task
from dcrnn_tf.metrics.calibration_error import reliability
from dcrnn_tf.metrics.curves import roc_curve, score_histogram
from dcrnn_tf.models.derived_outputs import DerivedOutput, kinds
from dcrnn_tf.training.evaluation.defined_rows import where_defined


def curves(
    labels: Mapping[str, np.ndarray],
    logits: Mapping[str, np.ndarray],
    derived_outputs: Sequence[DerivedOutput] = (),
    tasks: Sequence[Task] = (),
) -> dict:
    """Curves for plotting by task: `roc`, `scores`, `reliability`; of binary tasks with rows.

    The arguments are those of `evaluate`.
    """
    result = {}
    kind_of = kinds(tasks, derived_outputs)
    for task in labels:
        if kind_of.get(task, BINARY) != BINARY:
            continue
        label, logit = where_defined(labels[task], logits[task])
        if not len(label):
            continue
        result[task] = {
            "roc": roc_curve(label, logit),
            "scores": score_histogram(label, logit),
            "reliability": reliability(label, logit),
        }
    return result
