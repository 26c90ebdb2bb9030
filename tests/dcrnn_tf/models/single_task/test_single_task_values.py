"""The single-task models: logits from their weights in NumPy, independence of tasks, learning."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import CATEGORICAL, Field, Schema, Task

BATCH, FIELDS, DIM, SIZE = 5, 3, 4, 10
FIELD_NAMES = tuple(f"field_{i}" for i in range(FIELDS))
FIELD_LIST = tuple(Field(name, CATEGORICAL, SIZE) for name in FIELD_NAMES)
TASKS = (Task("click"), Task("conversion"))
SCHEMA = Schema("tiny", FIELD_LIST, TASKS, splits={})
SINGLE_TASK = tuple(
    name for name in models.names() if issubclass(models.model_class(name), models.SingleTaskModel)
)
IDS = np.random.default_rng(0).integers(0, SIZE, (BATCH, FIELDS)).astype("int32")
FEATURES = {name: IDS[:, f] for f, name in enumerate(FIELD_NAMES)}


def build(name, schema=SCHEMA, **settings):
    model = models.build(name, schema, embedding_dim=DIM, **settings)
    random = np.random.default_rng(1)
    for weight in model.weights:
        value = random.normal(scale=0.7, size=weight.shape)
        weight.assign(np.abs(value) if weight.name == "moving_variance" else value)
    return model


def check(model, function):
    """Compares with `function(v, wide, w)`, in NumPy, for each task's part of the table.

    It gets embeddings `(batch, fields, dim)`, the sum of the linear weights and the network's
    weights by their paths within it.
    """
    table = np.array(model.embedding.table, "float64").reshape(FIELDS, SIZE, len(TASKS), -1)
    actual = model(FEATURES)
    for number, (task, network) in enumerate(zip(actual, model.networks, strict=True)):
        own = np.stack([table[f, IDS[:, f], number] for f in range(FIELDS)], axis=1)
        wide = own[:, :, DIM].sum(axis=1) if model.linear else None
        weights = {v.path.split(f"{task}_network/")[1]: v.numpy() for v in network.weights}
        expected = function(own[:, :, :DIM], wide, weights)
        np.testing.assert_allclose(actual[task], expected, rtol=1e-4, atol=1e-4)


def dense(w, name, inputs):
    return inputs @ w[f"{name}/kernel"] + w.get(f"{name}/bias", 0)


def perceptron(w, name, inputs, layers=2):
    for i in range(layers):
        inputs = np.maximum(dense(w, f"{name}/dense_{i}", inputs), 0)
    return inputs


def tower(w, inputs):
    return dense(w, "tower/logit", perceptron(w, "tower/hidden", inputs))[:, 0]


def flat(v):
    return v.reshape(len(v), -1)


def matrix_cross(w, x0, projected=False):
    x = x0
    for i in range(2):
        inner = x @ w[f"cross/cross_{i}/projection/kernel"] if projected else x
        x = x0 * dense(w, f"cross/cross_{i}/dense", inner) + x
    return x


def field_interaction(w, v):
    """With the row of ones: `V_l = V_{l-1} * (W_l [V_0; 1])`."""
    padded = np.concatenate([v, np.ones((len(v), 1, DIM))], axis=1)
    kernels = np.split(w["interaction/kernel"].T, 2)
    links = np.split(w["interaction/links"], 2)
    new = v
    for kernel, link in zip(kernels, links, strict=True):
        new = new * np.matmul(np.column_stack([kernel, link]), padded)
    return new


def pairs(v):
    """The sum of the products of all pairs of fields, element by element."""
    return sum(v[:, i] * v[:, j] for i, j in itertools.combinations(range(FIELDS), 2))


def test_logistic_regression():
    model = build("logistic_regression")
    check(model, lambda v, wide, w: v[:, :, 0].sum(axis=1) + w["bias"])


def test_fm():
    check(build("fm"), lambda v, wide, w: wide + pairs(v).sum(axis=1) + w["bias"])


def test_deepfm():
    model = build("deepfm", hidden_units=(6, 4))
    check(model, lambda v, wide, w: wide + pairs(v).sum(axis=1) + tower(w, flat(v)))


def test_wide_and_deep():
    model = build("wide_and_deep", hidden_units=(6, 4))
    check(model, lambda v, wide, w: wide + tower(w, flat(v)))


def test_dcn():
    """The crosses as in the paper's `x_0 x_l^T w_l`, an outer product times a vector."""

    def logits(v, wide, w):
        x0 = x = flat(v)
        for i in range(2):
            outer = x0[:, :, None] * x[:, None, :]
            x = outer @ w["cross/kernel"][:, i] + w["cross/bias"][i] + x
        deep = perceptron(w, "deep", x0)
        return dense(w, "logit", np.concatenate([x, deep], axis=1))[:, 0]

    check(build("dcn", hidden_units=(6, 4)), logits)


