"""Cells that are values of a declaration, however both are written and typed."""

import datetime
import random
from decimal import Decimal

import polars as pl
import pytest

from data_prep.own_log.cells import ListedValues, expected_number, text_of
from tests.data_prep.references.values import holds

SPELLINGS = {
    "-999": ["-999", "-999.0", "-999.00", "-999.", "-9.99e2", "-9.99E+2", "-99900e-2"],
    "0": ["0", "0.0", "-0", "-0.0", "0.00e+00", "0."],
    "4.5": ["4.5", "4.50", "45e-1", "0.45e1", "4.5E0"],
    "0.5": ["0.5", ".5", "5e-1", "0.50"],
    "1000": ["1000", "1e3", "1E+03", "1000.0"],
    "9007199254740993": ["9007199254740993", "9007199254740993.0", "9.007199254740993e15"],
    "true": ["true", "True", "TRUE"],
    "inf": ["inf", "Infinity", "+INF", "+inf"],
    "-inf": ["-inf", "-Infinity"],
    "nan": ["nan", "NaN"],
    "2024-01-02": ["2024-01-02", "2024-01-02 00:00:00", "2024-01-02T00:00:00.000"],
    "2024-01-02 10:00:00.5": ["2024-01-02T10:00:00.500000", "2024-01-02 10:00:00.5"],
    "2024-01-02 10:00:00+00:00": ["2024-01-02T10:00:00Z", "2024-01-02 10:00:00.000+00:00"],
}
# Near to one of them, and another value.
OTHERS = ["-999.001", "9007199254740992", "9007199254740994.0", "9.007199254740992e15", "0e12"]
OTHERS += ["00", "-0999", "+5", "007", "1e-400", "1e400", "999", "tRUE", "NAN", "2024-01-03"]
OTHERS += ["2024-01-02 10:00:00", "1_000", "1,000", "4,5", "4.500000000000000000000001", "a", "1e"]


@pytest.mark.parametrize("seed", range(30))
def test_texts_are_the_declared_values_whatever_their_spelling(seed):
    draw = random.Random(seed)
    texts = [*(text for spellings in SPELLINGS.values() for text in spellings), *OTHERS]
    declared = draw.sample(texts, k=draw.randrange(8))
    cells = [*draw.sample(texts, k=len(texts)), None]
    held = ListedValues(declared).hold(pl.Series(cells, dtype=pl.String)).to_list()
    assert held == [holds(declared, cell) for cell in cells]


@pytest.mark.parametrize("value", SPELLINGS)
def test_every_spelling_is_the_value(value):
    texts = [*SPELLINGS[value], *OTHERS]
    for declared in SPELLINGS[value]:
        held = ListedValues([declared]).hold(pl.Series(texts)).to_list()
        assert held == [text in SPELLINGS[value] for text in texts], declared


def typed(values, dtype):
    return pl.Series(values, dtype=dtype, strict=True)


@pytest.mark.parametrize(
    ("declared", "cells", "held"),
    [
        (["-1.0", "300"], typed([-1, 1, 44, None], pl.Int8), [1, 0, 0, 0]),
        (["9.007199254740993e15"], typed([2**53, 2**53 + 1], pl.Int64), [0, 1]),
        (["18446744073709551615"], typed([2**64 - 1, 2**64 - 2], pl.UInt64), [1, 0]),
        (["9007199254740993"], typed([2.0**53], pl.Float64), [0]),
        (["9007199254740992", "0"], typed([2.0**53, -0.0, None], pl.Float64), [1, 1, 0]),
        (["-9223372036854775808", "2"], typed([-(2.0**63), 2], pl.Float64), [1, 1]),
        (["9223372036854775807"], typed([2.0**63], pl.Float64), [0]),
        (["16777216.5", "33554432"], typed([2.0**24, 2.0**25], pl.Float32), [0, 1]),
        (["0.1", "inf"], typed([0.1, float("inf"), -float("inf")], pl.Float32), [1, 1, 0]),
        (["16777217"], typed([16777216.0], pl.Float32), [0]),
        (["1e400", "-Infinity"], typed([float("inf"), -float("inf")], pl.Float64), [0, 1]),
        (["2.5"], typed([Decimal("2.50"), Decimal("2.51")], pl.Decimal(9, 2)), [1, 0]),
        (["TRUE"], typed([True, False, None], pl.Boolean), [1, 0, 0]),
        (["1"], typed([True, False], pl.Boolean), [0, 0]),
        (["2024-01-02"], typed([datetime.date(2024, 1, 2)], pl.Date), [1]),
        (
            ["2024-01-02", "2024-01-02T10:00:00"],
            typed([datetime.datetime(2024, 1, 2, hour) for hour in (0, 10, 11)], pl.Datetime("ns")),
            [1, 1, 0],
        ),
        (
            ["2024-01-02 10:00:00+00:00"],
            typed([datetime.datetime(2024, 1, 2, 10)], pl.Datetime("us", "UTC")),
            [1],
        ),
        (["10:00:00"], typed([datetime.time(10)], pl.Time), [1]),
        (["1"], typed([None, None], pl.Null), [0, 0]),
    ],
)
def test_typed_cells_are_the_declared_values(declared, cells, held):
    assert ListedValues(declared).hold(cells).to_list() == list(map(bool, held))


def test_times_of_day_are_told_apart_to_their_parts_of_seconds():
    times = [
        datetime.time(1, 2, 3),
        datetime.time(1, 2, 3, 250_000),
        datetime.time(1, 2, 3, 1),
        None,
    ]
    texts = text_of(pl.Series(times)).to_list()
    assert texts == ["01:02:03", "01:02:03.250", "01:02:03.000001", None]


@pytest.mark.parametrize("cell", ["1.5e50", "-1e39", "inf", 1e39, float("inf")])
def test_numbers_beyond_float32_are_told_from_what_is_none(cell):
    assert expected_number(cell) == (
        "expected a number from -3.4e+38 to 3.4e+38, the range of float32"
    )


@pytest.mark.parametrize("cell", ["cheap", "1 000", "nan", "", "3,5"])
def test_what_is_no_number(cell):
    assert expected_number(cell) == "expected a number"
