"""Figures of the DEPHN paper, drawn from made-up figures and from exact mathematics."""

import numpy as np
import pytest
from scipy.stats import norm

from experiments.dephn.figures import content
from experiments.dephn.figures import plots as dephn_plots
from experiments.reports import plots
from experiments.tables.statistics import paired_difference

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def style():
    with plots.styled():
        yield


def images(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def test_figure_4_is_the_papers_mathematics():
    """Along the edges x = 0, x = 1 and y = 1 all functions are known without a computation."""
    shown = content.figure_4()
    drawn = images(shown.figure)
    assert len(drawn) == 8
    ends = np.linspace(0, 1, 201)
    for values in drawn:
        assert values.min() >= 0
        assert values.max() == pytest.approx(2)
        np.testing.assert_allclose(values, values.T, atol=1e-12)  # x and y have the same part
    for values in drawn[:4]:  # products: no correlation amplifies whatever the gates
        np.testing.assert_allclose(values[:, 0], 2)
        assert values[100, 200] == pytest.approx(0, abs=1e-12)  # 2 x y = 1
    for values in drawn[4:]:  # sums: nothing moves where x + y = 1
        np.testing.assert_allclose(np.diag(values[::-1]), 0, atol=1e-7)
        assert values[0, 0] == values[200, 200] == pytest.approx(2)
    np.testing.assert_allclose(drawn[5][:, 0], 2 * abs(ends - 1))
    np.testing.assert_allclose(drawn[7][0], 2 * np.sqrt(abs(ends - 1)))
    # A square shrinks a wider region than the absolute value, a root a narrower one.
    below_one = [float((values < 1).mean()) for values in drawn[4:]]
    assert below_one[2] > below_one[1] > below_one[3]


def test_figure_3a_has_a_map_per_structure_and_a_row_per_field():
    gates = {kind: 0.5 + 0.1 * RANDOM.normal(size=(3, 4)) for kind in ("dnn", "cross", "field")}
    figure = dephn_plots.figure_3a(gates, ["user", "item", "price"])
    for drawn, gate in zip(images(figure), gates.values(), strict=True):
        np.testing.assert_array_equal(drawn, gate)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "user",
        "item",
        "price",
    ]


def test_figure_3b_shares_add_up():
    figure = dephn_plots.figure_3b({"click": (0.25, 0.75), "like": (0.6, 0.4)})
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == pytest.approx([0.25, 0.6, 0.75, 0.4])
    assert [bar.get_x() for bar in bars[2:]] == pytest.approx([0.25, 0.6])


def test_figure_5_draws_differences_with_their_intervals():
    base = {1: 0.5, 2: 0.52, 3: 0.54}
    ours = {1: 0.53, 2: 0.54, 3: 0.57}
    difference = paired_difference(ours, base)
    one_seed = paired_difference({1: 0.4}, {1: 0.5})
    panel = {"base": {"a": difference, "b": one_seed, "c": None}}
    figure = dephn_plots.figure_5({"Criteo-R, Pearson": panel, "Criteo-R, cosine": panel})
    axes = figure.axes[0]
    dots = [
        line
        for line in axes.lines
        if line.get_marker() == plots.MARKERS[0] and len(line.get_xdata())
    ]
    assert [float(dot.get_ydata()[0]) for dot in dots] == pytest.approx([0.08 / 3, -0.1])
    intervals = [line for line in axes.lines if line.get_marker() == "_"]
    assert len(intervals) == 1
    np.testing.assert_allclose(intervals[0].get_ydata(), difference.interval)


def test_figure_6_draws_the_mean_over_seeds():
    steps = np.array([20, 40])
    seeds = [(steps, np.array([0.7, 0.5])), (steps, np.array([0.5, 0.3]))]
    figure = dephn_plots.figure_6({"base": {"TVG": seeds, "MG": seeds[:1]}})
    curves = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    np.testing.assert_allclose(curves["TVG"], [0.6, 0.4])
    np.testing.assert_allclose(curves["MG"], [0.7, 0.5])


def test_figure_7_puts_activations_and_what_was_planted_on_one_scale():
    confidence = RANDOM.normal(size=500)
    perfect = {"MMoE": (confidence, 3 * confidence - 1, np.sin(confidence))}
    figure = dephn_plots.figure_7(perfect, ("base", "unrelated"), np.sin)
    left, right = figure.axes
    predicted, planted = left.lines
    order = np.argsort(confidence)
    np.testing.assert_allclose(predicted.get_xdata()[order], planted.get_xdata())
    np.testing.assert_allclose(predicted.get_ydata()[order], planted.get_ydata())
    assert right.lines[0].get_ydata().std() == pytest.approx(1, abs=0.02)


def test_normal_scores_keep_ties_together():
    scores = dephn_plots._normal_scores(np.array([5.0, 1.0, 1.0, 9.0]))
    np.testing.assert_allclose(scores, norm.ppf([0.625, 0.25, 0.25, 0.875]))
