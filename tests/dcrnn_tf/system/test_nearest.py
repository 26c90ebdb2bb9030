"""Words that were perhaps meant."""

import pytest

from dcrnn_tf.system.nearest import did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "words", "expected"),
    [
        ("shiped", ["paid", "shipped", "new"], "shipped"),
        ("PAID", ["new", "paid"], "paid"),
        ("row", ["rows", "epochs"], "rows"),
        ("scaling", ["fields", "tasks", "split"], None),
        ("colour", ["fields", "tasks"], None),
        ("31", ["1", "2", "3"], None),  # no slip, but another number
        ("04", ["1", "4"], "4"),
        ("1.5", ["15", "5"], None),
        ("x", ["y"], None),
        ("x", [], None),
        (7, ["7.0"], "7.0"),
    ],
)
def test_only_what_is_near_is_named(word, words, expected):
    assert nearest(word, words) == expected


def test_the_end_of_a_message():
    assert did_you_mean("shiped", ["shipped"]) == "; did you mean 'shipped'?"
    assert did_you_mean("shiped", ["new"]) == ""
