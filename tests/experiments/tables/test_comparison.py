"""Statistics of many comparisons, against numbers that are worked out by hand."""

import math

import pytest

from experiments.tables.comparison import critical_difference, holm, mean_ranks, pareto_front


def test_holm_by_hand():
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1, which is raised to the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9, 0.5]) == [1.0, 1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("models", "quantile"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)]
)
def test_critical_differences_are_those_of_the_published_table(models, quantile):
    """Demsar's Table 5 (a), JMLR 7, 2006."""
    assert critical_difference(models, 6) == pytest.approx(
        quantile * math.sqrt(models * (models + 1) / 36), abs=6e-4 * math.sqrt(models)
    )


def test_the_published_example_of_four_classifiers_on_fourteen_sets():
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


def test_mean_ranks_by_hand():
    found = mean_ranks({"c": [3.0, 3.0, 3.0, 3.0], "a": [1.0] * 4, "b": [2.0] * 4})
    assert found.means == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert list(found.means) == ["a", "b", "c"]
    # 12 * 4 / (3 * 4) * (1 + 4 + 9) - 3 * 4 * 4 = 8, with 2 degrees of freedom
    assert found.p_value == pytest.approx(math.exp(-4))
    assert found.critical == pytest.approx(2.343 * math.sqrt(12 / 24), abs=1e-3)  # 1.657
    assert found.alike() == [("a", "b"), ("b", "c")]


def test_ties_share_their_mean_rank_and_few_models_have_no_test():
    found = mean_ranks({"a": [1.0, 5.0], "b": [1.0, 4.0]})
    assert found.means == {"b": 1.25, "a": 1.75}
    assert (found.p_value, found.critical, found.alike()) == (None, None, [])


def test_a_group_within_another_is_not_named():
    found = mean_ranks({name: [float(n)] * 2 for n, name in enumerate("abcd")})
    assert found.critical > 3  # of 2 datasets
    assert found.alike() == [("a", "b", "c", "d")]


def test_the_pareto_front_by_hand():
    points = {
        "cheap": (1.0, 0.5),
        "best": (4.0, 0.1),
        "between": (2.0, 0.3),
        "beaten": (3.0, 0.3),  # by `between`, which costs less
        "worse": (2.0, 0.4),
        "twin": (2.0, 0.3),
    }
    assert pareto_front(points) == ["cheap", "between", "twin", "best"]
