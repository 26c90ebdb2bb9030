"""MTPHN and DEPHN: logits from their parts, and the virtual gradient at work in training."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, Field, Schema, Task
from dcrnn_tf.layers.experts.virtual_gradient import coefficients, correlation, label_counts
from dcrnn_tf.metrics.auc import auc
from dcrnn_tf.models.base import LABELS as LABELS_KEY
from dcrnn_tf.training.losses import multi_task_losses
from dcrnn_tf.training.trainer import Trainer, TrainingSettings
from tests.dcrnn_tf.models import planted

BATCH = 8
TASKS = ("click", "like", "follow")
FIELDS = tuple(Field(f"field_{i}", CATEGORICAL, 10) for i in range(3))
SCHEMA = Schema("tiny", FIELDS, tuple(Task(task) for task in TASKS), splits={})
SMALL = {"embedding_dim": 4, "num_dnn_experts": 2, "expert_units": (6, 5)}
RANDOM = np.random.default_rng(0)
FEATURES = {field.name: RANDOM.integers(0, 10, BATCH).astype("int32") for field in FIELDS}
LABELS = {task: RANDOM.integers(0, 2, BATCH).astype("float32") for task in TASKS}


def build(name, **settings):
    model = models.build(name, SCHEMA, **SMALL, **settings)
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(scale=0.5, size=weight.shape))
    return model


def dense(layer, inputs):
    return inputs @ np.array(layer.kernel) + np.array(layer.bias)


def tower_logit(tower, inputs):
    for layer in tower.hidden.hidden:
        inputs = np.maximum(dense(layer, inputs), 0)
    return dense(tower.logit, inputs)[:, 0]


def experts(model):
    """Raw embeddings, outputs of the public experts, and of each task's own ones."""
    embeddings = np.array(model.embedding(FEATURES))
    selected = np.array(model.soft_selection(embeddings))
    inputs = dict(zip(("dnn", "cross", "field"), selected, strict=True))
    public = np.array(model.public({kind: inputs[kind] for kind in model.public.kinds}))
    private = [
        np.array(own({kind: inputs[kind] for kind in model.private_experts}))
        for own in model.private
    ]
    return embeddings.reshape(BATCH, -1), public, private


@pytest.mark.parametrize("private", [(), ("dnn",), ("cross", "field")])
def test_mtphn_in_its_three_settings(private):
    model = build("mtphn", private_experts=private)
    inputs, public, own = experts(model)
    assert len(public) == {(): 5, ("dnn",): 3, ("cross", "field"): 2}[private]
    scores = np.exp(inputs @ np.array(model.softmax_gates.kernel)).reshape(BATCH, 3, -1)
    gates = scores / scores.sum(axis=2, keepdims=True)
    logits = model(FEATURES)
    for t, task in enumerate(TASKS):
        mixture = sum(gates[:, t, k, None] * public[k] for k in range(len(public)))
        expected = tower_logit(model.public_towers[t], mixture)
        if private:
            joined = np.concatenate(list(own[t]), axis=1)
            expected = expected + tower_logit(model.private_towers[t], joined)
        np.testing.assert_allclose(logits[task], expected, rtol=1e-4, atol=1e-4)
    gate = model.explain(FEATURES)["gate"]
    np.testing.assert_allclose(gate.values, gates, rtol=1e-4, atol=1e-5)
    assert gate.columns == model.public.names


def dephn_parts(model):
    """The public and the private logit of each task by Eq. 4 and 5."""
    inputs, public, own = experts(model)
    if model.gating == "value":
        gates = np.array(model.value_gates.gates)[..., None, None]
    else:  # of each example its own
        gates = dense(model.mapping_gates, inputs).T.reshape(3, 2, 3, BATCH, 1)
    functions = (lambda x: x, np.sin, np.cos)
    parts = []
    for t in range(3):
        weights = np.array(model.public_towers[t].logit.kernel).reshape(2, 3, 5)
        logit = np.array(model.public_towers[t].logit.bias)[0]
        for k in range(2):
            for p, function in enumerate(functions):
                logit = logit + (gates[t, k, p] * function(public[k])) @ weights[k, p]
        joined = np.concatenate(list(own[t]), axis=1)
        parts.append((logit, tower_logit(model.private_towers[t], joined)))
    return parts


