"""Fields whose embedding rows have a width of their own: values, gradients, models, exports."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models, optimizers
from dcrnn_tf.dataset.schema import DatasetError, Field, Schema, Task
from dcrnn_tf.layers import FieldEmbedding
from dcrnn_tf.models import table_memory

DIM, PARTS, WIDTH = 6, 2, 2
FIELDS = (
    Field("item", vocabulary_size=5, width=WIDTH),
    Field("price", "numeric"),
    Field("seen", "multi_categorical", 5, 3, "user", shares="item", width=WIDTH),
    Field("city", vocabulary_size=4),
    Field("liked", "multi_categorical", 6, 3, weighted=True, width=WIDTH),
    Field("day", vocabulary_size=3, width=1),
    Field("hour", vocabulary_size=7, width=DIM // PARTS),  # as wide as any other
)
FEATURES = {
    "item": tf.constant([3, 2, 0]),
    "price": tf.constant([0.5, 1.0, -2.0]),
    "seen": tf.constant([[3, 2, 3], [0, 0, 0]]),
    "user_row": tf.constant([0, 1, 0]),
    "city": tf.constant([1, 2, 3]),
    "liked": tf.constant([[5, 2], [4, 0], [0, 0]]),
    "liked_weight": tf.constant([[1.0, 3.0], [0.5, 0.0], [0.0, 0.0]]),
    "day": tf.constant([2, 2, 1]),
    "hour": tf.constant([6, 0, 1]),
}


def built(**settings):
    layer = FieldEmbedding(FIELDS, DIM, parts=PARTS, **settings)
    layer.build()
    return layer


def expected(layer):
    """The same, worked out row by row."""
    common = np.array(layer.table)
    wide, narrow = (np.array(one.table) for one in layer.of_width)
    kernels = [np.array(kernels) for kernels in layer.width_kernels]
    item, liked = wide[:5], wide[5:]

    def projected(row, kernel):
        return np.concatenate([p @ k for p, k in zip(np.split(row, PARTS), kernel, strict=True)])

    slope, intercept = (np.array(w)[0] for w in (layer.numeric_slopes, layer.numeric_intercepts))
    seen = [(2 * item[3] + item[2]) / 3, item[0]]
    likes = [(liked[5] + 3 * liked[2]) / 4, liked[4], liked[0]]
    rows = []
    for example in range(3):
        value = {
            name: column[example].numpy() for name, column in FEATURES.items() if name != "seen"
        }
        rows.append(
            [
                projected(item[value["item"]], kernels[0][0]),
                value["price"] * slope + intercept,
                projected(seen[value["user_row"]], kernels[0][0]),
                common[value["city"]],
                projected(likes[example], kernels[0][1]),
                projected(narrow[value["day"]], kernels[1][0]),
                common[4 + value["hour"]],
            ]
        )
    return np.array(rows)


@pytest.mark.parametrize("settings", [{}, {"static_shapes": True}])
def test_values_are_rows_times_matrices(settings):
    layer = built(**settings)
    assert [one.table.shape for one in (layer, *layer.of_width)] == [(11, 6), (11, 4), (3, 2)]
    assert [kernels.shape for kernels in layer.width_kernels] == [(2, 2, 2, 3), (1, 2, 1, 3)]
    assert layer.table_size == 11 * 6 + 11 * 4 + 3 * 2
    np.testing.assert_allclose(layer(FEATURES), expected(layer), rtol=1e-5, atol=1e-7)
    some = layer(FEATURES, fields=["day", "city", "seen"])
    np.testing.assert_allclose(some, expected(layer)[:, [2, 3, 5]], rtol=1e-5, atol=1e-7)
    user = layer.shared_rows(FEATURES)
    np.testing.assert_allclose(
        tf.reshape(tf.gather(user.shared, user.row), (3, DIM)),
        expected(layer)[:, 2],
        rtol=1e-5,
        atol=1e-7,
    )


def test_tables_get_slices_of_the_rows_read_and_matrices_all_gradients():
    layer = built()
    upstream = np.random.default_rng(1).normal(size=(3, len(FIELDS), DIM)).astype("float32")
    sources = [table.value for table in layer.tables] + [k.value for k in layer.width_kernels]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(FEATURES, training=True) * upstream)
    gradients = tape.gradient(loss, sources)
    for slices, rows in zip(gradients, layer.rows_of_tables(FEATURES), strict=False):
        assert isinstance(slices, tf.IndexedSlices)
        assert set(slices.indices.numpy()) <= set(rows.numpy())
    for variable, gradient in zip(
        [*layer.tables, *layer.width_kernels], gradients, strict=True
    ):  # central differences of a function that is linear in each of them
        start, change = np.array(variable), np.random.default_rng(2).normal(size=variable.shape)
        sums = []
        for sign in (1, -1):
            variable.assign(start + sign * change)
            sums.append(np.sum(layer(FEATURES).numpy().astype(float) * upstream))
        variable.assign(start)
        slope = np.sum(tf.convert_to_tensor(gradient).numpy() * change)
        assert (sums[0] - sums[1]) / 2 == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_values_of_a_list_are_projected():
    layer = built()
    values = layer.list_values("seen", FEATURES)
    (item, *_), kernel = layer.of_width, np.array(layer.width_kernels[0][0])
    rows = np.array(item.table)[[3, 2, 3, 0, 3, 2, 3]].reshape(-1, PARTS, WIDTH)
    rows = np.einsum("rpk,pkd->rpd", rows, kernel).reshape(-1, DIM)
    np.testing.assert_allclose(tf.gather(values.embeddings, values.position), rows, rtol=1e-5)
    assert values.example.numpy().tolist() == [0, 0, 0, 1, 2, 2, 2]


def test_shards_hold_the_same_rows():
    layer = built(table_shards=2)
    whole = built()
    for one, other in zip((layer, *layer.of_width), (whole, *whole.of_width), strict=True):
        for number, shard in enumerate(one.shards):
            shard.assign(other.table.numpy()[number::2])
    for name in ("numeric_slopes", "numeric_intercepts"):
        getattr(layer, name).assign(getattr(whole, name))
    for one, other in zip(layer.width_kernels, whole.width_kernels, strict=True):
        one.assign(other)
    np.testing.assert_array_equal(layer(FEATURES), whole(FEATURES))
    assert len(layer.tables) == len(layer.rows_of_tables(FEATURES)) == 6


def test_a_row_starts_at_the_scale_of_others():
    fields = [Field("a", vocabulary_size=4000, width=4), Field("b", vocabulary_size=4000)]
    embedded = FieldEmbedding(fields, 64)({name: tf.range(4000) for name in "ab"}).numpy()
    narrow, common = embedded.std(axis=(0, 2))
    assert narrow == pytest.approx(common, rel=0.25)


@pytest.mark.parametrize("kind", [optimizers.LazyAdam, optimizers.DeferredAdam])
@pytest.mark.parametrize("frozen", [["day"], ["hour", "city"]])
def test_a_table_of_frozen_fields_alone_is_not_trained(kind, frozen):
    layer = built(frozen_fields=frozen)
    all_tables = [layer.table, *(one.table for one in layer.of_width)]
    assert len(layer.tables) == len(layer.rows_of_tables(FEATURES)) == 2
    before = [np.array(table) for table in all_tables]
    optimizer = kind(0.1)
    optimizer.build(list(layer.tables))
    if kind is optimizers.DeferredAdam:
        for table, rows in zip(layer.tables, layer.rows_of_tables(FEATURES), strict=True):
            optimizer.catch_up(table, rows)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(FEATURES, training=True)))
    gradients = tape.gradient(
        loss, [*(table.value for table in layer.tables), layer.width_kernels[1].value]
    )
    optimizer.apply(gradients[:-1], list(layer.tables))
    assert np.abs(gradients[-1]).max() > 0
    changed = [np.any(old != new) for old, new in zip(before, all_tables, strict=True)]
    assert changed == ([True, True, False] if frozen == ["day"] else [False, True, True])


SCHEMA = Schema(
    "shop",
    (
        Field("item", vocabulary_size=5, width=2),
        Field("city", vocabulary_size=4),
        Field("seen", "multi_categorical", 5, 3, shares="item", width=2, attended_by="item"),
    ),
    (Task("click"), Task("buy", only_where="click")),
    {},
)
BATCH = {
    "item": np.array([1, 2, 3], "int32"),
    "city": np.array([1, 2, 3], "int32"),
    "seen": np.array([[1, 2, 0], [0, 0, 0], [4, 3, 2]], "int32"),
}


@pytest.mark.parametrize(
    ("name", "settings", "parts"),
    [
        ("mmoe", {"num_experts": 2, "expert_units": [3]}, 1),
        ("deepfm", {"hidden_units": [3]}, 2),
        ("stem", {"num_shared_experts": 1, "num_task_experts": 1, "expert_units": [3]}, 3),
        ("din", {"hidden_units": [4]}, 2),
        ("logistic_regression", {}, 2),
    ],
)
def test_models_have_rows_of_the_width_for_each_of_their_parts(name, settings, parts):
    model = models.build(name, SCHEMA, embedding_dim=4, **settings)
    model.build()
    common, narrow = model.embedding_variables
    assert common.shape == (4, model.embedding_width)
    assert narrow.shape == (5, parts * 2)
    counts = model.parameter_counts()
    assert counts["embedding"] == 4 * model.embedding_width + 5 * parts * 2
    weights = [np.prod(w.shape) for w in model.trainable_variables]
    assert counts["total"] == sum(weights)
    logits = model(BATCH)
    # A task's logit depends on its own part of a row alone, where nothing else is shared.
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(BATCH)["click"])
    slices = tf.convert_to_tensor(tape.gradient(loss, narrow.value)).numpy()
    if parts == 2:
        assert np.abs(slices[:, :2]).max() > 0
        assert not slices[:, 2:].any()
    assert all(np.isfinite(logit).all() for logit in logits.values())
    again = type(model).from_config(model.get_config())
    again.build()
    assert [w.shape for w in again.variables] == [w.shape for w in model.variables]


def test_memory_counts_widths(monkeypatch):
    embedding = FieldEmbedding(SCHEMA.fields, 4)
    assert embedding.size_of(SCHEMA.fields[0]) == 5 * 2
    monkeypatch.setattr("dcrnn_tf.system.memory.available", lambda: 4 * (4 * 4 + 5 * 2))
    table_memory.check(embedding)
    with pytest.raises(models.ModelError, match=r"largest fields are city \(.*\), item \("):
        table_memory.check(embedding, numbers_per_weight=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "numeric", "vocabulary_size": 0}, "a numeric field has no width"),
        ({"width": 0}, "width is 0, expected 1 to 4,096"),
        ({"width": 5000}, "width is 5,000, expected 1 to 4,096"),
    ],
)
def test_widths_that_cannot_be_are_refused(changes, message):
    with pytest.raises(DatasetError, match=message):
        dataclasses.replace(SCHEMA.fields[0], **changes)


def test_fields_that_share_rows_share_the_width():
    fields = (SCHEMA.fields[0], dataclasses.replace(SCHEMA.fields[2], width=None))
    with pytest.raises(DatasetError, match="width None is not that of the fields that share"):
        dataclasses.replace(SCHEMA, fields=fields)
