"""The examples in docstrings: whatever is public shows one, and each runs as it stands."""

import doctest

import pytest

from dcrnn_tf import layers

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


SHOWN = [getattr(layers, name) for name in layers.__all__]


@pytest.mark.parametrize("one", SHOWN, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_an_example_runs(one):
    """Its output is what the docstring says."""
    (example,) = doctest.DocTestFinder(recurse=False).find(one, one.__name__, globs={})
    assert example.examples, f"{one.__name__} has no example; show one, >>> and its output"
    report = []
    results = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=report.append)
    assert not results.failed, "".join(report)
