"""Lists in cells of text, as programs write them."""

import json

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.written_lists import split_lists
from dcrnn_tf.dataset.schema import DatasetError

LISTS = [["a", "b"], ["it's", 'x "y"'], ["a, b", "c;d", "[e]"], ["é", "中文", "😀"], ["\\", "\n"]]
LISTS += [[], ["x"], ["None", "1"]]


@pytest.mark.parametrize(
    ("cell", "items"),
    [
        ("[1, 2, 3]", ["1", "2", "3"]),
        ("[]", []),
        ("[ ]", []),
        ("[3]", ["3"]),
        ("['a', 'b']", ["a", "b"]),
        ("[1 2]", ["1", "2"]),
        ("[ 1.  20. -3.5e+10\n nan]", ["1.", "20.", "-3.5e+10", "nan"]),
        ("['a' 'b c']", ["a", "b c"]),
        ("[New York, Rome]", ["New York", "Rome"]),
        ("[New York]", ["New York"]),
        ("[1, None, null, 'None']", ["1", "None"]),
        ("[np.int64(1), np.float64(2.0)]", ["1", "2.0"]),
        ("[np.str_('a, b'), np.str_(\"it's\"), np.True_]", ["a, b", "it's", "True"]),
        ("[np.int64(1), np.str_('\\\\')]", ["1", "\\"]),
        ("[Timestamp('2024-01-02 00:00:00')]", ["2024-01-02 00:00:00"]),
        (
            "[Decimal('2.50'), UUID('3a-0'), sin(x), Rocky (1976)]",
            ["2.50", "3a-0", "sin(x)", "Rocky (1976)"],
        ),
        ("(1, 2)", ["1", "2"]),
        ("(1,)", ["1"]),
        ("()", []),
        ("('a, b', \"it's\")", ["a, b", "it's"]),
        ("{1, 2}", ["1", "2"]),
        ("{np.int64(3)}", ["3"]),
        ("{rock,hip-hop}", ["rock", "hip-hop"]),
        ("set()", []),
        ("(1)", ["(1)"]),
        ("(a, b)", ["(a, b)"]),
        ("{'a': 1, 'b': 2}", ["{'a': 1, 'b': 2}"]),
        ("a;b", ["a", "b"]),
        ("[a];[b]", ["[a]", "[b]"]),
        ("[[1, 2], [3]]", ["[[1, 2], [3]]"]),
        ("[a;b", ["[a", "b"]),
        (None, None),
    ],
)
def test_a_cell_is_these_items(cell, items):
    assert split_lists(pl.Series([cell, "z"], dtype=pl.String), ";").to_list() == [items, ["z"]]


@pytest.mark.parametrize("items", LISTS)
@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda x: str(list(map(np.str_, x))),
        json.dumps,
        lambda x: json.dumps(x, ensure_ascii=False),
    ],
)
def test_what_python_and_json_write_is_read_as_it_was(items, write):
    (found,) = split_lists(pl.Series([write(items)]), ";")
    assert found.to_list() == items


def test_what_numpy_writes_is_read_as_it_was_or_refused():
    for array in (np.arange(30), np.array(["a b", "c"]), np.array([0.5, 1e30])):
        (found,) = split_lists(pl.Series([str(array)]), ";")
        if array.dtype.kind == "U":
            assert found.to_list() == array.tolist()
        else:
            assert found.cast(pl.Float64).to_list() == array.tolist()
    with pytest.raises(DatasetError, match="a list that NumPy wrote without all of its items"):
        split_lists(pl.Series("x", [str(np.arange(2000))]), ";")