@pytest.mark.parametrize("gating", ["value", "linear_mapping"])
def test_dephn_is_equations_4_to_6(gating):
    model = build("dephn", gating=gating)
    logits = model(FEATURES)
    for task, (public, private) in zip(TASKS, dephn_parts(model), strict=True):
        np.testing.assert_allclose(logits[task], public + private, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["mtphn", "dephn"])
def test_what_is_left_without_soft_selection_and_residual_links(name):
    """The weights of the parts are gone, and every structure is computed by itself on E."""
    model = build(name, soft_selection=False, residual_links=False)
    whole = build(name)
    paths = {weight.path for weight in model.weights}
    gone = {weight.path for weight in whole.weights} - paths
    parts = {"soft_selection", "dnn_link", "link"}
    assert all(parts & set(path.split("/")) for path in gone)
    assert not any(parts & set(path.split("/")) for path in paths)
    assert (
        len(gone) == 3 + 1 + 3 * 3
    )  # of the selection, of perceptrons, of three tasks' structures
    embeddings = np.array(model.embedding(FEATURES))
    flat = embeddings.reshape(BATCH, -1)
    (own, *_) = model.private
    structures = (own.dcn, flat), (own.dcn_v2, flat), (own.fint, embeddings)
    wanted = [
        dense(linked.map, np.array(linked.structure(x)).reshape(BATCH, -1))
        for linked, x in structures
    ]
    found = own({"cross": embeddings, "field": embeddings})
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    public = model.public({"dnn": embeddings})
    np.testing.assert_allclose(public, model.public.dnn(flat), rtol=1e-5)
    explained = model.explain(FEATURES)
    assert "gate" in explained
    assert not any(name.startswith("soft selection") for name in explained)


def test_mean_of_sigmoids():
    model = build("dephn", prediction="mean_of_sigmoids")
    logits = model(FEATURES)
    for task, parts in zip(TASKS, dephn_parts(model), strict=True):
        mean = np.mean([1 / (1 + np.exp(-part)) for part in parts], axis=0)
        np.testing.assert_allclose(tf.sigmoid(logits[task]), mean, rtol=1e-4, atol=1e-6)


def test_explanations_of_dephn():
    model = build("dephn")
    found = model.explain(FEATURES)
    gate = found["gate"]
    assert gate.columns[:4] == ("dnn_0 raw", "dnn_0 sine", "dnn_0 cosine", "dnn_1 raw")
    np.testing.assert_array_equal(gate.values, np.array(model.value_gates.gates).reshape(3, 6))
    for number, kind in enumerate(("dnn", "cross", "field")):
        values, rows, columns = found[f"soft selection, {kind}"]
        np.testing.assert_array_equal(values, np.array(model.soft_selection.gate)[number, 0])
        assert (rows, len(columns)) == (("field_0", "field_1", "field_2"), 4)
    _, public, _ = experts(model)
    mapped = np.stack([f(public) for f in (lambda x: x, np.sin, np.cos)], axis=1)
    sizes = np.linalg.norm(mapped, axis=3).reshape(6, BATCH).T[:, None]
    taken = abs(np.array(gate.values)) * sizes
    use = found["expert use"]
    np.testing.assert_allclose(
        use.values, taken / taken.sum(axis=2, keepdims=True), rtol=1e-3, atol=1e-5
    )
    assert use.columns == gate.columns
    share = found["share"]
    assert share.columns == ("public", "private")
    for t, (public, private) in enumerate(dephn_parts(model)):
        expected = abs(public) / (abs(public) + abs(private))
        np.testing.assert_allclose(share.values[:, t, 0], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(tf.reduce_sum(share.values, axis=2), 1, rtol=1e-6)


def training_gradients(model):
    """Logits of one task, and the loss's gradient by every variable, in the variables' order."""

    @tf.function
    def compute():
        with tf.GradientTape() as tape:
            logits = model.training_logits(FEATURES, LABELS)
            loss = sum(
                tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(LABELS[task], logits[task]))
                for task in TASKS
            )
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        return logits["like"], [tf.convert_to_tensor(g) for g in gradients], model.statistics

    logits, gradients, statistics = compute()
    by_path = zip(model.trainable_variables, gradients, strict=True)
    return logits.numpy(), {v.path: g.numpy() for v, g in by_path}, statistics


