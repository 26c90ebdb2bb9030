"""Encodings by hand, and the same bits of their arithmetic by NumPy and by TensorFlow."""

import math

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.encodings import ENCODINGS, Bins, Ids, NumberRows, Scaling, from_dict
from dcrnn_tf.dataset.schema import DatasetError, Field
from dcrnn_tf.serving import field_inputs

NAN, INF = math.nan, math.inf
FLOAT32 = np.finfo(np.float32)
HARD = [
    *(NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 2.0, 2.5, -2.5, 1e300, -1e300, 2.0**53, -(2.0**53)),
    *(float(FLOAT32.max), -float(FLOAT32.max), float(FLOAT32.tiny), 1e-40, 5e-324, 1e-300),
    *(-1e-40, -5e-324, 3.5e38, 2.0**63, -(2.0**63), 16777217.0, 0.1, 1 / 3, -999.0),
]
# The edges of log bins and the numbers beside them, where any other logarithm would differ.
EDGES = [math.exp(math.sqrt(k)) for k in range(1, 7872)]
BESIDE = [math.nextafter(edge, end) for edge in EDGES for end in (0.0, INF)]


def numbers():
    random = np.random.default_rng(2)
    drawn = [random.normal(0, 30, 20_000), random.lognormal(3, 9, 20_000), np.arange(-99.0, 999)]
    return np.concatenate([HARD, EDGES, BESIDE, *drawn])


def is_missing(x, encoding):
    missing = [np.asarray(number, x.dtype) for number in encoding.missing_numbers]
    return ~(np.abs(x) <= FLOAT32.max) | np.isin(x, missing)


