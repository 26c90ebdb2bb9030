"""Runs that start from earlier ones: weights and moments go with their ids."""

import pathlib

import keras
import numpy as np
import polars as pl
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.extending import ExtendedDataset
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.training.checkpoints import CHECKPOINTS, path_of
from dcrnn_tf.training.settings import TrainingSettings
from dcrnn_tf.training.trainer import Trainer
from dcrnn_tf.training.warm_start import Earlier, WarmStartError

ID = {"kind": "categorical", "min_count": 1}
DAYS = [
    [("a", 1.0, "x", 1), ("b", 2.0, "y", 0), ("c", 3.0, "x", 1), ("a", 4.0, "y", 0)],
    [("d", 1.5, "x", 1), ("b", 2.5, "z", 0), ("c", 3.5, "z", 1), ("b", 9.0, "x", 0)],
]
COLUMNS = ["item", "price", "city", "click"]


def prepared(folder, day, fields, extended=None, tasks=None, **changes):
    pl.DataFrame(DAYS[day], COLUMNS, orient="row").write_csv(folder / f"{day}.csv")
    pl.DataFrame(DAYS[0], COLUMNS, orient="row").write_csv(folder / "test.csv")
    declaration = parse_declaration(
        {
            "name": "shop",
            "split": {"by": "file", "train": f"{day}.csv", "test": "test.csv"},
            "fields": {
                name: ID | changes if name != "price" else {"kind": "numeric"} for name in fields
            },
            "tasks": {"click": {}, **(tasks or {})},
        },
        pathlib.Path("shop.yaml"),
    )
    out = folder / "-".join([str(day), *fields, *map(str, changes.values()), *(tasks or [])])
    if extended is not None and tasks:
        out = out.with_name(f"{out.name}-more")
    if extended is not None:
        extended = ExtendedDataset.load(extended, declaration, forget_after=1)
    prepare(declaration, folder, out, extended=extended)
    return PreparedDataset(out)


def trainer(dataset, run_dir, optimizer="lazy_adam", schedule="constant", **settings):
    keras.utils.set_random_seed(len(str(run_dir)))
    model = models.build("mmoe", dataset.schema, embedding_dim=3, expert_units=(5,), **settings)
    training = TrainingSettings(
        epochs=2,
        batch_size=2,
        embedding_optimizer=optimizer,
        learning_rate=0.1,
        schedule=schedule,
    )
    weights = dict.fromkeys(dataset.schema.task_names, 1.0)
    return Trainer(model, dataset, training, weights, run_dir)


def earlier(trained, run_dir):
    dataset = trained.dataset
    checkpoint = path_of(run_dir / CHECKPOINTS, trained.steps)
    schema = dataset.schema
    return Earlier(checkpoint, schema.fields, dataset.vocabularies(), schema.tasks)


def state(one, name):
    (variable,) = (v for key, v in one._state().items() if key.endswith(name))
    return variable.numpy()


def weight(one, path):
    (variable,) = (v for v in one.model.variables if v.path.endswith(path))
    return variable.numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("log")


