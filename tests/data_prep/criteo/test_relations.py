"""Criteo-R and Criteo-UR: the planted functions by hand, and the datasets made of them."""

import dataclasses
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from data_prep.criteo import related_tasks
from data_prep.criteo.planting import choose_scale, correlation, plant, related, unrelated
from data_prep.criteo.preparation import prepare_criteo
from data_prep.criteo.related_tasks import make, summary
from data_prep.criteo.simulated_files import simulate
from data_prep.criteo.world import Settings
from data_prep.storage import shards
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError

ROOT = pathlib.Path(__file__).parents[3]
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("criteo")
    simulate(folder / "raw", Settings(rows=6_000, click_rate=0.4, signal=3.0))
    prepare_criteo(folder / "raw" / "train.txt", folder / "data", numeric="standard")
    return folder / "data"


def rows_of(folder, split):
    """Features and labels of a split as columns, in the order on disk."""
    columns = {}
    for features, labels in PreparedDataset(folder).batches(split, 512):
        for name, values in (features | labels).items():
            columns.setdefault(name, []).append(values.numpy())
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def confidence_from(columns):
    """A stand-in for the network: a function of the features, so that rows can be told apart."""
    return (columns["i5"] - 7.0 + 0.1 * columns["i9"]).astype(np.float32)


@pytest.fixture(scope="module")
def made(prepared, tmp_path_factory):
    logits = {split: confidence_from(rows_of(prepared, split)) for split in SPLITS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(related_tasks, "_confidences", lambda *_: (logits, {"test": 0.7}))
        folder = tmp_path_factory.mktemp("made") / "out"
        return folder, make(prepared, folder, confidence_scale=0.5)


def test_functions_have_the_values_worked_out_by_hand():
    e = math.e
    c = np.array([e - 1, 1 - e, 0.0, -4.0, 2.0])
    assert related(c)[:3] == pytest.approx(
        [2 + 0.1 * math.exp(e - 1), -2 + 0.1 * math.exp(e - 1), 0.1]
    )
    # -2 ln 5 + 0.1 e^4 = -3.219 + 5.460: the exponential term has no sign.
    assert related(c)[3] == pytest.approx(2.2409, abs=1e-4)
    assert related(c, sign_of_both=True)[3] == pytest.approx(-8.6787, abs=1e-4)
    assert related(c, noise=0.25) == pytest.approx(related(c) + 0.25)
    # -(2 sin 4 + 0.1 cos 4) = -(-1.5136 - 0.0654); 2 sin 2 + 0.1 cos 2 = 1.8186 - 0.0416.
    assert unrelated(c)[2:] == pytest.approx([0.0, 1.5790, 1.7770], abs=1e-4)
    assert correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 9.0])) == pytest.approx(
        7 / math.sqrt(2 * 26)
    )
    assert correlation(np.ones(3), np.arange(3.0)) == 0.0


def test_noise_has_the_deviation_asked_for_and_is_of_each_split_its_own():
    confidences = {split: np.full(20_000, 0.5, np.float32) for split in SPLITS}
    planted = plant("related", confidences, 0.3, seed=1)
    noise = {split: values - related(np.float32(0.5)) for split, values in planted.items()}
    assert noise["train"].std() == pytest.approx(0.3, rel=0.03)
    assert abs(noise["train"].mean()) < 0.01
    assert abs(correlation(noise["train"], noise["test"])) < 0.05
    with pytest.raises(DatasetError, match=r"from -1\.000 to 90\.000, .*choose a smaller --conf"):
        plant("related", {"train": np.array([-1.0, 90.0])}, 0.1, 0)


def test_chosen_scale_brings_the_published_correlation():
    c = np.random.default_rng(0).normal(-1.2, 1.4, 5_000)
    scale = choose_scale(c)
    assert correlation(c, unrelated(scale * c)) == pytest.approx(0.5288, abs=1e-4)
    assert correlation(c, unrelated(0.95 * scale * c)) > 0.5288
    assert choose_scale(3 * c) == pytest.approx(scale / 3, rel=1e-3)


