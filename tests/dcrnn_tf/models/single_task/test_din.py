"""DIN: logits and gradients on lists of every kind, its settings, and what attention can learn."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, Entity, Field, Schema, Task
from dcrnn_tf.metrics.auc import auc
from dcrnn_tf.optimizers import Adam, DeferredAdam
from dcrnn_tf.training.losses import multi_task_losses

TASKS = ("click", "conversion")
DIM = 4
PAIRS = {"tags": "item", "history": "age"}


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


@pytest.fixture(scope="module")
def batch(dataset):
    return next(iter(dataset.batches("train", 48)))


def build(schema, dtype="float64", **settings):
    model = models.DIN(
        schema.fields, schema.task_names, embedding_dim=DIM, dtype=dtype, name="din", **settings
    )
    model.build()
    random = np.random.default_rng(1)
    for weight in model.weights:
        value = random.normal(scale=0.4, size=weight.shape)
        weight.assign(np.abs(value) if weight.name == "moving_variance" else value)
    return model


def perceptron(w, inputs):
    """Two layers with Dice, as in inference, and a logit."""
    for i in range(2):
        s = inputs @ w[f"dense_{i}/kernel"] + w[f"dense_{i}/bias"]
        mean, variance = w[f"dice_{i}/moving_mean"], w[f"dice_{i}/moving_variance"]
        p = scipy.special.expit((s - mean) / np.sqrt(variance + 1e-8))
        inputs = p * s + (1 - p) * w[f"dice_{i}/alpha"] * s
    return float((inputs @ w["dense_2/kernel"] + w["dense_2/bias"])[0])


def expected_logits(model, features, task):
    """One example after the other, one value of a list after the other."""
    number = TASKS.index(task)
    table = model.embedding.table.numpy()[:, number * DIM : (number + 1) * DIM]
    numeric = [w.numpy()[0, number * DIM : (number + 1) * DIM] for w in model.embedding.weights[1:]]
    offsets = model.embedding.offsets
    weights = {v.path.split(f"{task}_network/")[-1]: v.numpy() for v in model.weights}

    def under(prefix):
        return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}

    for row in range(len(features["item"])):
        user = int(features["user_row"][row])
        embedded = {
            "item": table[offsets["item"] + features["item"][row]],
            "age": table[offsets["age"] + features["age"][user]],
            "price": features["price"][row] * numeric[0] + numeric[1],
        }
        seen = []
        for listed, target in PAIRS.items():
            place = row if listed == "tags" else user
            ids = [i for i in features[listed][place] if i] or [0]
            given = features["tags_weight"][row] if listed == "tags" else np.ones(len(ids))
            given = given if any(features[listed][place]) else np.ones(1)
            t, total = embedded[target], np.zeros(DIM)
            for i, w in zip(ids, given, strict=False):
                e = table[offsets[listed] + i]
                inputs = np.concatenate([e, t, e - t, e * t])
                total += float(w) * perceptron(under(f"attention_of_{listed}/unit/"), inputs) * e
            seen.append(total)
        inputs = np.concatenate([embedded["item"], embedded["price"], embedded["age"], *seen])
        yield perceptron(under("tower/"), inputs)


@pytest.mark.parametrize("task", TASKS)
def test_logits_one_value_after_the_other(task, dataset, batch):
    model = build(dataset.schema, attention=PAIRS)
    features = {name: value.numpy() for name, value in batch[0].items()}
    assert (features["history"].max(axis=1) == 0).any()  # an empty list
    assert len(features["history"]) < len(features["item"])  # users are fewer than exposures
    expected = list(expected_logits(model, features, task))
    np.testing.assert_allclose(model(batch[0])[task], expected, rtol=1e-9, atol=1e-9)


def step(model, batch, jit_compile=False):
    """Losses of a training step, gradients of all weights, and the states after it."""
    features, labels = batch
    variables = [v.value for v in model.trainable_variables]

    @tf.function(jit_compile=jit_compile)
    def compute(features, labels):
        with tf.GradientTape() as tape:
            logits = model.training_logits(features, labels)
            losses = [
                tf.reduce_mean(
                    tf.nn.sigmoid_cross_entropy_with_logits(
                        tf.cast(labels[t], logits[t].dtype), logits[t]
                    )
                )
                for t in TASKS
            ]
            loss = sum(losses)
        gradients = tape.gradient(loss, variables)
        assert isinstance(gradients[0], tf.IndexedSlices)
        return loss, [tf.convert_to_tensor(g) for g in gradients]

    loss, gradients = compute(features, labels)
    return [loss, *gradients, *(v.numpy() for v in model.non_trainable_variables)]


@pytest.mark.slow
@pytest.mark.parametrize(("softmax", "jit_compile"), [(False, True), (True, False)])
def test_static_shapes_give_the_same_step(softmax, jit_compile, dataset, batch):
    """Dice's statistics among it, which must not count padding."""
    static = next(iter(dataset.batches("train", 48, static_shapes=True)))
    results = []
    for given, is_static in ((batch, False), (static, True)):
        model = build(dataset.schema, attention=PAIRS, softmax=softmax, static_shapes=is_static)
        results.append(step(model, given, jit_compile and is_static))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_gradients_are_added_two_by_two(dataset, batch):
    model = build(dataset.schema, attention={"tags": "item", "history": "item"})

    @tf.function
    def gradients(features, labels):
        with tf.GradientTape() as tape:
            logits = model.training_logits(features, labels)
            total = sum(tf.reduce_sum(logits[task]) for task in TASKS)
        return tape.gradient(total, [v.value for v in model.trainable_variables])

    graph = gradients.get_concrete_function(*batch).graph
    operations = [op for op in graph.get_operations() if op.type == "AddN"]
    assert operations
    assert [op.name for op in operations if len(op.inputs) > 2] == []


