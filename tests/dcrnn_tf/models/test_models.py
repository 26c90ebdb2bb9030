"""What every model must do, for each model of the registry."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.training.losses import multi_task_losses
from tests.dcrnn_tf.bfloat16 import products_are_cut_off
from tests.dcrnn_tf.models.neighbours import neighbours_slow
from tests.often import often

TASKS = ("click", "conversion")
COMPILED = ("dcrnn", {"jit_recurrence": True})
PLAIN_DEPHN = {"virtual_gradient": None, "num_dnn_experts": 2, "expert_units": (5, 4)}
# Besides the defaults, what makes a model take another path through its code.
VARIANTS = [
    *((name, {}) for name in models.names()),
    ("dcrnn", {"adaptation": False, "bidirectional": False, "cell": "simple_rnn", "units": 8}),
    ("dcrnn", {"cell": "gru", "subsequence_length": 2, "interval": 2, "tower_units": ()}),
    COMPILED,
    ("dephn", PLAIN_DEPHN),
    ("dephn", PLAIN_DEPHN | {"gating": "mapping", "prediction": "mean_of_sigmoids"}),
    ("dephn", PLAIN_DEPHN | {"tower_units": (6,), "gating": "linear_mapping"}),
    ("dephn", PLAIN_DEPHN | {"tower_units": (6,), "private_experts": ()}),
    ("dephn", PLAIN_DEPHN | {"soft_selection": False, "residual_links": False}),
    ("mtphn", {"private_experts": (), "num_heads": 1}),
    ("mtphn", {"private_experts": ("dnn",), "num_interaction_layers": 1, "expert_units": (4,)}),
    ("mmoe", {"num_experts": 3, "expert_units": (6,), "tower_units": (5,)}),
    ("adatt", {"num_task_experts": 1, "num_levels": 1, "expert_units": (6,)}),
    ("home", {"task_groups": [1, 2], "num_task_experts": 2, "expert_units": (6, 5)}),
    ("mtan", {"network_units": (6,), "tower_units": ()}),
    ("pepnet", {"domain_fields": ["age"], "prior_fields": ["item"], "network_units": (6, 5, 4)}),
    ("cross_stitch", {"network_units": (6, 5, 4), "per_channel": True, "own_share": 0.7}),
    ("escm2", {"risk": "dr", "network_units": (6, 5), "propensity_floor": 1.0}),
    ("sluice", {"num_layers": 3, "num_subspaces": 3, "subspace_units": 2, "tower_units": (5,)}),
    ("crossing", {"crossing": "dcn_v2", "rank": 2, "tower_units": (6,)}),
    ("crossing", {"crossing": "dcn_v2", "num_layers": 2}),
    ("crossing", {"crossing": "cin", "feature_maps": 4}),
    ("dcn", {"hidden_units": (), "num_cross_layers": 3}),
    ("din", {"attention": {"history": "tags"}, "softmax": True, "attention_activation": "sigmoid"}),
    ("din", {"hidden_units": (), "attention_units": (), "activation": "prelu"}),
    ("dcn_v2", {"hidden_units": (6,), "num_cross_layers": 3, "projection_dim": 2}),
    ("phn", {"hidden_units": (), "num_cross_layers": 1, "num_interaction_layers": 1}),
    ("xdeepfm", {"feature_maps": (6, 4, 3), "activation": "tanh", "split_half": True}),
    ("ple", {"num_levels": 1, "num_shared_experts": 1, "expert_units": (6,), "tower_units": (5,)}),
    ("snr", {"transform": "aver", "num_subnetworks": 3, "level_units": (6, 5, 4)}),
    ("snr", {"level_units": (6,), "num_subnetworks": 2, "l0_penalty": 0.0}),
]


def models_often(*names):
    return pytest.mark.parametrize("name", often(models.names(), lambda name: name in names))


every_model = pytest.mark.parametrize("name", neighbours_slow(models.names()))
every_variant = pytest.mark.parametrize(("name", "settings"), neighbours_slow(VARIANTS))
# What is stopped on its way back is by design none of the loss's gradient.
STOPPED = ("pepnet", "stem")


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


@pytest.fixture(scope="module")
def batch(dataset):
    return next(iter(dataset.batches("train", 64)))


def randomise(model):
    random = np.random.default_rng(0)
    for variable in model.weights:
        value = random.normal(scale=0.3, size=variable.shape)
        variable.assign(np.abs(value) if variable.name == "moving_variance" else value)


def loss_of(model, batch):
    features, labels = batch
    logits = model.training_logits(features, labels)
    losses = [
        tf.reduce_mean(
            tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels[t], logits[t].dtype), logits[t])
        )
        for t in TASKS
    ]
    return tf.add_n([*losses, *model.losses])


@every_variant
def test_one_logit_per_example_and_task(name, settings, dataset, batch):
    model = models.build(name, dataset.schema, **settings)
    randomise(model)
    logits = model(batch[0])
    assert tuple(logits) == TASKS
    for logit in logits.values():
        assert logit.shape == (64,)
        assert logit.dtype == tf.float32
        assert np.unique(logit).size > 32

    features = dict(batch[0])
    rows = features.pop("user_row")
    assert features["age"].shape[0] < 64  # users repeat in the batch
    copied = features | {field: tf.gather(features[field], rows) for field in ("age", "history")}
    for task, logit in model(copied).items():
        np.testing.assert_allclose(logit, logits[task], rtol=1e-5, atol=1e-4)


# A virtual gradient is by design none of the loss, and a propensity has none: `test_dephn.py` and
# `test_escm2.py` have their tests.
@pytest.mark.parametrize(
    ("name", "settings"),
    often(
        [v for v in VARIANTS if v not in (COMPILED, ("dephn", {}), ("escm2", {}))],
        lambda v: v[0] in ("dcrnn", "mmoe"),
    ),
)
def test_gradients_by_finite_differences(name, settings, dataset, batch, monkeypatch):
    schema = dataset.schema
    model = models.model_class(name)(
        schema.fields, schema.task_names, embedding_dim=4, dtype="float64", **settings
    )
    model.build()
    randomise(model)
    variables = [variable.value for variable in model.trainable_variables]
    weights = {id(variable) for variable in model.weights}
    random_states = [v for v in model.variables if id(v) not in weights]
    start_states = [v.numpy() for v in random_states]

    def loss_and_gradients():
        with tf.GradientTape() as tape:
            loss = sum([loss_of(model, batch), *model.losses])
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]

    def with_the_same_noise(function):
        for variable, value in zip(random_states, start_states, strict=True):
            variable.assign(value)
        return function()

    traced = tf.function(loss_and_gradients)
    loss, gradients = with_the_same_noise(traced)
    if name in STOPPED:  # from here on what is stopped is constant
        traced = tf.function(lambda: (loss_of(model, batch),))
        held_back(monkeypatch, lambda: loss_of(model, batch))
    assert loss.dtype == tf.float64
    rounding = max(1e-7, 4e-9 * float(loss))  # of the loss, over the step
    random = np.random.default_rng(1)
    for variable, gradient in zip(variables, gradients, strict=True):
        direction = random.normal(size=variable.shape)
        start = variable.numpy()
        ends = []
        for step in (1e-7, -1e-7):
            variable.assign(start + step * direction)
            ends.append(float(with_the_same_noise(traced)[0]))
        variable.assign(start)
        actual = float(tf.reduce_sum(gradient * direction))
        assert actual == pytest.approx((ends[0] - ends[1]) / 2e-7, rel=1e-5, abs=rounding)


def held_back(monkeypatch, function):
    """Makes `tf.stop_gradient` return what it returns in this call of the function, in order."""
    stopped = []
    with monkeypatch.context() as recording:
        recording.setattr(tf, "stop_gradient", lambda value: stopped.append(value) or value)
        function()
    values = iter(stopped)
    monkeypatch.setattr(tf, "stop_gradient", lambda _: next(values))


@every_model
def test_embedding_gradient_is_sparse_and_variables_are_told_apart(name, dataset, batch):
    model = models.build(name, dataset.schema, embedding_dim=4)
    (table,) = model.embedding_variables
    with tf.GradientTape() as tape:
        loss = loss_of(model, batch)
    assert isinstance(tape.gradient(loss, table.value), tf.IndexedSlices)
    rows = 20 + 12 + 8 + 30
    assert table.shape == (rows, model.embedding_width)
    counts = model.parameter_counts()
    assert counts["embedding"] == rows * model.embedding_width
    assert counts["total"] == counts["embedding"] + counts["other"]
    assert counts["total"] == sum(np.prod(v.shape, dtype=int) for v in model.trainable_variables)
    others = {v.path for v in model.other_variables}
    assert others | {table.path} == {v.path for v in model.trainable_variables}
    assert table.path not in others


@pytest.mark.parametrize(
    ("name", "settings"),
    often(VARIANTS, lambda v: v[1] or v[0] in ("dcrnn", "mmoe")),
)
def test_keras_file_restores_the_model(name, settings, dataset, batch, tmp_path):
    model = models.build(name, dataset.schema, embedding_range=0.5, **settings)
    randomise(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    expected = model(batch[0])
    for task, logit in again(batch[0]).items():
        np.testing.assert_array_equal(logit, expected[task])


@every_model
def test_checkpoint_holds_every_weight(name, dataset, batch, tmp_path):
    model = models.build(name, dataset.schema)
    randomise(model)
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "checkpoint"))
    again = models.build(name, dataset.schema)
    tf.train.Checkpoint(model=again).read(path).assert_consumed()
    for one, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)


RANKED = [(name, chosen) for name, chosen in VARIANTS if models.model_class(name).takes_shared_rows]
USER_LAST, MIXED = (0, 1, 2, 3, 4), (3, 0, 4, 1, 2)


@pytest.mark.parametrize(
    ("name", "settings", "order"),
    [
        *((name, chosen, USER_LAST) for name, chosen in RANKED),
        *((name, chosen, MIXED) for name, chosen in RANKED if not chosen),
    ],
)
def test_rank_logits_are_those_of_a_call(name, settings, order, dataset, batch):
    fields = tuple(dataset.schema.fields[place] for place in order)
    model = models.model_class(name)(fields, dataset.schema.task_names, dtype="float64", **settings)
    model.build()
    randomise(model)
    features, _ = batch
    assert len(features["age"]) < 64  # users are fewer than exposures
    expected = model(features)
    for task, logit in model.rank_logits(features).items():
        np.testing.assert_allclose(logit, expected[task], rtol=1e-9, atol=1e-9)
    for key in ("user_row", "age"):
        with pytest.raises((ValueError, KeyError)):
            model.rank_logits({name: f for name, f in features.items() if name != key})


@models_often("dcrnn", "mmoe")
def test_fit_learns(name, dataset):
    keras.utils.set_random_seed(2)
    model = models.build(name, dataset.schema, embedding_dim=8)
    # The price goes up to 30, and some models take its third power: longer steps blow them up.
    model.compile(keras.optimizers.SGD(0.02), loss=multi_task_losses(dict.fromkeys(TASKS, 1.0)))
    losses = model.fit(dataset.batches("train", 250, seed=0), epochs=3, verbose=0).history["loss"]
    assert losses[0] > losses[1] > losses[2]
    logits = model.predict(dataset.batches("test", 250), verbose=0)
    assert {task: logit.shape for task, logit in logits.items()} == dict.fromkeys(TASKS, (700,))


@models_often("dcrnn", "dephn", "din", "mmoe", "ple")
def test_low_precision_stays_near(name, dataset, batch):
    schema = dataset.schema
    low = models.model_class(name)(schema.fields, schema.task_names, dtype="mixed_bfloat16")
    low.build()
    assert {layer.compute_dtype for layer in low._flatten_layers()} == {"bfloat16"}
    logits, errors = [], []
    for seed in range(3):  # one start may have logits near 0, where errors look large
        keras.utils.set_random_seed(seed)
        exact = models.build(name, schema, embedding_range=0.5)
        low.set_weights(exact.get_weights())
        expected = exact(batch[0])
        for task, logit in low(batch[0]).items():
            assert logit.dtype == tf.float32
            logits.append(expected[task])
            errors.append(logit - expected[task])
    # A dozen roundings in a row, each of up to one part in 256, up as often as down; those
    # that are cut off, by 1 / 256 on the average, add up.
    limit = (12 if products_are_cut_off() else 4) / 256
    assert 0 < np.sqrt(np.mean(np.square(errors)) / np.mean(np.square(logits))) < limit
    with tf.GradientTape() as tape:
        loss = loss_of(low, batch)
    for gradient in tape.gradient(loss, [v.value for v in low.trainable_variables]):
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()


@pytest.mark.parametrize("name", ["sluice", "soft_sharing"])
def test_penalties_on_weights_keep_full_precision(name, dataset, batch):
    schema = dataset.schema
    exact = models.build(name, schema)
    low = models.model_class(name)(schema.fields, schema.task_names, dtype="mixed_bfloat16")
    low.build()
    randomise(exact)
    low.set_weights(exact.get_weights())
    for model in (exact, low):
        model.training_logits(*batch)
    (expected,), (found,) = exact.losses, low.losses
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, expected)


@every_model
def test_explanations_are_named_row_by_row(name, dataset, batch):
    model = models.build(name, dataset.schema)
    for values, rows, columns in model.explain(batch[0]).values():
        assert values.shape[-2:] == (len(rows), len(columns))
        assert values.shape[:-2] in [(), (64,)]
        assert np.isfinite(values).all()


@models_often("dcrnn", "dephn", "mmoe", "din")
def test_initial_weights_follow_the_seed(name, dataset):
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return models.build(name, dataset.schema).get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])


def test_unknown_model_and_setting_are_refused(dataset):
    with pytest.raises(models.ModelError, match="'mlp' is not one of adatt, aitm, cross_stitch"):
        models.build("mlp", dataset.schema)
    with pytest.raises(models.ModelError, match="mmoe has no setting cell, unit; it has embedding"):
        models.build("mmoe", dataset.schema, cell="gru", unit=3)
    with pytest.raises(models.ModelError, match="model dcrnn: interval=4 must lie between 0 and"):
        models.build("dcrnn", dataset.schema, interval=4)


@pytest.mark.parametrize(
    ("name", "setting", "value", "expected"),
    [
        ("mmoe", "num_experts", 0, "num_experts=0 must be a whole number from 1"),
        ("dephn", "num_heads", -2, "num_heads=-2 must be a whole number from 1"),
        ("dephn", "embedding_dim", 0, "embedding_dim=0 must be a whole number from 1"),
        ("mmoe", "embedding_dim", None, "embedding_dim=None must be a whole number from 1"),
        ("mmoe", "embedding_range", None, "embedding_range=None must be a number"),
        ("mmoe", "expert_units", None, "expert_units=None must be a list of whole numbers"),
        ("dcrnn", "cell", None, "cell=None"),
        ("dephn", "expert_units", [], "expert_units=\\[\\] must not be empty"),
        ("ple", "expert_units", [], "expert_units=\\[\\] must not be empty"),
        ("aitm", "network_units", [], "network_units=\\[\\] must not be empty"),
        ("esmm", "network_units", [], "network_units=\\[\\] must not be empty"),
        ("soft_sharing", "network_units", [], "network_units=\\[\\] must not be empty"),
        ("dnn", "hidden_units", [-1], "a list of whole numbers from 1, such as \\[128, 64\\]"),
        ("dephn", "tower_units", 64, "tower_units=64 must be a list of whole numbers from 1"),
        ("mtphn", "private_experts", "dnn", "must be a list of names, such as \\[cross, field\\]"),
        ("snr", "l0_penalty", "a", "l0_penalty='a' must be a number"),
        ("dcrnn", "bidirectional", 1, "bidirectional=1 must be true or false"),
        ("dcrnn", "cell", 3, "cell=3 must be a str"),
    ],
)
def test_settings_of_the_wrong_kind_are_refused(name, setting, value, expected, dataset):
    with pytest.raises(models.ModelError, match=expected):
        models.build(name, dataset.schema, **{setting: value})


def test_settings_are_the_constructors_defaults():
    assert models.settings("dcrnn") == {
        "embedding_dim": 32,
        "embedding_range": 0.05,
        "static_shapes": False,
        "tasks_in_sequence": False,
        "table_shards": 1,
        "table_devices": None,
        "frozen_fields": (),
        "dropout": 0.0,
        "normalization": "none",
        "units": 64,
        "subsequence_length": 3,
        "interval": 1,
        "cell": "lstm",
        "bidirectional": True,
        "adaptation": True,
        "tower_units": (64, 32),
        "jit_recurrence": False,
    }