@pytest.mark.parametrize(
    ("optimizer", "shards", "schedule"),
    [("lazy_adam", 1, "cosine"), ("adam_deferred", 2, "constant")],
)
def test_rows_and_moments_go_with_their_ids(folder, tmp_path, optimizer, shards, schedule):
    first = folder / "0-item-price"
    before = PreparedDataset(first) if first.exists() else prepared(folder, 0, ["item", "price"])
    now = folder / "1-item-price"
    now = PreparedDataset(now) if now.exists() else prepared(folder, 1, ["item", "price"], first)
    assert before.vocabularies()["item"].tolist() == ["a", "b", "c"]
    assert now.vocabularies()["item"].tolist() == ["d", "b", "c"]  # d has the row of a
    one = trainer(before, tmp_path / "one", optimizer, table_shards=shards)
    one.train()
    two = trainer(now, tmp_path / "two", optimizer, schedule, table_shards=shards)
    start = two.model.embedding.table if shards == 1 else None
    fresh = None if start is None else start.numpy()[2]
    carried = two.start_from(earlier(one, tmp_path / "one"))
    assert carried.ids == {"item": (2, 1, 1)}
    assert (carried.fresh, carried.added_fields, carried.moments) == ([], [], (True, True))
    for kind in ("momentum", "velocity"):
        for shard in range(shards):
            name = f"_table_{kind}" if shards == 1 else f"_table_{shard}_{kind}"
            moments, expected = state(two, name), state(one, name).copy()
            if shard == 0:
                assert np.any(expected[2 // shards])
                expected[2 // shards] = 0  # of d
            np.testing.assert_array_equal(moments, expected)
    if fresh is not None:
        np.testing.assert_array_equal(two.model.embedding.table.numpy()[2], fresh)
    # Rows of ids that both know have the same logits, also where they are unknown to both.
    rows = pl.DataFrame({"item": ["b", "c", "zz", None], "price": [1.0, 2.0, None, 8.0]})
    features = [RowEncoder(dataset.folder)(rows) for dataset in (before, now)]
    logits = [
        keras.ops.convert_to_numpy(one.model(f)["click"])
        for one, f in zip((one, two), features, strict=True)
    ]
    np.testing.assert_allclose(*logits, rtol=1e-6)
    two.train()  # goes on, rows that waited included
    assert two.steps == 4
    assert state(two, "table_optimizer_0000_iteration") == 8


def test_a_field_that_is_added_leaves_what_the_others_do(folder, tmp_path):
    before = prepared(folder, 0, ["price", "item"])
    now = prepared(folder, 1, ["item", "city", "price"])
    one = trainer(before, tmp_path / "one")
    one.train()
    two = trainer(now, tmp_path / "two")
    carried = two.start_from(earlier(one, tmp_path / "one"))
    assert carried.ids == {"item": (2, 1, 1)}
    assert (carried.added_fields, carried.fresh) == (["city"], [])
    assert "item: 2 ids carried, 1 start fresh, 1 of the earlier run dropped" in [*carried.lines()]
    assert "fields that start fresh: city" in [*carried.lines()]
    for part in ("experts_kernel_0_momentum", "gates_kernel_momentum"):
        kernels = [state(t, part).reshape(len(t.dataset.schema.fields), 3, -1) for t in (one, two)]
        np.testing.assert_array_equal(kernels[1][[2, 0]], kernels[0])
        assert not kernels[1][1].any()


@pytest.mark.parametrize(
    ("extends", "classes", "counts"),
    [
        (True, ("x", "y", "z"), (2, 1, 0)),
        pytest.param(False, ("x", "z"), (1, 1, 1), marks=pytest.mark.slow),
    ],
)
def test_outputs_go_with_their_classes(folder, tmp_path, extends, classes, counts):
    fields, tasks = ["item", "price"], {"town": {"kind": "multiclass", "column": "city"}}
    first = folder / "0-item-price-town"
    before = PreparedDataset(first) if first.exists() else prepared(folder, 0, fields, tasks=tasks)
    now = prepared(folder, 1, fields, first if extends else None, tasks)
    assert before.schema.tasks[1].classes == ("x", "y")
    assert now.schema.tasks[1].classes == classes
    one, two = trainer(before, tmp_path / "one"), trainer(now, tmp_path / "two")
    one.train()
    fresh = weight(two, "town_tower/logit/kernel")
    carried = two.start_from(earlier(one, tmp_path / "one"))
    assert carried.classes == {"town": counts}
    kept, new, _ = counts
    assert f"town: {kept} classes carried, {new} start fresh" in "\n".join(carried.lines())
    for part, start in (
        ("town_tower/logit/kernel", fresh),
        ("town_tower/logit/bias", np.zeros(len(classes))),
        ("town_tower_logit_kernel_momentum", np.zeros(fresh.shape)),
        ("town_tower_logit_bias_velocity", np.zeros(len(classes))),
    ):
        read = weight if "/" in part else state
        theirs, expected = read(one, part), start.copy()
        for number, name in enumerate(classes):
            if name in ("x", "y"):
                expected[..., number] = theirs[..., ("x", "y").index(name)]
        assert np.any(theirs[..., 0])
        np.testing.assert_array_equal(read(two, part), expected.astype(np.float32))
    two.train()


def test_another_architecture_is_refused(folder, tmp_path):
    path = folder / "0-item-price"
    before = PreparedDataset(path) if path.exists() else prepared(folder, 0, ["item", "price"])
    one = trainer(before, tmp_path / "one")
    one.train()
    two = trainer(before, tmp_path / "two", num_experts=3)
    with pytest.raises(WarmStartError, match=r"is of another architecture: .* there, .* here"):
        two.start_from(earlier(one, tmp_path / "one"))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        (["price", "item"], "its fields item, price are as many as price, item here, but others"),
        (["city", "price"], "its fields item, price are as many as city, price here, but others"),
    ],
)
def test_as_many_fields_that_are_others_or_in_another_order_are_refused(
    folder, tmp_path, fields, match
):
    path = folder / "0-item-price"
    before = PreparedDataset(path) if path.exists() else prepared(folder, 0, ["item", "price"])
    one = trainer(before, tmp_path / "one")
    one.checkpoint()
    path = folder / f"0-{'-'.join(fields)}"
    now = PreparedDataset(path) if path.exists() else prepared(folder, 0, fields)
    two = trainer(now, tmp_path / "two")
    with pytest.raises(WarmStartError, match=match):
        two.start_from(earlier(one, tmp_path / "one"))


def test_rows_of_a_width_of_their_own_go_with_their_ids(tmp_path):
    before = prepared(tmp_path, 0, ["item", "city"], width=2)
    now = prepared(tmp_path, 1, ["item", "city"], before.folder, width=2)
    one, two = (
        trainer(dataset, tmp_path / name, table_shards=2)
        for dataset, name in ((before, "one"), (now, "two"))
    )
    one.train()
    (narrow,) = two.model.embedding.of_width
    fresh = np.array(narrow.shards[0])[1]  # of d, which has the row of a
    carried = two.start_from(earlier(one, tmp_path / "one"))
    assert carried.ids == {"item": (2, 1, 1), "city": (1, 1, 1)}
    assert (carried.fresh, carried.moments) == ([], (True, True))
    np.testing.assert_array_equal(narrow.shards[0][1], fresh)
    for kind in ("momentum", "velocity"):
        moments, expected = (state(t, f"_width_2_table_0_{kind}").copy() for t in (two, one))
        assert expected.any()
        expected[[1, 4]] = 0  # of d, and of z, which has the row of y
        assert moments[: len(expected)].tolist() == expected.tolist()
    rows = pl.DataFrame({"item": ["b", "c", "zz"], "city": ["x", "w", None]})
    logits = [t.model(RowEncoder(t.dataset.folder)(rows))["click"].numpy() for t in (one, two)]
    np.testing.assert_allclose(*logits, rtol=1e-6)
    other = trainer(prepared(tmp_path, 1, ["item", "city"], width=1), tmp_path / "other")
    with pytest.raises(WarmStartError, match="is of another architecture"):
        other.start_from(earlier(one, tmp_path / "one"))