@pytest.mark.parametrize("projection_dim", [None, 2])
def test_dcn_v2(projection_dim):
    def logits(v, wide, w):
        crossed = matrix_cross(w, flat(v), projection_dim is not None)
        deep = perceptron(w, "deep", flat(v))
        return dense(w, "logit", np.concatenate([crossed, deep], axis=1))[:, 0]

    check(build("dcn_v2", hidden_units=(6, 4), projection_dim=projection_dim), logits)


def test_fint():
    model = build("fint", hidden_units=(6, 4))
    check(model, lambda v, wide, w: tower(w, flat(field_interaction(w, v))))


def test_nfm():
    check(build("nfm", hidden_units=(6, 4)), lambda v, wide, w: wide + tower(w, pairs(v)))


def test_xdeepfm():
    """The feature maps as polynomials of the fields, `sum W_ij W'_gk v_i v_j v_k`."""

    def logits(v, wide, w):
        first = w["interaction/kernel_0"].reshape(FIELDS, FIELDS, 4)
        second = w["interaction/kernel_1"].reshape(4, FIELDS, 2)
        two = np.einsum("bid,bjd,ijg->bg", v, v, first)
        three = np.einsum("bid,bjd,bkd,ijg,gkh->bh", v, v, v, first, second)
        maps = np.concatenate([two, three], axis=1)
        return wide + dense(w, "interaction_logit", maps)[:, 0] + tower(w, flat(v))

    check(build("xdeepfm", hidden_units=(6, 4), feature_maps=(4, 2)), logits)


def test_phn():
    def attended(w, v):
        """Self-attention with a single head."""
        query, key, value = np.split(v @ w["soft_selection/query_key_value"], 3, axis=2)
        scores = np.exp(query @ key.transpose(0, 2, 1) / DIM**0.5)
        return (
            scores / scores.sum(axis=2, keepdims=True) @ value @ (w["soft_selection/output_kernel"])
        )

    def logits(v, wide, w):
        gates = w["soft_selection/gate"]
        deep, cross, field = gates * attended(w, v) + (1 - gates) * v
        outputs = [
            perceptron(w, "deep", flat(deep)) + flat(deep) @ w["deep_link/kernel"],
            matrix_cross(w, flat(cross)) + flat(cross) * w["cross_link/scale"],
            flat(field_interaction(w, field)) + flat(field) * w["interaction_link/scale"],
        ]
        return dense(w, "logit", np.concatenate(outputs, axis=1))[:, 0]

    check(build("phn", hidden_units=(6, 4), num_heads=1), logits)