@pytest.mark.parametrize("name", ["criteo_r", "criteo_ur"])
def test_labels_follow_from_the_confidence_that_lies_beside_each_row(prepared, made, name):
    folder, schemas = made
    task = {"criteo_r": "related", "criteo_ur": "unrelated"}[name]
    before = PreparedDataset(prepared).schema
    assert schemas[name].fields == before.fields
    assert schemas[name].task_names == ("base", task)
    for split in SPLITS:
        rows = rows_of(folder / name, split)
        confidence = np.load(folder / name / f"confidence_{split}.npy")
        assert confidence.dtype == np.float32
        np.testing.assert_allclose(confidence, 0.5 * confidence_from(rows), rtol=1e-5, atol=1e-6)
        assert (rows["base"] == (confidence > 0)).all()
        function = related(confidence) if task == "related" else unrelated(confidence)
        clear = np.abs(function) > (0.5 if task == "related" else 1e-5)  # whatever the noise
        assert (rows[task] == (function > 0))[clear].all()
        assert clear.mean() > 0.7
        # The same rows as before, in another order.
        original = rows_of(prepared, split)
        assert not (rows["i5"] == original["i5"]).all()
        for field in before.fields:
            assert (np.sort(rows[field.name]) == np.sort(original[field.name])).all()
    for path in (prepared / "vocabularies").iterdir():
        assert path.read_bytes() == (folder / name / "vocabularies" / path.name).read_bytes()


def test_source_holds_what_was_measured(prepared, made):
    folder, schemas = made
    rows = {name: [rows_of(folder / name, split) for split in SPLITS] for name in schemas}
    for name, task in (("criteo_r", "related"), ("criteo_ur", "unrelated")):
        facts = schemas[name].source["relations"]
        labels = {key: np.concatenate([part[key] for part in rows[name]]) for key in ("base", task)}
        assert facts["agreement"] == pytest.approx((labels["base"] == labels[task]).mean())
        for key, label in labels.items():
            assert facts["positive_rates"][key] == pytest.approx(label.mean())
        simulation = schemas[name].source["simulation"]
        assert schemas[name].simulated
        assert simulation["labels"] == "labels planted on simulated features"
        assert simulation["features"] == PreparedDataset(prepared).schema.source["simulation"]
        assert simulation["bayes_auc"]["test"]["base"] == 1.0
        assert 0.9 < simulation["bayes_auc"]["test"][task] <= 1.0
    c = np.concatenate([np.load(folder / "criteo_ur" / f"confidence_{s}.npy") for s in SPLITS])
    facts = schemas["criteo_ur"].source["relations"]
    assert facts["correlation"] == pytest.approx(np.corrcoef(c, unrelated(c))[0, 1], abs=1e-5)
    facts = schemas["criteo_r"].source["relations"]
    assert facts["correlation"] == pytest.approx(np.corrcoef(c, related(c))[0, 1], abs=0.01)
    text = summary(schemas)
    assert "(published 0.9877)" in text
    assert "(published 0.5288)" in text
    assert "network's AUC of click: test 0.7000" in text


@pytest.mark.slow
def test_network_learns_and_the_same_seed_gives_the_same_datasets(prepared, tmp_path):
    first = make(prepared, tmp_path / "first", confidence_scale="auto", epochs=3)
    again = make(prepared, tmp_path / "again", confidence_scale="auto", epochs=3)
    assert {n: s.fingerprint for n, s in first.items()} == {
        n: s.fingerprint for n, s in again.items()
    }
    facts = first["criteo_ur"].source["relations"]
    assert facts["network_auc"]["test"] > 0.65
    assert facts["correlation"] == pytest.approx(0.5288, abs=0.05)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "first"]


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "BLOCK_ROWS", 64)
    monkeypatch.setattr(shards, "SHARD_BLOCKS", 4)


def columns_on_disk(folder, split, names):
    """Columns of float32 or int32 as they lie in the shards, one after the other."""
    schema = PreparedDataset(folder).schema
    dtypes = schema.exposure_columns()
    parts = {name: [] for name in names}
    for shard in schema.split(split).shards:
        for record in tf.data.TFRecordDataset(str(folder / shard.file)):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            for name, columns in parts.items():
                columns.append(np.frombuffer(feature[name].bytes_list.value[0], dtypes[name]))
    return {name: np.concatenate(columns) for name, columns in parts.items()}