def test_deferred_adam_is_adam(dataset):
    """Rows of attended lists are caught up with before they are read."""
    tables = []
    for optimizer in (Adam(0.01), DeferredAdam(0.01)):
        model = build(dataset.schema, attention=PAIRS)
        (table,) = model.embedding_variables
        optimizer.build([table])
        for features, labels in dataset.batches("train", 12, seed=1).take(3):
            if isinstance(optimizer, DeferredAdam):
                (rows,) = model.embedding_rows(features)
                optimizer.catch_up(table, rows)
            with tf.GradientTape() as tape:
                logits = model.training_logits(features, labels)
                loss = sum(tf.reduce_sum(logit) for logit in logits.values())
            optimizer.apply(tape.gradient(loss, [table.value]), [table])
        if isinstance(optimizer, DeferredAdam):
            optimizer.catch_up(table)
        tables.append(table.numpy())
    np.testing.assert_allclose(*tables, rtol=0, atol=1e-6)


def field(name, kind=CATEGORICAL, **more):
    return Field(name, kind, 30, **more)


PAIRS_OF_FIELDS = {"categories": "category", "shops": "shop", "nodes": "node"}


def test_lists_are_attended_by_the_fields_that_they_name():
    lists = [
        field(name, MULTI_CATEGORICAL, max_values=5, entity="user", attended_by=attending)
        for name, attending in PAIRS_OF_FIELDS.items()
    ]
    others = (
        field("item"),
        field("category"),
        field("shop"),
        field("node", MULTI_CATEGORICAL, max_values=5),  # a list of the item attends as its mean
        field("words", MULTI_CATEGORICAL, max_values=5),
    )
    model = models.DIN((*lists, *others), TASKS)
    assert model.get_config()["attention"] == PAIRS_OF_FIELDS
    without = [f for f in (*lists, *others) if f.name != "shop"]
    assert set(models.DIN(without, TASKS).get_config()["attention"]) == {"categories", "nodes"}


def test_other_lists_are_attended_by_the_first_id_of_the_exposure(dataset):
    model = models.build("din", dataset.schema)
    assert model.get_config()["attention"] == {"tags": "item", "history": "item"}
    none = models.build("din", dataset.schema.select_fields(["item", "price"]))
    assert none.get_config()["attention"] == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention": {"item": "age"}}, "{item: age}: item is no list; lists are tags, history"),
        ({"attention": {"history": "colour"}}, "{history: colour}: there is no field colour"),
        ({"attention": {"history": "history"}}, "history is a list that is attended to itself"),
        ({"attention": {"tags": "history", "history": "age"}}, "{tags: history}: history is a"),
        ({"attention": {"history": ["item"]}}, "there is no field \\['item'\\]"),
        ({"attention": "history"}, "attention='history' must be pairs, such as {history: item}"),
        ({"activation": "dise"}, "model din: .*dise"),
        ({"attention_activation": "dise"}, "model din: .*dise"),
        ({"attention_units": 3}, "attention_units=3 must be a list of whole numbers"),
    ],
)
def test_impossible_settings_are_refused(settings, message, dataset):
    with pytest.raises(models.ModelError, match=message):
        models.build("din", dataset.schema, **settings)


ITEMS, WIDTH = 12, 6
SHOP = Schema(
    "shop",
    (
        field("item"),
        field("history", MULTI_CATEGORICAL, max_values=WIDTH, entity="user"),
    ),
    (Task("click"),),
    splits={},
    entities={"user": Entity("user", 1, ())},
)


def visits(rows, seed):
    """Clicks, all but one in twenty, where the item is in the user's history."""
    random = np.random.default_rng(seed)
    history = np.stack([random.permutation(ITEMS)[:WIDTH] for _ in range(rows // 4)]) + 2
    user = np.repeat(np.arange(rows // 4), 4)
    item = random.integers(0, ITEMS, rows) + 2
    click = (history[user] == item[:, None]).any(axis=1) ^ (random.random(rows) < 0.05)
    features = {"item": item, "history": history, "user_row": user}
    return {name: column.astype("int32") for name, column in features.items()}, {
        "click": click.astype("float32")
    }


def auc_on_visits(name, **settings):
    keras.utils.set_random_seed(1)
    model = models.build(name, SHOP, embedding_dim=8, embedding_range=0.5, **settings)
    model.compile(keras.optimizers.Adam(0.02), loss=multi_task_losses({"click": 1.0}))
    batches = tf.data.Dataset.from_generator(
        lambda: (visits(200, seed) for seed in range(100)),
        output_signature=(
            {
                "item": tf.TensorSpec((None,), tf.int32),
                "history": tf.TensorSpec((None, WIDTH), tf.int32),
                "user_row": tf.TensorSpec((None,), tf.int32),
            },
            {"click": tf.TensorSpec((None,), tf.float32)},
        ),
    )
    model.fit(batches, verbose=0)
    features, labels = visits(2000, 1000)
    logits = model({key: tf.constant(value) for key, value in features.items()})
    return auc(labels["click"], np.array(logits["click"]))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param(
            {"activation": "prelu", "attention_activation": "sigmoid"}, marks=pytest.mark.slow
        ),
    ],
)
def test_learns_whether_the_item_is_in_the_history(settings):
    assert auc_on_visits("din", hidden_units=(16,), attention_units=(16,), **settings) > 0.9


def test_the_mean_of_a_history_says_less():
    assert auc_on_visits("dnn", hidden_units=(16,)) < 0.85