def both(apply, x):
    """The result by NumPy, after a look whether TensorFlow's in a graph has the same bits."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = apply(x, np)
    graph = tf.function(lambda x: apply(x, field_inputs.TensorFlowNames), autograph=False)
    other = graph(tf.constant(x)).numpy()
    assert other.dtype == found.dtype
    np.testing.assert_array_equal(other.view(np.int32), found.view(np.int32))
    return found


def test_missing_numbers_are_those_that_cells_of_the_same_text_have():
    texts = ("-9223372036854775808", "9223372036854775807", "+5", "007", "1e3", ".5", "0.1")
    encoding = Scaling((*texts, "1_000", "\uff12\uff10", "1e400", "inf", "nan", "", "x"))
    assert encoding.missing_numbers == (-(2.0**63), 5.0, 7.0, 1000.0, 0.5, 0.1)
    x = np.array([-(2.0**63), 2.0**63, 20.0, 1000.0])
    assert both(encoding.numbers, x).tolist() == [0.0, 2.0**63, 20.0, 0.0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "scaling",
    [
        Scaling(),
        Scaling(("-1", "x"), "standard", 2.5, 0.1),
        Scaling(method="log"),
        Scaling(("-999",), "quantile", knots=(-3.0, 0.0, 0.1, 1e30), scaled=(-1.0, 0.3, 0.4, 1.0)),
        Scaling(method="quantile", knots=(0.0,), scaled=(0.25,)),
        Scaling(method="quantile", knots=(0.0, 2e-38), scaled=(-0.5, 0.5)),
    ],
    ids=lambda scaling: f"{scaling.method}-{len(scaling.knots)}",
)
def test_scaled_numbers_have_the_same_bits_everywhere(scaling, dtype):
    with np.errstate(over="ignore"):
        x = numbers().astype(dtype)
    found = both(scaling.numbers, x)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()  # also where scaling makes a number too large for float32
    missing = is_missing(x, scaling)
    assert not found[missing].any()
    if scaling.method == "quantile":
        x = np.where(np.abs(x) < FLOAT32.tiny, 0, x)[~missing].astype(float)
        expected = np.interp(x, scaling.knots, scaling.scaled)
        np.testing.assert_array_equal(found[~missing], expected.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "encoding",
    [
        Bins(),
        Bins(("-1",), "quantile", (-7.5, 0.0, 0.1, 16777217.0)),
        Bins(method="quantile"),
        Ids(("", "-1"), "number"),
    ],
    ids=["log", "quantile", "no bin", "ids"],
)
def test_rows_of_numbers_are_the_same_everywhere(encoding, dtype):
    with np.errstate(over="ignore"):
        x = numbers().astype(dtype)
    ids = {
        "log": np.array([3, 50, -3, 0, 7849]),
        "quantile": np.array([0.1, -7.5, 16777217.0][: len(getattr(encoding, "edges", ()))]),
    }.get(getattr(encoding, "method", ""), np.array(["-2.5", "0", "7", "0.1", "16777217"], object))
    found = both(lambda x, xp: encoding.rows(x, NumberRows(ids), xp), x)
    assert found.dtype == np.int32
    expected = set(range(len(ids) + 2)) if len(ids) else {0, 1}
    assert set(found.tolist()) == expected
    np.testing.assert_array_equal(found == 0, is_missing(x, encoding))


def test_log_bins_begin_at_the_edges_alone():
    bins = Bins()
    k = np.arange(1, 7872)
    np.testing.assert_array_equal(bins.ids(np.array(EDGES), np), k + 3)
    np.testing.assert_array_equal(bins.ids(np.array(BESIDE[::2]), np), k + 2)
    np.testing.assert_array_equal(bins.ids(np.array(BESIDE[1::2]), np), k + 3)
    whole = np.arange(3.0, 1e6)
    np.testing.assert_array_equal(bins.ids(whole, np), np.floor(np.log(whole) ** 2) + 3)


def test_rows_of_numbers_by_hand():
    rows = NumberRows(np.array(["7", "-0.5", "100"], object))
    assert rows(np.array([7.0, -0.5, 100.0, 99.0, 101.0, -9.0]), np).tolist() == [2, 3, 4, 1, 1, 1]
    assert NumberRows(np.array([], object))(np.array([0.0, 7.0]), np).tolist() == [1, 1]
    ids = Ids(("-0.5",), "number")
    assert ids.rows(np.array([7.0, -0.5, NAN, -0.0]), rows, np).tolist() == [2, 0, 0, 1]


def test_every_kind_of_encoding_can_be_served_and_read_again():
    assert set(ENCODINGS.values()) == set(field_inputs.ENCODERS)
    assert from_dict(None) is None
    for kind, cls in ENCODINGS.items():
        assert cls().kind == kind


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "hat"}, "is of none of the kinds"),
        ("ids", "is of none of the kinds"),
        (
            {"kind": "ids", "values": "colour"},
            "values 'colour' is not one of value, text, integer, num",
        ),
        ({"kind": "ids", "max_values": 0}, "max_values 0 is below 1"),
        ({"kind": "ids", "hat": 1}, "hat is no part of a Ids"),
        ({"kind": "ids", "missing": [-1]}, "missing of a Ids is"),
        ({"kind": "bins", "method": "cubic"}, "method 'cubic' is not one of log, quantile"),
        ({"kind": "bins", "edges": [1.0, 1.0]}, "edges are not ascending"),
        ({"kind": "scaling", "mean": NAN}, "mean of a Scaling is nan"),
        ({"kind": "scaling", "standard_deviation": 0.0}, "standard_deviation 0.0 is not above 0"),
        ({"kind": "scaling", "method": "quantile"}, "0 knots and 0 scaled values"),
        ({"kind": "scaling", "knots": [1.0], "scaled": []}, "1 knots and 0 scaled values"),
    ],
)
def test_what_is_no_encoding_is_refused(content, message):
    with pytest.raises((TypeError, ValueError), match=message):
        from_dict(content)


def test_a_field_says_where_its_encoding_is_of_another_kind():
    scaling = Scaling(method="log")
    field = Field("price", "numeric", encoding=scaling)
    assert field.encoded_as(Scaling) is scaling
    with pytest.raises(DatasetError, match="price has the encoding scaling, expected ids; prepare"):
        field.encoded_as(Ids)
    with pytest.raises(DatasetError, match="price has no encoding, expected scaling; prepare"):
        Field("price", "numeric").encoded_as(Scaling)
