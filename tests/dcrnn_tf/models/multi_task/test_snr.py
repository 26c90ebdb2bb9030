"""SNR against an independent computation, and its gates' distribution against closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.layers import SubNetworkRouting, SubNetworks
from dcrnn_tf.metrics.auc import auc
from tests.dcrnn_tf.models import planted
from tests.dcrnn_tf.models.test_values import BATCH, FIELDS, SCHEMA, build, check

GAMMA, ZETA, BETA = -0.1, 1.1, 0.5
IDS = np.random.default_rng(0).integers(0, 10, (BATCH, len(FIELDS))).astype("int32")
FEATURES = {field.name: IDS[:, f] for f, field in enumerate(FIELDS)}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def openness(log_alpha):
    return np.clip(sigmoid(log_alpha) * (ZETA - GAMMA) + GAMMA, 0, 1)


def numpy_routes(layer, inputs):
    """`sum_i z_ij x_i W_ij`, route by route."""
    z, d = openness(np.array(layer.log_alpha)), inputs[0].shape[1]
    outputs = []
    for j in range(layer.num_outputs):
        mixture = 0
        for i, x in enumerate(inputs):
            if layer.transform == "trans":
                x = x @ np.array(layer.kernel)[i * d : (i + 1) * d, j * d : (j + 1) * d]
            mixture += z[i, j] * x
        outputs.append(mixture)
    return outputs


@pytest.mark.parametrize("transform", ["trans", "aver"])
@pytest.mark.parametrize("level_units", [(6,), (6, 5), (6, 5, 4)])
def test_logits(transform, level_units):
    model = build("snr", num_subnetworks=3, level_units=level_units, transform=transform)
    for routes in model.routes:  # some shut and some wide open, as after training
        draw = np.random.default_rng(2).normal(scale=3, size=routes.log_alpha.shape)
        routes.log_alpha.assign(draw)

    def mixtures(x0):
        u = level_units[0]
        kernel, bias = np.array(model.first.kernels[0]), np.array(model.first.biases[0])
        hidden = [
            np.maximum(x0 @ kernel[:, i * u : (i + 1) * u] + bias[i * u : (i + 1) * u], 0)
            for i in range(3)
        ]
        for routes, level in zip(model.routes, model.later, strict=False):
            mixed = numpy_routes(routes, hidden)
            kernel, bias = np.array(level.kernel), np.array(level.bias)
            hidden = [np.maximum(mixed[j] @ kernel[j] + bias[j, 0], 0) for j in range(3)]
        return numpy_routes(model.routes[-1], hidden)

    check(model, IDS, mixtures)


def routing(log_alpha, **settings):
    layer = SubNetworkRouting(log_alpha.shape[1], **settings)
    layer.build((log_alpha.shape[0], None, 4))
    layer.log_alpha.assign(log_alpha)
    return layer


def test_gates_have_the_hard_concrete_distribution():
    rows = 40_000
    for log_alpha in (-2.0, 0.0, 1.0):
        layer = routing(np.full((rows, 1), log_alpha))
        z = np.array(layer.gates(training=True))
        assert z.min() >= 0
        assert z.max() <= 1

        def below(x, log_alpha=log_alpha):  # P(z <= x) within [0, 1)
            s = (x - GAMMA) / (ZETA - GAMMA)
            return sigmoid(BETA * np.log(s / (1 - s)) - log_alpha)

        zeros, ones = below(0.0), 1 - below(1.0)
        for share, expected in [
            ((z == 0).mean(), zeros),
            ((z == 1).mean(), ones),
            ((z <= 0.3).mean(), below(0.3)),
            ((z <= 0.8).mean(), below(0.8)),
        ]:
            assert share == pytest.approx(expected, abs=4 * np.sqrt(0.25 / rows))
        assert 1 - zeros == pytest.approx(float(layer.open_probability()[0, 0]), rel=1e-5)


def test_without_training_there_is_no_noise_and_no_loss():
    log_alpha = np.random.default_rng(0).normal(scale=2, size=(3, 4)).astype("float32")
    layer = routing(log_alpha)
    inputs = np.random.default_rng(1).normal(size=(3, 6, 4)).astype("float32")
    state = np.array(layer.noise.state)
    first = np.array(layer(inputs))
    np.testing.assert_array_equal(layer(inputs, training=False), first)
    np.testing.assert_array_equal(layer.noise.state, state)
    np.testing.assert_allclose(layer.gates(), openness(log_alpha), rtol=1e-5, atol=1e-6)
    assert layer.losses == []
    assert not np.allclose(layer(inputs, training=True), first)
    assert not np.array_equal(layer.noise.state, state)
    assert len(layer.losses) == 1


@pytest.mark.parametrize("transform", ["trans", "aver"])
def test_l0_penalty_and_its_gradient(transform):
    log_alpha = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    layer = routing(log_alpha, transform=transform, temperature=0.7, l0_penalty=0.3)
    with tf.GradientTape() as tape:
        layer(tf.ones((3, 2, 4)), training=True)
        (loss,) = layer.losses
    p = sigmoid(log_alpha - 0.7 * np.log(-GAMMA / ZETA))
    assert float(loss) == pytest.approx(0.3 * p.sum(), rel=1e-5)
    gradient = tape.gradient(loss, layer.log_alpha.value)
    np.testing.assert_allclose(gradient, 0.3 * p * (1 - p), rtol=1e-5)


def test_the_model_adds_up_the_penalties_of_its_levels():
    model = models.build("snr", SCHEMA, num_subnetworks=3, l0_penalty=0.1)
    model(FEATURES, training=True)
    routes = 3 * 3 + 3 * 2
    p = sigmoid(-0.5 * np.log(-GAMMA / ZETA))
    assert float(sum(model.losses)) == pytest.approx(0.1 * routes * p, rel=1e-5)
    assert float(model.statistics["open_routes"]) == pytest.approx(p, rel=1e-5)
    assert len(model.losses) == 2
    model(FEATURES, training=True)
    assert len(model.losses) == 2  # not those of the call before as well
    free = models.build("snr", SCHEMA, l0_penalty=0.0)
    free(FEATURES, training=True)
    assert free.losses == []


def test_a_penalty_shuts_routes_that_do_not_help():
    layer = routing(np.full((5, 4), 0.5, "float32"), l0_penalty=1.0)
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(60):
        with tf.GradientTape() as tape:
            layer(tf.ones((5, 1, 4)), training=True)
            loss = sum(layer.losses)
        optimizer.apply([tape.gradient(loss, layer.log_alpha.value)], [layer.log_alpha])
    assert (np.array(layer.gates()) == 0).all()
    np.testing.assert_array_equal(layer(tf.ones((5, 1, 4))), np.zeros((4, 1, 4)))


def test_noise_follows_the_seed_and_each_level_has_its_own():
    def draws(seed):
        keras.utils.set_random_seed(seed)
        model = models.build("snr", SCHEMA, num_subnetworks=2)
        first, second = model.routes
        return [np.array(r.gates(training=True)) for r in (first, second, first, second)]

    one, again, other = draws(1), draws(1), draws(2)
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    for number, gates in enumerate(one):
        assert not any(np.array_equal(gates, earlier) for earlier in one[:number])


def test_xla_draws_new_gates_in_each_step_and_the_same_from_a_state():
    layer = routing(np.zeros((6, 5), "float32"))
    draw = tf.function(lambda: layer.gates(training=True), jit_compile=True)
    start = np.array(layer.noise.state)
    first, second = np.array(draw()), np.array(draw())
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(np.array(layer.noise.state), start + np.array([0, 2]))
    layer.noise.state.assign(start)
    np.testing.assert_array_equal(draw(), first)
    np.testing.assert_array_equal(draw(), second)


def test_the_state_of_the_noise_is_a_variable_of_the_model_and_no_weight():
    model = models.build("snr", SCHEMA)
    states = {id(routes.noise.state) for routes in model.routes}
    assert len(states) == 2
    assert states <= {id(variable) for variable in model.variables}
    assert not states & {id(variable) for variable in model.weights}


def test_routes_are_explained_by_their_openness():
    model = build("snr", num_subnetworks=3)
    first, second = model.explain(FEATURES).items()
    subnetworks = ("subnetwork_0", "subnetwork_1", "subnetwork_2")
    for (name, explanation), routes, rows in (
        (first, model.routes[0], subnetworks),
        (second, model.routes[1], ("click", "conversion")),
    ):
        assert name in ("routes, level 1", "routes, level 2")
        assert (explanation.rows, explanation.columns) == (rows, subnetworks)
        expected = openness(np.array(routes.log_alpha)).T
        np.testing.assert_allclose(explanation.values, expected, rtol=1e-5, atol=1e-6)


def test_number_of_parameters_is_near_mmoes():
    wide = {"embedding_dim": 32}
    fields = tuple(type(FIELDS[0])(f"field_{i}", "categorical", 10) for i in range(23))
    schema = type(SCHEMA)("wide", fields, SCHEMA.tasks, splits={})
    d, towers = 23 * 32, 2 * ((64 + 1) * 64 + (64 + 1) * 32 + 32 + 1)
    expected = 8 * (d + 1) * 64 + 8 * (64 + 1) * 64 + (8 * 8 + 8 * 2) * (64 * 64 + 1)
    other = models.build("snr", schema, **wide).parameter_counts()["other"]
    assert other == expected + towers
    assert 0.85 < other / models.build("mmoe", schema, **wide).parameter_counts()["other"] < 1


def test_the_maps_into_an_output_start_as_one_matrix():
    keras.utils.set_random_seed(0)
    layer = SubNetworkRouting(3)
    layer.build((5, None, 20))
    blocks = np.split(np.array(layer.kernel), 3, axis=1)
    limit = np.sqrt(6 / (5 * 20 + 20))
    for block in blocks:
        assert 0.98 * limit < np.abs(block).max() <= limit
    assert not np.allclose(blocks[0], blocks[1])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"transform": "mean"}, "model snr: transform='mean' is not one of trans, aver"),
        ({"temperature": 0}, "temperature=0 must be above 0"),
        ({"l0_penalty": -1}, "l0_penalty=-1 must not be negative"),
        ({"level_units": ()}, "at least one sub-network and one level"),
        ({"num_subnetworks": 0}, "num_subnetworks=0 must be a whole number from 1"),
    ],
)
def test_impossible_settings_are_refused(settings, sentence):
    with pytest.raises(models.ModelError, match=sentence):
        models.build("snr", SCHEMA, **settings)


@pytest.mark.parametrize(
    "layer", [SubNetworkRouting(3, "aver", 0.6, 0.2), SubNetworkRouting(2), SubNetworks(5)]
)
def test_config_restores_the_layer(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    inputs = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    layer.build(inputs.shape)
    again.build(inputs.shape)
    again.set_weights([np.full(w.shape, 0.5) for w in layer.weights])
    layer.set_weights(again.get_weights())
    np.testing.assert_array_equal(again(inputs), layer(inputs))


@pytest.mark.slow
@pytest.mark.parametrize("transform", [pytest.param("trans", marks=pytest.mark.slow), "aver"])
def test_it_learns(transform):
    logits, labels = planted.fit("snr", level_units=(16, 8), tower_units=(16,), transform=transform)
    for task in labels:
        assert auc(labels[task], logits[task]) > 0.8
