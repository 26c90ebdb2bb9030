"""The examples in docstrings: whatever is public shows one, and each runs as it stands."""

import doctest
import inspect

import pytest

from dcrnn_tf import balancing, layers, models, optimizers
from dcrnn_tf.layers import base as layers_base
from dcrnn_tf.metrics import auc, average_precision, calibration, curves, logloss
from dcrnn_tf.training import losses

METRICS = (auc, average_precision, calibration, curves, logloss)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def public_functions(module):
    return [
        one
        for name, one in vars(module).items()
        if inspect.isfunction(one) and one.__module__ == module.__name__ and name[0] != "_"
    ]


SHOWN = [
    *(getattr(layers, name) for name in layers.__all__),
    *(models.model_class(name) for name in models.names()),
    layers_base.Layer,
    models.MultiTaskModel,
    models.SingleTaskModel,
    models.build,
    models.settings,
    *(balancing.registration(name).cls for name in balancing.names()),
    balancing.build,
    *(getattr(optimizers, name) for name in optimizers.__all__),
    *public_functions(losses),
    *(one for module in METRICS for one in public_functions(module)),
]
SHOWN = [one for one in SHOWN if one is not optimizers.register]


@pytest.mark.parametrize("one", SHOWN, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_an_example_runs(one):
    """Its output is what the docstring says."""
    (example,) = doctest.DocTestFinder(recurse=False).find(one, one.__name__, globs={})
    assert example.examples, f"{one.__name__} has no example; show one, >>> and its output"
    report = []
    results = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=report.append)
    assert not results.failed, "".join(report)