@pytest.mark.slow
def test_confidences_of_the_network_stay_with_their_rows(small_shards, tmp_path):
    # A click is decided by C1 alone, and so must be the sign of the network's logit.
    random = np.random.default_rng(0)
    lines = []
    for _ in range(3_000):
        click = int(random.random() < 0.5)
        counts = "\t".join(map(str, random.integers(0, 50, 13)))
        ids = "\t".join(f"{number:08x}" for number in random.integers(0, 3, 25))
        lines.append(f"{click}\t{counts}\t{'aaaaaaaa' if click else 'bbbbbbbb'}\t{ids}\n")
    (tmp_path / "train.txt").write_text("".join(lines), encoding="utf-8")
    before = prepare_criteo(tmp_path / "train.txt", tmp_path / "data", numeric="standard")
    assert len(before.splits["train"].shards) > 4
    schemas = make(tmp_path / "data", tmp_path / "out", confidence_scale=0.3, epochs=10)
    assert schemas["criteo_ur"].source["relations"]["network_auc"]["test"] == 1.0
    kinds = {
        int(c1): int(click)
        for c1, click in zip(
            *columns_on_disk(tmp_path / "data", "train", ("c1", "click")).values(), strict=True
        )
    }
    assert sorted(kinds.values()) == [0, 1]
    for name, schema in schemas.items():
        for split in SPLITS:
            rows = columns_on_disk(tmp_path / "out" / name, split, ("c1", "base"))
            assert len(rows["c1"]) == schema.splits[split].rows
            clicks = np.array([kinds[int(c1)] for c1 in rows["c1"]])
            np.testing.assert_array_equal(rows["base"], clicks)
            confidence = np.load(tmp_path / "out" / name / f"confidence_{split}.npy")
            np.testing.assert_array_equal(confidence > 0, clicks > 0)


def test_confidences_follow_the_order_of_several_shards(small_shards, tmp_path):
    simulate(tmp_path / "raw", Settings(rows=3_000, click_rate=0.4, signal=3.0))
    prepare_criteo(tmp_path / "raw" / "train.txt", tmp_path / "data", numeric="standard")
    logits = {
        split: confidence_from(columns_on_disk(tmp_path / "data", split, ("i5", "i9")))
        for split in SPLITS
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(related_tasks, "_confidences", lambda *_: (logits, {"test": 0.7}))
        schemas = make(tmp_path / "data", tmp_path / "out", confidence_scale=0.5)
    assert len(schemas["criteo_r"].splits["train"].shards) > 4
    for name in schemas:
        for split in SPLITS:
            rows = columns_on_disk(tmp_path / "out" / name, split, ("i5", "i9", "base"))
            confidence = np.load(tmp_path / "out" / name / f"confidence_{split}.npy")
            np.testing.assert_allclose(
                confidence, 0.5 * confidence_from(rows), rtol=1e-5, atol=1e-6
            )
            np.testing.assert_array_equal(rows["base"], confidence > 0)


def test_real_features_with_planted_labels_count_as_simulated(prepared, tmp_path):
    schema = PreparedDataset(prepared).schema
    real = dataclasses.replace(schema, source={"files": [], "simulated": False})
    confidences = {split: np.linspace(-2, 2, 50, dtype=np.float32) for split in SPLITS}
    planted = plant("unrelated", confidences, 0.0, 0)
    facts = related_tasks.measure("unrelated", confidences, planted)
    source = related_tasks.source_of(real, {"seed": 0}, facts, confidences, planted)
    assert source["simulated"]
    assert source["simulation"]["labels"] == "labels planted on real features"
    assert "features" not in source["simulation"]
    json.dumps(source)


def test_confidences_of_one_sign_and_unfit_datasets_are_refused(prepared, dataset_folder, tmp_path):
    negative = {split: np.linspace(-2, -1, 50, dtype=np.float32) for split in SPLITS}
    planted = plant("unrelated", negative, 0.0, 0)
    with pytest.raises(DatasetError, match=r"task base would be 0 on every training row, .*epochs"):
        related_tasks.measure("unrelated", negative, planted)
    with pytest.raises(DatasetError, match="has the tasks click, conversion, expected click alone"):
        make(dataset_folder, tmp_path / "out")
    with pytest.raises(DatasetError, match="exists already"):
        make(prepared, tmp_path)


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--confidence_scale=large", "auto or a number above 0 and at most 1000"),
        ("--noise=nan", "a finite number of at least 0 (--help lists the flags)"),
        ("--noise=inf", "a finite number of at least 0 (--help lists the flags)"),
    ],
)
def test_program_refuses_numbers_that_make_no_sense(flag, expected):
    command = [sys.executable, "-m", "data_prep.criteo.relations", flag]
    result = subprocess.run(
        [*command, "--data_dir=a", "--out_dir=b"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr.strip() == f"Error: {flag} must be {expected}"
