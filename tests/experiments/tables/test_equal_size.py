"""Models of equal size: against counts by hand, against trying all widths, and what is refused."""

import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import CATEGORICAL, NUMERIC, Field, Schema, Task
from experiments.tables.equal_size import MatchingError, match, parameters

TASKS = (Task("click"), Task("conversion"))
FIELDS = (*(Field(f"field_{i}", CATEGORICAL, 50) for i in range(3)), Field("price", NUMERIC))
SMALL = Schema("small", FIELDS, TASKS, splits={})
# Twenty fields of dimension 16, with a table that no machine could hold.
WIDE = Schema(
    "wide", tuple(Field(f"field_{i}", CATEGORICAL, 10**8) for i in range(20)), TASKS, splits={}
)


def test_parameters_are_those_outside_the_table():
    settings = {"embedding_dim": 4, "units": 3}
    expected = models.build("dcrnn", SMALL, **settings).parameter_counts()["other"]
    assert parameters(SMALL, "dcrnn", settings) == expected


def test_dcrnn_with_a_bidirectional_lstm_by_hand():
    """Two tasks, two directions, four gates; two towers 64, 32, 1 on 128 numbers."""
    towers = 2 * (129 * 64 + 65 * 32 + 33)
    settings = {"embedding_dim": 16, "units": 64, "adaptation": False}
    assert parameters(WIDE, "dcrnn", settings) == 4 * 4 * 64 * (320 + 64 + 1) + towers == 414_978


def tower(width, first=64):
    return (width + 1) * first + (first + 1) * 32 + 33


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "settings", "matched_width", "value", "expected"),
    [
        # Per task: three layers of a vector and a bias, and the tower.
        ("crossing", {"crossing": "dcn"}, "tower_units", [582, 32], 2 * (1920 + tower(320, 582))),
        # Three layers of two matrices and a bias.
        (
            "crossing",
            {"crossing": "dcn_v2"},
            "rank",
            96,
            2 * (3 * (2 * 320 * 96 + 320) + tower(320)),
        ),
        # One layer on pairs of fields, two on pairs of a map and a field.
        (
            "crossing",
            {"crossing": "cin"},
            "feature_maps",
            65,
            2 * (20 * 20 * 65 + 2 * 65 * 20 * 65 + tower(3 * 65)),
        ),
        # Eight experts of two layers, two gates.
        (
            "mmoe",
            {},
            "expert_units",
            [129, 64],
            8 * (321 * 129 + 130 * 64) + 2 * 8 * 320 + 2 * tower(64),
        ),
    ],
)
def test_models_of_the_size_of_dcrnn(model, settings, matched_width, value, expected):
    settings = {**settings, "embedding_dim": 16}
    found = match(WIDE, model, settings, matched_width, 414_978)
    assert found.settings == {**settings, matched_width: value}
    assert found.parameters == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "settings", "matched_width"),
    [
        ("crossing", {"crossing": "cin"}, "feature_maps"),
        ("dcrnn", {"cell": "simple_rnn", "bidirectional": False}, "units"),
        ("snr", {"level_units": [6, 5]}, "num_subnetworks"),
        ("shared_bottom", {"bottom_units": (6,), "tower_units": ()}, "tower_units"),
    ],
)
def test_no_other_width_is_nearer(model, settings, matched_width):
    settings = {**settings, "embedding_dim": 4}
    is_list = isinstance(settings.get(matched_width), tuple)
    counts = {
        width: parameters(SMALL, model, {**settings, matched_width: [width] if is_list else width})
        for width in (3, 4)
    }
    middle = (counts[3] + counts[4]) // 2
    for target, width in ((middle - 1, 3), (middle + 2, 4)):  # to either side of halfway
        found = match(SMALL, model, settings, matched_width, target, tolerance=1.0)
        assert found.settings[matched_width] == ([width] if is_list else width)
        assert found.parameters == counts[width]


def test_a_nearest_width_that_is_too_far_off_is_refused():
    settings = {"crossing": "dcn_v2", "embedding_dim": 16}
    sentence = (
        r"model crossing comes no nearer to 414,978 parameters than 617,156, with "
        r"tower_units=\[1, 32\], which is further than 2 % off; choose another setting"
    )
    with pytest.raises(MatchingError, match=sentence):
        match(WIDE, "crossing", settings, "tower_units", 414_978)
    with pytest.raises(MatchingError, match=r"further than 0.05 % off"):
        match(WIDE, "crossing", {"crossing": "cin"}, "feature_maps", 742_658, tolerance=0.0005)


@pytest.mark.parametrize(
    ("settings", "matched_width", "target", "message"),
    [
        ({}, "units", 0, "target=0 must be a number of parameters"),
        ({}, "width", 1000, "model dcrnn has no setting width"),
        ({}, "cell", 1000, "cell=1 must be a str"),
        ({}, "bidirectional", 1000, "bidirectional=1 must be true or false"),
        ({"adaptation": False}, "subsequence_length", 1000, "subsequence_length is no width"),
        ({"cell": "rnn"}, "units", 1000, "cell='rnn' is not one of"),
    ],
)
def test_what_cannot_be_matched_is_refused(settings, matched_width, target, message):
    with pytest.raises((MatchingError, models.ModelError), match=message):
        match(SMALL, "dcrnn", {"embedding_dim": 4, **settings}, matched_width, target)
