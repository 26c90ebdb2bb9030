"""Plants the second tasks of Criteo-R and Criteo-UR, whose labels are functions of a confidence."""

import math
from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq

from dcrnn_tf.dataset.schema import DatasetError, Schema
from dcrnn_tf.metrics.auc import auc

BASE, RELATED, UNRELATED = "base", "related", "unrelated"
SIGN_OF_BOTH = "correlation_with_sign_of_both_terms"  # a fact of `related`
PUBLISHED_CORRELATIONS = {RELATED: 0.9877, UNRELATED: 0.5288}
LARGEST_CONFIDENCE = 80.0  # its exponential is still a float32
SCALES = np.geomspace(1 / 16, 16, 97)  # among which `choose_scale` looks

Splits = Mapping[str, np.ndarray]  # of each split a column, `(rows,)`


def related(
    confidence: np.ndarray, noise: np.ndarray | float = 0.0, sign_of_both: bool = False
) -> np.ndarray:
    """`sign(c) 2 ln(|c| + 1) + 0.1 exp(|c|) + noise`.

    Args:
      confidence: c, `(rows,)`.
      noise: one number a row, or one for all.
      sign_of_both: Whether `sign(c)` is a factor of the exponential term too, unlike in print.
    """
    size, sign = np.abs(np.asarray(confidence, np.float64)), np.sign(confidence)
    exponential = 0.1 * np.exp(size)
    return sign * 2 * np.log1p(size) + (sign if sign_of_both else 1) * exponential + noise


def unrelated(confidence: np.ndarray) -> np.ndarray:
    """`sign(c) (2 sin|c| + 0.1 cos|c|)`."""
    size = np.abs(np.asarray(confidence, np.float64))
    return np.sign(confidence) * (2 * np.sin(size) + 0.1 * np.cos(size))


def choose_scale(confidence: np.ndarray) -> float:
    """Returns the factor on c that brings its correlation with `unrelated(c)` to the published one.

    From where the correlation is highest the factor grows until the correlation has come down to
    the published one; where it never does, the factor of the nearest correlation is taken.
    """
    confidence = np.asarray(confidence, np.float64)

    def above(scale: float) -> float:
        return (
            correlation(confidence, unrelated(scale * confidence))
            - PUBLISHED_CORRELATIONS[UNRELATED]
        )

    apart = np.array([above(scale) for scale in SCALES])
    top = int(apart.argmax())
    down = top + np.flatnonzero(apart[top:] <= 0)
    if len(down) and down[0] > top:
        return float(brentq(above, SCALES[down[0] - 1], SCALES[down[0]], xtol=1e-6))
    return float(SCALES[np.abs(apart).argmin()])


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Returns Pearson's correlation of two columns, `(rows,)` each."""
    first, second = first - np.mean(first, dtype=np.float64), second - np.mean(second)
    size = math.sqrt(float(first @ first)) * math.sqrt(float(second @ second))
    return float(first @ second) / size if size else 0.0


def plant(task: str, confidences: Splits, noise: float, seed: int) -> Splits:
    """The task's function of c on every split, float32; `related` with noise of its own.

    Raises:
      DatasetError: c is too large for the functions.
    """
    least = min(values.min() for values in confidences.values())
    largest = max(values.max() for values in confidences.values())
    if max(-least, largest) > LARGEST_CONFIDENCE:
        raise DatasetError(
            f"confidences are from {least:.3f} to {largest:.3f}, and beyond "
            f"{LARGEST_CONFIDENCE:g} exp(|c|) leaves the range of numbers; choose a smaller "
            "--confidence_scale"
        )
    planted = {}
    for split, values in confidences.items():
        if task == RELATED:
            random = np.random.default_rng([seed, *split.encode()])
            function = related(values, random.normal(0, noise, len(values)))
        else:
            function = unrelated(values)
        planted[split] = function.astype(np.float32)
    return planted


def measure(task: str, confidences: Splits, planted: Splits) -> dict[str, object]:
    """Measures a planted relation over the rows of all splits: correlations, and labels that agree.

    Args:
      task: `related` or `unrelated`.
      confidences: c of each split.
      planted: the function of it.

    Raises:
      DatasetError: a label would be constant in training.
    """
    confidence = np.concatenate(list(confidences.values())).astype(np.float64)
    function = np.concatenate(list(planted.values())).astype(np.float64)
    labels = {BASE: confidence > 0, task: function > 0}
    advice = {BASE: "train the network longer with --epochs"}
    for name, part in ((BASE, confidences), (task, planted)):
        positives = int((part["train"] > 0).sum())
        if not 0 < positives < len(part["train"]):
            raise DatasetError(
                f"task {name} would be {int(positives > 0)} on every training row, confidences "
                f"being from {confidence.min():.3f} to {confidence.max():.3f}; "
                + advice.get(name, "choose another --confidence_scale")
            )
    facts = {
        "task": task,
        "correlation": correlation(confidence, function),
        "published_correlation": PUBLISHED_CORRELATIONS[task],
    }
    if task == RELATED:
        odd = function - related(confidence) + related(confidence, sign_of_both=True)
        facts[SIGN_OF_BOTH] = correlation(confidence, odd)
    return facts | {
        "agreement": float(np.mean(labels[BASE] == labels[task])),
        "positive_rates": {name: float(np.mean(label)) for name, label in labels.items()},
        "confidence": {
            "mean": float(confidence.mean()),
            "standard_deviation": float(confidence.std()),
            "least": float(confidence.min()),
            "largest": float(confidence.max()),
        },
    }


def source_of(
    schema: Schema, settings: dict, facts: dict, confidences: Splits, planted: Splits
) -> dict[str, object]:
    """The source of a planted dataset: that of the features, and that the labels are planted.

    Args:
      schema: Schema of the dataset that has the features.
      settings: Settings of the planting, `seed` among them.
      facts: Facts, from `measure`.
      confidences: c of each split.
      planted: the function of it.
    """
    task = facts["task"]
    function = related if task == RELATED else unrelated
    simulation: dict[str, object] = {
        "labels": f"labels planted on {'simulated' if schema.simulated else 'real'} features",
        "seed": settings["seed"],
        "settings": settings,
        # Without its noise, the function ranks rows as their true probabilities do.
        "bayes_auc": {
            split: {
                BASE: auc(values > 0, values),
                task: auc(planted[split] > 0, function(values)),
            }
            for split, values in confidences.items()
        },
    }
    if schema.simulated:
        simulation["features"] = schema.source.get("simulation")
    return dict(schema.source) | {
        "simulated": True,
        "simulation": simulation,
        "features_from": {"dataset": schema.name, "fingerprint": schema.fingerprint},
        "relations": facts,
    }