@pytest.mark.parametrize("name", SINGLE_TASK)
def test_two_tasks_in_one_run_are_two_models(name):
    both = build(name)
    labels = {"click": np.eye(BATCH)[0], "conversion": np.eye(BATCH)[1]}
    own_columns = np.split(np.arange(both.embedding_width), len(TASKS))

    def gradients(model):
        with tf.GradientTape() as tape:
            losses = [
                tf.reduce_sum(
                    tf.nn.sigmoid_cross_entropy_with_logits(
                        tf.constant(labels[task], logit.dtype), logit
                    )
                )
                for task, logit in model(FEATURES).items()
            ]
            loss = sum(losses)
        values = [v.value for v in model.trainable_variables]
        paths = [v.path.split("/", 1)[1] for v in model.trainable_variables]
        found = map(tf.convert_to_tensor, tape.gradient(loss, values))
        return dict(zip(paths, found, strict=True))

    together = gradients(both)
    checked = 0
    for columns, task in zip(own_columns, TASKS, strict=True):
        alone = build(name, Schema("tiny", FIELD_LIST, (task,), splits={}))
        weights = {v.path.split("/", 1)[1]: v for v in both.weights}
        for weight in alone.weights:
            path = weight.path.split("/", 1)[1]
            value = weights[path].numpy()
            weight.assign(value[:, columns] if path == "embedding/table" else value)
        for path, gradient in gradients(alone).items():
            expected = together[path].numpy()
            expected = expected[:, columns] if path == "embedding/table" else expected
            assert np.abs(expected).max() > 0
            np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)
            checked += path != "embedding/table"
    assert checked == len(both.trainable_variables) - 1  # none belongs to both tasks, or to neither


def planted(rows):
    """A click is likely where the hidden signs of two fields agree: a product of fields."""
    random = np.random.default_rng(rows)
    ids = random.integers(0, SIZE, (rows, FIELDS)).astype("int32")
    sign = np.where(np.arange(SIZE) % 2, 1, -1)
    click = random.random(rows) < 0.5 + 0.4 * sign[ids[:, 0]] * sign[ids[:, 1]]
    return {name: ids[:, f] for f, name in enumerate(FIELD_NAMES)}, click.astype("float32")


def auc_on_planted(name, **settings):
    """After training; the true probabilities have 0.9."""
    keras.utils.set_random_seed(0)
    schema = Schema("planted", FIELD_LIST, TASKS[:1], splits={})
    model = models.build(name, schema, embedding_dim=DIM, embedding_range=0.3, **settings)
    model.compile(
        keras.optimizers.Adam(0.02),
        loss={"click": keras.losses.BinaryCrossentropy(from_logits=True)},
    )
    features, click = planted(2000)
    model.fit(features, {"click": click}, batch_size=100, epochs=5, verbose=0)
    features, click = planted(1000)
    return roc_auc_score(click, model(features)["click"])


LINEAR = {"logistic_regression"}
PERCEPTRONS = {"din", "dnn", "wide_and_deep"}  # the first without lists


def without_perceptron(name):
    return {"hidden_units": ()} if "hidden_units" in models.settings(name) else {}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "dcn" else pytest.mark.slow)
        for name in sorted(set(SINGLE_TASK) - LINEAR)
    ],
)
def test_learns_a_product_of_fields(name):
    assert auc_on_planted(name) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(SINGLE_TASK) - LINEAR - PERCEPTRONS))
def test_interactions_learn_the_product_without_a_perceptron(name):
    assert auc_on_planted(name, **without_perceptron(name)) > 0.85


@pytest.mark.parametrize("name", sorted(LINEAR | PERCEPTRONS))
def test_a_linear_model_does_not_see_the_product(name):
    assert auc_on_planted(name, **without_perceptron(name)) < 0.6


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        (
            "dcn",
            {"num_cross_layers": 0},
            "model dcn: num_cross_layers=0 must be a whole number from 1",
        ),
        ("dcn_v2", {"projection_dim": 0}, "model dcn_v2: projection_dim=0 must be at least 1"),
        (
            "fint",
            {"num_interaction_layers": 0},
            "fint: num_interaction_layers=0 must be a whole number",
        ),
        (
            "phn",
            {"num_cross_layers": 0},
            "model phn: num_cross_layers=0 must be a whole number from 1",
        ),
        ("xdeepfm", {"feature_maps": (3, 2), "split_half": True}, "model xdeepfm: feature_maps="),
    ],
)
def test_impossible_settings_are_refused(name, settings, message):
    with pytest.raises(models.ModelError, match=message):
        models.build(name, SCHEMA, **settings)
