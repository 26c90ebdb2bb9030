"""The forms that a run's files must have, and the reading of the files by them."""

from collections.abc import Mapping

from dcrnn_tf.system.json_form import (
    ABOVE_0,
    BOOLEAN,
    COUNT,
    FROM_0,
    NUMBER,
    OBJECT,
    TEXT,
    Listed,
    Named,
    Object,
    Optional,
    Value,
)
from dcrnn_tf.training.metrics_log import METRICS

PRECISIONS = ("none", "bfloat16", "bfloat16_products", "float16")

_FROM_1 = Value("a whole number from 1", lambda value: type(value) is int and value > 0)
_PRECISION = Value(f"one of {', '.join(PRECISIONS)}", PRECISIONS.__contains__)
_TEXTS, _NUMBERS, _COUNTS = Listed(TEXT), Listed(NUMBER), Listed(COUNT)

CONFIG = Object(
    {
        "data_dir": TEXT,
        "dataset_fingerprint": TEXT,
        "model": TEXT,
        "settings": OBJECT,
        "seed": COUNT,
        "fields": Optional(_TEXTS),
        "mixed_precision": Optional(_PRECISION),
        "epochs": Optional(_FROM_1),
        "batch_size": Optional(_FROM_1),
        "learning_rate": Optional(FROM_0),
        "monitor": Optional(TEXT),
        "weight_average": Optional(FROM_0),
    }
)


def _tasks_differ(dataset: Mapping) -> str | None:
    """Returns whether the splits do not count the rows and the positives of the same tasks."""
    rows, positives = dataset["rows"], dataset["positives"]
    if set(rows) != set(positives) or len({frozenset(tasks) for tasks in positives.values()}) > 1:
        return "does not count the rows and the positives of the same tasks in each split"
    return None


_SIMULATION = Object(
    {
        "settings": Optional(OBJECT),
        "labels": Optional(TEXT),
        "bayes_auc": Optional(Named(Named(Optional(NUMBER)))),
    }
)
RUN = Object(
    {
        "started": TEXT,
        "command": TEXT,
        "versions": Named(TEXT),
        "dataset": Object(
            {
                "name": TEXT,
                "fingerprint": TEXT,
                "simulated": BOOLEAN,
                "rows": Named(COUNT),
                "positives": Named(Named(COUNT)),
                "simulation": Optional(_SIMULATION),
            },
            rule=_tasks_differ,
        ),
        "parameters": Named(Optional(COUNT)),
        "positive_weights": Named(ABOVE_0),
    }
)
RESULT = Object(
    {
        "epochs": Optional(_FROM_1),
        "steps": Optional(COUNT),
        "evaluated_step": Optional(COUNT),
        "wall_seconds": FROM_0,
        "rows_per_second": Optional(FROM_0),
        "processor_seconds": Optional(FROM_0),
        "metrics": METRICS,
    }
)


def _curves_differ(curves: Mapping) -> str | None:
    rates, scores = list(curves["roc"].values()), curves["scores"]
    lengths = {len(scores["positives"]), len(scores["negatives"]), len(scores["edges"]) - 1}
    bins = {len(values) for values in (curves.get("reliability") or {"rows": []}).values()}
    if len({len(r) for r in rates}) > 1 or not rates[0] or len(lengths) > 1 or len(bins) > 1:
        return "has curves of different lengths"
    return None


CURVES = Named(
    Object(
        {
            "roc": Object({"false_positive_rate": _NUMBERS, "true_positive_rate": _NUMBERS}),
            "scores": Object({"edges": _NUMBERS, "positives": _COUNTS, "negatives": _COUNTS}),
            "reliability": Optional(
                Object({"rows": _COUNTS, "positives": _COUNTS, "predicted": Listed(FROM_0)})
            ),
        },
        rule=_curves_differ,
    )
)


_INTERVALS = Named(Named(Listed(NUMBER)))
EVALUATION = Object(
    {
        "step": COUNT,
        "split": TEXT,
        "metrics": METRICS.form,
        "slices": Optional(Named(METRICS)),
        "intervals": Optional(
            Object(
                {
                    "how": TEXT,
                    "metrics": _INTERVALS,
                    "slices": Optional(Named(Named(_INTERVALS))),
                }
            )
        ),
    }
)


def _shapes_differ(explanation: Mapping) -> str | None:
    rows, columns = explanation["rows"], explanation["columns"]
    for name in ("mean", "std"):
        matrix = explanation.get(name)
        if matrix is not None and [len(row) for row in matrix] != [len(columns)] * len(rows):
            return f"has a {name} that is no matrix of {len(rows)} rows, {len(columns)} columns"
    return None if rows and columns else "has no rows or no columns"


EXPLANATION = Named(
    Object(
        {
            "rows": _TEXTS,
            "columns": _TEXTS,
            "mean": Listed(_NUMBERS),
            "std": Optional(Listed(_NUMBERS)),
        },
        rule=_shapes_differ,
    )
)
