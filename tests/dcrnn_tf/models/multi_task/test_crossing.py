"""DCRNN's network with other crossings: values by hand, what it has in common with DCRNN."""

import numpy as np
import pytest

from dcrnn_tf import models
from tests.dcrnn_tf.models.test_values import DIM, SCHEMA, build, check

WIDTH = 3 * DIM
CROSSINGS = [
    {"crossing": "dcn"},
    {"crossing": "dcn_v2"},
    {"crossing": "dcn_v2", "rank": 2},
    {"crossing": "cin", "feature_maps": 4},
]
every_crossing = pytest.mark.parametrize("settings", CROSSINGS)


@pytest.fixture
def ids():
    return np.random.default_rng(0).integers(0, 10, (5, 3)).astype("int32")


def crossed(settings, weights, x0):
    """What a task's network of two layers gives, from its weights by name."""
    h = x0
    if settings["crossing"] == "cin":  # fields and maps are (batch, how many, DIM)
        fields = h = x0.reshape(-1, 3, DIM)
        sums = []
        for i in range(2):
            kernel = weights[f"kernel_{i}"].reshape(h.shape[1], 3, -1)
            h = np.einsum("bid,bjd,ijh->bhd", h, fields, kernel)
            sums.append(h.sum(axis=2))
        return np.concatenate(sums, axis=1)
    for i in range(2):
        if settings["crossing"] == "dcn":
            h = x0 * (h @ weights["kernel"][:, i])[:, None] + weights["bias"][i] + h
            continue
        inner = h @ weights[f"cross_{i}/projection/kernel"] if "rank" in settings else h
        inner = inner @ weights[f"cross_{i}/dense/kernel"] + weights[f"cross_{i}/dense/bias"]
        h = x0 * inner + h
    return h


@every_crossing
def test_each_tower_is_on_its_tasks_own_crossing_of_the_same_embeddings(settings, ids):
    model = build("crossing", num_layers=2, **settings)

    def inputs_to_towers(x0):
        for task, network in zip(model.tasks, model.crossings, strict=True):
            prefix = f"{task}_crossing/"
            weights = {w.path.split(prefix)[1]: np.array(w, "float64") for w in network.weights}
            yield crossed(settings, weights, x0)

    check(model, ids, inputs_to_towers)


@every_crossing
def test_embedding_and_towers_are_those_of_dcrnn(settings):
    """With states, and the sums of three layers' maps (3 times 4), as wide as X_0 (12)."""
    ours = models.build("crossing", SCHEMA, embedding_dim=DIM, **settings)
    dcrnn = models.build(
        "dcrnn", SCHEMA, embedding_dim=DIM, units=WIDTH // 2, bidirectional=True, adaptation=False
    )

    def shapes(layers):
        return {w.path.split("/", 1)[1]: w.shape for layer in layers for w in layer.weights}

    assert shapes(ours.towers) == shapes(dcrnn.towers)
    assert shapes([ours.embedding]) == shapes([dcrnn.embedding])
    names = [{w.path.split("/")[1] for w in model.weights} for model in (ours, dcrnn)]
    assert names[0] - names[1] == {"click_crossing", "conversion_crossing"}
    assert names[1] - names[0] == {"crnn"}


def test_parameter_counts_by_hand():
    """Three fields of width 4, two tasks, three layers; a tower of no hidden layer has d + 1."""
    expected = [
        3 * (12 + 12) + 13,
        3 * (12 * 12 + 12) + 13,
        3 * (12 * 2 + 2 * 12 + 12) + 13,
        (9 * 4 + 2 * (12 * 4)) + 13,
    ]
    for settings, count in zip(CROSSINGS, expected, strict=True):
        model = models.build("crossing", SCHEMA, embedding_dim=4, tower_units=(), **settings)
        assert model.parameter_counts()["other"] == 2 * count


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crossing": "fm"}, "model crossing: crossing='fm' is not one of dcn, dcn_v2, cin"),
        ({"num_layers": 0}, "num_layers=0 must be a whole number from 1"),
        ({"rank": 3}, "rank=3 is a setting of crossing='dcn_v2', not 'dcn'"),
        ({"crossing": "dcn_v2", "rank": 0}, "rank=0 must be a whole number from 1"),
        ({"crossing": "dcn_v2", "rank": "a"}, "rank='a' must be a whole number from 1"),
        ({"crossing": "cin"}, "crossing='cin' needs feature_maps, a whole number such as 64"),
        ({"crossing": "cin", "feature_maps": 2.5}, "feature_maps=2.5 must be a whole number"),
        ({"crossing": "cin", "feature_maps": 4, "rank": 2}, "rank=2 is a setting of"),
        ({"feature_maps": 4}, "feature_maps=4 is a setting of crossing='cin', not 'dcn'"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(models.ModelError, match=message):
        models.build("crossing", SCHEMA, **settings)