@pytest.mark.parametrize("function", ["cosine_product", "root_sum"])
@pytest.mark.parametrize("measure", [pytest.param("pearson", marks=pytest.mark.slow), "cosine"])
def test_only_the_gates_gradients_change_by_gamma(function, measure):
    plain = build("dephn", virtual_gradient=None)
    virtual = build("dephn", virtual_gradient=function, correlation=measure)
    virtual.set_weights(plain.get_weights())
    logits, expected, _ = training_gradients(plain)
    same_logits, gradients, statistics = training_gradients(virtual)
    np.testing.assert_array_equal(logits, same_logits)
    rows = np.stack([LABELS[task] for task in TASKS])
    x = correlation(label_counts(rows), measure)
    gates = plain.value_gates.gates
    gamma = coefficients(tf.constant(gates), x, function).numpy()
    np.testing.assert_allclose(
        gradients.pop(gates.path), gamma * expected.pop(gates.path), rtol=1e-5, atol=1e-9
    )
    assert abs(gamma - 1).max() > 0.1
    for path, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, expected[path], err_msg=path)
    for name, value in (
        ("gamma_mean", gamma.mean()),
        ("gamma_min", gamma.min()),
        ("gamma_max", gamma.max()),
        ("label_correlation", (x.numpy().sum() - np.trace(x)) / 6),
    ):
        assert float(statistics[name]) == pytest.approx(value, rel=1e-5)


def test_the_virtual_gradient_is_off_outside_training():
    model = build("dephn")
    plain = build("dephn", virtual_gradient=None)
    plain.set_weights(model.get_weights())

    def gradient(model, training):
        with tf.GradientTape() as tape:
            logits = model({**FEATURES, LABELS_KEY: LABELS}, training=training)
        return tape.gradient(logits["click"], model.value_gates.gates.value)

    np.testing.assert_array_equal(gradient(model, False), gradient(plain, False))
    assert not np.allclose(gradient(model, True), gradient(plain, True))


def test_linear_mapping_gates_start_as_large_as_weights():
    keras.utils.set_random_seed(0)
    model = models.build("dephn", SCHEMA, **SMALL, gating="linear_mapping")
    np.testing.assert_allclose(model.explain(FEATURES)["gate"].values, 1, atol=0.2)


def test_mapping_gates_get_virtual_gradients_too():
    plain = build("dephn", gating="mapping", virtual_gradient=None)
    virtual = build("dephn", gating="mapping")
    virtual.set_weights(plain.get_weights())
    logits, expected, _ = training_gradients(plain)
    same_logits, gradients, _ = training_gradients(virtual)
    np.testing.assert_array_equal(logits, same_logits)
    path = plain.mapping_gates.kernel.path
    assert not np.allclose(gradients[path], expected[path], rtol=0.01)
    gate = virtual.explain(FEATURES)["gate"]
    assert gate.values.shape == (BATCH, 3, 6)
    np.testing.assert_allclose(tf.reduce_sum(gate.values, axis=2), 1, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_forms_agree_in_a_compiled_step(policy):
    gradients = []
    for form in ("custom_gradient", "stop_gradient"):
        for compile_step in (False, True):
            keras.config.set_dtype_policy(policy)
            try:
                model = build("dephn", virtual_gradient_form=form, static_shapes=True)
            finally:
                keras.config.set_dtype_policy("float32")
            step = tf.function(
                lambda model=model: gate_gradient_tensor(model), jit_compile=compile_step
            )
            gradients.append(step().numpy())
    tolerance = 1e-4 if policy == "float32" else 0.05
    for gradient in gradients[1:]:
        np.testing.assert_allclose(
            gradient, gradients[0], rtol=tolerance, atol=tolerance * abs(gradients[0]).max()
        )


def gate_gradient_tensor(model):
    gates = model.value_gates.gates.value
    with tf.GradientTape() as tape:
        logits = model.training_logits(FEATURES, LABELS)
        loss = sum(
            tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(LABELS[task], logits[task]))
            for task in TASKS
        )
    return tape.gradient(loss, gates)


