"""Grids: what their cells say, where they stand, and what their records hold."""

import dataclasses

import pytest

from experiments.reports import words
from experiments.reports.grid import Grid, Interval, Number, Text

GRID = Grid(
    "Speeds",
    (
        Text("model"),
        Text("seed", missing="any"),
        Number("mean", form=".2f", key="auc_mean"),
        Interval("95 % interval", form="+.1f", key="auc"),
        Number("time", form=lambda seconds: f"{seconds * 1e3:.0f} ms", missing=""),
    ),
    [
        ("A", 1, 0.125, (-1.0, 2.25), 0.0125),
        ("A", None, None, None, None),
        ("B", 2, "as A", "the same", 1.0),
    ],
)


def test_cells_are_printed_as_their_columns_say():
    assert GRID.header == ("model", "seed", "mean", "95 % interval", "time")
    assert GRID.cells == (
        ("A", "1", "0.12", "-1.0 to +2.2", "12 ms"),
        ("A", "any", "n/a", "n/a", ""),
        ("B", "2", "as A", "the same", "1000 ms"),
    )


def test_markdown_has_words_on_the_left_and_numbers_on_the_right():
    assert GRID.markdown() == (
        "| model | seed | mean | 95 % interval |    time |\n"
        "| ----- | ---- | ---: | ------------: | ------: |\n"
        "| A     | 1    | 0.12 |  -1.0 to +2.2 |   12 ms |\n"
        "| A     | any  |  n/a |           n/a |         |\n"
        "| B     | 2    | as A |      the same | 1000 ms |"
    )


def test_records_hold_values_and_the_two_ends_of_intervals():
    first, second, third = GRID.records()
    keys = ["model", "seed", "auc_mean", "auc_low", "auc_high", "time"]
    assert first == dict(zip(keys, ("A", 1, 0.125, -1.0, 2.25, 0.0125), strict=True))
    assert second == dict(zip(keys, ("A", None, None, None, None, None), strict=True))
    assert (third["auc_low"], third["auc_high"]) == (None, None)


def test_a_line_repeats_the_one_above_where_a_second_column_of_words_tells_them_apart():
    assert [GRID.repeats(line) for line in range(3)] == [False, True, False]
    single = Grid("", GRID.columns[:1], [("A",), ("A",)])
    numbers = Grid("", (Text("model"), Number("mean")), [("A", 1), ("A", 2)])
    assert not numbers.repeats(1)
    assert single.repeats(1)


def test_columns_take_their_values_from_items():
    columns = (Text("name", str.upper), Number("letters", len))
    assert Grid.of("", columns, ["ab", "c"]).cells == (("AB", "2"), ("C", "1"))
    columns = (Text("name", "n"), Number("size", "s"))
    assert Grid.of("", columns, [{"n": "a", "s": 3}, {"n": "b"}]).cells == (
        ("a", "3"),
        ("b", "n/a"),
    )


def test_a_line_with_too_few_values_is_refused():
    short = dataclasses.replace(GRID, lines=[("A", 1)])
    for use in (lambda: short.cells, lambda: list(short.records())):
        with pytest.raises(ValueError, match="zip"):
            use()


@pytest.mark.parametrize(
    ("value", "printed"),
    [(None, "n/a"), (0.0004, "< 0.001"), (0.001, "0.001"), (0.0567, "0.057"), (1.0, "1")],
)
def test_p_values(value, printed):
    assert words.p_value(value) == printed
