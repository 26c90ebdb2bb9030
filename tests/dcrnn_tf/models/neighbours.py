"""Models whose tests over the registry are mostly slow; each has a test of its values."""

from collections.abc import Iterable

from tests.often import often

NEIGHBOURS = ("adatt", "esm2", "home", "mtan", "pepnet", "resflow", "stem")


def neighbours_slow(cases: Iterable) -> list:
    """Returns models, with settings or without, of which the neighbours are left to slow tests."""
    return often(cases, lambda case: (case if isinstance(case, str) else case[0]) not in NEIGHBOURS)
