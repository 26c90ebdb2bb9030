"""Expressions of all kinds: one value for each row, or a sentence; never another exception."""

import polars as pl
from hypothesis import strategies as st

from data_prep.own_log.derived.columns import DeriveColumns, derived_columns, sources_of
from data_prep.own_log.derived.functions import FUNCTIONS, TYPE_NAMES
from tests.fuzzing import cases, fuzz, result

ROWS = pl.DataFrame(
    {
        "a": ["1", "-2.5", None, "x", "1e300", "0", "99999999999999999999"],
        "b": ["Rome", "", "é🙂", None, "a b", "%_", "(["],
        "t": ["2024-01-02 03:04:05", "2024-02-30", "0001-01-01", None, "9999-12-31", "x", "1"],
        "c d": [None] * 7,
    }
)
WORDS = st.sampled_from(
    [
        *("a", "b", "t", '"c d"', "1", "0", "2.5", "'x'", "''", "'%Y-%m'", "'2024-01-02'", "NULL"),
        *("+", "-", "*", "/", "//", "%", "||", "::", "(", ")", ",", "=", "<>", "<", ">=", "TRUE"),
        *("AND", "OR", "NOT", "IS", "NULL", "IN", "LIKE", "BETWEEN", "CASE", "WHEN", "THEN", "END"),
        *("ELSE", "CAST", "AS", "EXTRACT", "FROM", "HOUR", "SELECT", "OVER", ".", ";", '"', "'"),
        *FUNCTIONS,
        *TYPE_NAMES,
    ]
)


def grown(inner):
    """Expressions that are well formed, of smaller ones."""
    pair = st.tuples(inner, inner)
    signs = st.sampled_from(["+", "-", "*", "/", "//", "%", "||", "=", "<", ">=", "AND", "OR"])
    calls = st.sampled_from([*FUNCTIONS, "COALESCE", "NULLIF", "GREATEST", "CONCAT", "IFNULL"])
    return st.one_of(
        st.tuples(inner, signs, inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(calls, st.lists(inner, min_size=1, max_size=3)).map(
            lambda p: f"{p[0]}({', '.join(p[1])})"
        ),
        st.tuples(inner, st.sampled_from(TYPE_NAMES)).map(lambda p: f"CAST({p[0]} AS {p[1]})"),
        pair.map(lambda p: f"CASE WHEN {p[0]} IS NOT NULL THEN {p[1]} END"),
        pair.map(lambda p: f"{p[0]} NOT IN ({p[1]}, 1)"),
        inner.map(lambda p: f"NOT {p} LIKE '%o_'"),
    )


LEAVES = st.sampled_from(
    ["a", "b", "t", '"c d"', "1", "0", "-3", "2.5", "'x'", "'%H:%Q'", "'('", "NULL", "1e308", "''"]
)
EXPRESSIONS = st.recursive(LEAVES, grown, max_leaves=6)


def computed(expression):
    """The values on all rows, and on each row alone; None where columns are unknown."""
    columns = derived_columns({"made": expression, "more": "made"})
    if not sources_of(columns).keys() <= set(ROWS.columns):
        return None
    derive = DeriveColumns(columns, ("",))
    return derive(ROWS)["made"], pl.concat(derive(ROWS[n])["made"] for n in range(ROWS.height))


def check(expression):
    found, message = result(lambda: computed(expression))
    if message is not None:
        assert "made" in message
        assert "\n" not in message
    if found is None:
        return "refused"
    values, alone = found
    assert len(values) == ROWS.height
    assert values.to_list() == alone.to_list()  # the rows beside a row make no difference
    if values.dtype.is_float():
        assert values.is_finite().fill_null(True).all()
    return "computed"


@cases(quick=150, slow=10_000)
def test_words_in_any_order(examples):
    fuzz(
        check,
        examples,
        {"computed", "refused"},
        expression=st.lists(WORDS, max_size=12).map(" ".join),
    )


@cases(quick=150, slow=10_000)
def test_well_formed_expressions(examples):
    fuzz(check, examples, {"computed", "refused"}, expression=EXPRESSIONS)