def test_fit_and_the_loop_do_the_same(dataset_folder, tmp_path):
    """SGD over the same batches moves the gates alike, not as without the virtual gradient."""
    dataset = PreparedDataset(dataset_folder, ["item", "tags", "age"])  # prices are too large
    settings = TrainingSettings(
        epochs=1, batch_size=500, learning_rate=0.1, optimizer="sgd", embedding_optimizer="sgd"
    )
    gates = {}
    for way in ("loop", "fit", "plain"):
        keras.utils.set_random_seed(5)
        function = None if way == "plain" else "cosine_sum"
        model = models.build("dephn", dataset.schema, **SMALL, virtual_gradient=function)
        weights = {"click": 1.0, "conversion": 1.0}
        if way == "fit":
            model.compile(keras.optimizers.SGD(0.1), loss=multi_task_losses(weights))
            model.fit(dataset.batches("train", 500, seed=1), verbose=0)
        else:
            Trainer(model, dataset, settings, weights, tmp_path / way).train()
        gates[way] = np.array(model.value_gates.gates)
    np.testing.assert_allclose(gates["fit"], gates["loop"], rtol=1e-5, equal_nan=False)
    assert abs(gates["plain"] - gates["loop"]).max() > 1e-5


def test_gamma_is_in_the_metrics(dataset_folder, tmp_path):
    dataset = PreparedDataset(dataset_folder)
    model = models.build("dephn", dataset.schema, **SMALL)
    settings = TrainingSettings(epochs=1, batch_size=250, log_every=4)
    Trainer(model, dataset, settings, dict.fromkeys(("click", "conversion"), 1.0), tmp_path).train()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    found = [line["statistics"] for line in lines if line["kind"] == "train"]
    assert len(found) == 3
    for statistics in found:
        assert 0 <= statistics["gamma_min"] <= statistics["gamma_mean"] <= statistics["gamma_max"]
        assert statistics["gamma_max"] <= 2
        assert 0.1 < statistics["label_correlation"] < 0.9  # conversions are clicks


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mtphn", {"private_experts": ("dnn", "cross", "field")}, "must be some, but not all, of"),
        (
            "mtphn",
            {"private_experts": ("tree",)},
            "must be some, but not all, of dnn, cross, field",
        ),
        ("dephn", {"num_heads": 3}, "num_heads=3 does not divide embedding_dim=4"),
        ("dephn", {"gating": "none"}, "gating='none' is not one of value, mapping"),
        ("dephn", {"prediction": "sum"}, "prediction='sum' is not one of sum_of_logits, mean"),
        ("dephn", {"virtual_gradient": "h"}, "virtual_gradient='h' is not one of cosine_product"),
        ("dephn", {"mappings": ("tan",)}, "must be different ones of raw, sine, cosine"),
        ("dephn", {"virtual_gradient": None, "correlation": "x"}, "correlation='x' is not one of"),
        ("dephn", {"prediction": "mean_of_sigmoids", "private_experts": ()}, "needs private expe"),
    ],
)
def test_impossible_settings_are_refused(name, settings, message):
    with pytest.raises(models.ModelError, match=message):
        models.build(name, SCHEMA, **SMALL, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mtphn", "dephn"])
def test_learns_a_product_of_fields(name):
    logits, labels = planted.fit(name, num_dnn_experts=2, expert_units=(16, 8))
    for task, logit in logits.items():
        assert auc(labels[task], logit) > 0.8  # 0.95 at best; a linear model's is 0.5
