"""The simulated Criteo: its format, its truth, and that preparation knows it for simulated."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest

from data_prep.criteo import world
from data_prep.criteo.fields import COLUMNS, COUNTS, IDS
from data_prep.criteo.preparation import prepare_criteo
from data_prep.criteo.simulated_files import simulate
from data_prep.criteo.world import COUNT_STATISTICS, ID_STATISTICS, Settings, Simulation
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.metrics.auc import auc
from dcrnn_tf.system.errors import UserError

SETTINGS = Settings(rows=70_000, seed=4)  # more than one block


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "criteo"
    return folder, simulate(folder, SETTINGS)


@pytest.fixture(scope="module")
def table(raw):
    return pl.read_csv(
        raw[0] / "train.txt", separator="\t", has_header=False, new_columns=list(COLUMNS)
    )


def test_lines_have_the_format_of_the_real_file(raw, table):
    folder, _ = raw
    assert {path.name for path in folder.iterdir()} == {
        "train.txt",
        "ground_truth.csv",
        "simulation.json",
    }
    assert table.shape == (70_000, 40)
    with open(folder / "train.txt", encoding="utf-8") as file:
        first = next(file)
    assert first.count("\t") == 39
    for name in COUNTS:
        assert table[name].dtype == pl.Int64
        share = table[name].null_count() / table.height
        assert share == pytest.approx(COUNT_STATISTICS[name][0], abs=0.01)
    assert table["I2"].min() == -1
    for name in IDS:
        known = table[name].drop_nulls()
        assert known.str.contains("^[0-9a-f]{8}$").all()
        missing, distinct, *_ = ID_STATISTICS[name]
        assert 1 - len(known) / table.height == pytest.approx(missing, abs=0.01)
        assert known.n_unique() <= distinct
    assert table["C9"].n_unique() == 3
    assert table["C3"].n_unique() > 40_000
    assert table["C1"].value_counts(sort=True)["count"][0] > 20_000


def test_probabilities_are_true_and_their_auc_is_stored(raw, table):
    folder, summary = raw
    truth = pl.read_csv(folder / "ground_truth.csv")["click"].to_numpy()
    click = table["click"].to_numpy()
    assert summary["clicks"] == click.sum()
    assert click.mean() == pytest.approx(0.25, abs=0.01)
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0)):
        inside = (truth >= low) & (truth < high)
        error = 4 * np.sqrt(0.25 / inside.sum())
        assert click[inside].mean() == pytest.approx(truth[inside].mean(), abs=error)
    bayes = auc(click, truth)
    assert 0.78 < bayes < 0.86
    for split in ("train", "validation", "test"):
        assert summary["bayes_auc"][split]["click"] == pytest.approx(bayes, abs=1e-6)
    assert json.loads((folder / "simulation.json").read_text("utf-8")) == summary


def test_what_is_planted_follows_from_the_named_columns(monkeypatch):
    monkeypatch.setattr(world, "EFFECTS", {("C17",): 0.3, ("I11",): 0.2, ("C6", "C23"): 0.5})
    (block,) = Simulation(Settings(rows=20_000)).blocks()
    logit = pl.Series("logit", np.log(block.probability) - np.log1p(-block.probability))
    assert logit.std() == pytest.approx(1.5, rel=0.03)
    same = block.frame.with_columns(logit).group_by("C17", "I11", "C6", "C23")
    same = same.agg(pl.len(), pl.mean("logit"), spread=pl.max("logit") - pl.min("logit"))
    assert (same["len"] > 10).sum() > 200
    assert same["spread"].max() < 1e-9
    # Where the others are the same, the pair's part is a product: it has rank one.
    one = same.sort("len", descending=True)
    one = same.filter(pl.col("C17") == one["C17"][0], pl.col("I11") == one["I11"][0])
    most = {
        c: one.group_by(c).agg(pl.sum("len")).drop_nulls().sort("len")[c][-4:]
        for c in ("C6", "C23")
    }
    one = one.filter(pl.all_horizontal(pl.col(c).is_in(ids.implode()) for c, ids in most.items()))
    table = one.pivot("C6", index="C23", values="logit").drop("C23").to_numpy()
    assert table.shape == (4, 4)
    _, sizes, _ = np.linalg.svd(table - table.mean(0) - table.mean(1, keepdims=True) + table.mean())
    assert sizes[0] > 1
    assert sizes[1] < 1e-9


def test_effects_of_single_fields_and_of_pairs_both_show(raw, table):
    folder, _ = raw
    truth = pl.read_csv(folder / "ground_truth.csv")["click"]
    logit = (truth.log() - (1 - truth).log()).alias("logit")
    assert logit.std() == pytest.approx(SETTINGS.signal, rel=0.05)
    for name in ("C14", "C17", "C23", "I7", "I11"):
        means = table.with_columns(logit).group_by(name).agg(pl.len(), pl.mean("logit"))
        means = means.filter(pl.col("len") > 1000)["logit"]
        assert means.max() - means.min() > 0.5


def test_same_seed_same_rows_and_another_seed_others(tmp_path, raw):
    settings = dataclasses.replace(SETTINGS, rows=2_000)
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        simulate(tmp_path / name, dataclasses.replace(settings, seed=seed))
    text = {name: (tmp_path / name / "train.txt").read_text("utf-8") for name in "abc"}
    assert text["a"] == text["b"] != text["c"]


def test_scattered_numbers_are_distinct_and_hexadecimal_ones_read_back():
    numbers = np.arange(1 << 18, dtype=np.uint32)
    scattered = world.scattered(numbers)
    assert len(np.unique(scattered)) == len(numbers)
    text = world.hexadecimal(scattered[:100]).to_list()
    assert [int(word, 16) for word in text] == scattered[:100].tolist()


def test_prepared_dataset_says_that_it_is_simulated(tmp_path):
    summary = simulate(tmp_path / "raw", dataclasses.replace(SETTINGS, rows=1_000))
    schema = prepare_criteo(tmp_path / "raw" / "train.txt", tmp_path / "out")
    assert schema.simulated
    assert schema.source["simulation"] == summary


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"rows": 0}, "--rows=0 must be an integer of at least 1"),
        ({"click_rate": 1.0}, "--click_rate=1.0 must be a finite number from 0.001 to 0.999"),
        ({"signal": 0.0}, "--signal=0.0 must be a finite number above 0 and at most 10"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, setting, sentence):
    with pytest.raises(UserError, match=sentence):
        simulate(tmp_path / "raw", dataclasses.replace(SETTINGS, **setting))
    assert not list(tmp_path.iterdir())


def test_existing_folder_is_kept(raw):
    with pytest.raises(DatasetError, match="exists already"):
        simulate(raw[0], SETTINGS)
