import dataclasses
import hashlib
import itertools
import json
import pathlib
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from data_prep.ali_ccp import preparation
from data_prep.ali_ccp.fields import FIELDS, USER
from data_prep.ali_ccp.log import Settings as PreparationSettings
from data_prep.ali_ccp.simulated_files import simulate
from data_prep.ali_ccp.world_settings import PRESETS
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.metrics.auc import auc
from dcrnn_tf.system.errors import UserError

ROOT = pathlib.Path(__file__).parents[3]
SETTINGS = dataclasses.replace(PRESETS["small"], train_rows=12_000, test_rows=6_000)
FILES = {
    "sample_skeleton_train.csv",
    "sample_skeleton_test.csv",
    "common_features_train.csv",
    "common_features_test.csv",
    "ground_truth_train.csv",
    "ground_truth_test.csv",
    "simulation.json",
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "simulated"
    summary = simulate(folder, SETTINGS)
    return folder, summary


def entries(text):
    """Field, id and value of each entry of a feature list, by the format's definition."""
    parts = [entry.replace("\x03", "\x02").split("\x02") for entry in text.split("\x01")]
    assert all(len(part) == 3 for part in parts)
    return [(field, int(id_), float(value)) for field, id_, value in parts]


def read(folder, split):
    """Skeleton lines and common lines, parsed in plain Python."""
    exposures, users = [], {}
    for line in (folder / f"common_features_{split}.csv").read_text("utf-8").splitlines():
        index, number, text = line.split(",")
        users[index] = entries(text)
        assert len(users[index]) == int(number)
        assert len(index) == 16
        int(index, 16)
    for line in (folder / f"sample_skeleton_{split}.csv").read_text("utf-8").splitlines():
        sample, click, conversion, index, number, text = line.split(",")
        found = entries(text)
        assert len(found) == int(number)
        exposures.append((int(sample), int(click), int(conversion), index, found))
    return exposures, users


def digest(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_files_are_in_the_raw_format(raw):
    folder, summary = raw
    assert {path.name for path in folder.iterdir()} == FILES
    sides = {field.raw_name: field.side for field in FIELDS}
    multiple = {field.raw_name for field in FIELDS if field.multiple}
    owner = {}
    for split in ("train", "test"):
        exposures, users = read(folder, split)
        assert len(exposures) == summary["rows"][split] == SETTINGS.rows(split)
        assert len({exposure[0] for exposure in exposures}) == len(exposures)
        for _, click, conversion, index, found in exposures:
            assert index in users
            assert conversion <= click
            assert all(sides[field] != USER for field, _, _ in found)
            single = [field for field, _, _ in found if field not in multiple]
            assert len(single) == len(set(single))
        indices = [exposure[3] for exposure in exposures]
        changes = sum(a != b for a, b in itertools.pairwise(indices))
        assert changes == len(set(indices)) - 1, "rows of a user lie together"
        for found in [*users.values(), *(exposure[4] for exposure in exposures)]:
            for field, id_, value in found:
                assert owner.setdefault(id_, field) == field, "ids are disjoint between fields"
                assert value > 0
        for found in users.values():
            assert all(sides[field] == USER for field, _, _ in found)


def test_missing_rates_and_label_rates(raw):
    folder, _ = raw
    exposures, users = read(folder, "train")
    fields = [
        {field for field, _, _ in found} | {field for field, _, _ in users[index]}
        for _, _, _, index, found in exposures
    ]
    share = {name: np.mean([name not in f for f in fields]) for name in ("301", "509", "216")}
    assert share["301"] == 0
    assert share["509"] == pytest.approx(0.7788, abs=0.03)
    assert share["216"] == pytest.approx(0.2886, abs=0.05)
    clicks = np.mean([exposure[1] for exposure in exposures])
    assert clicks == pytest.approx(1 / 24, abs=4 * np.sqrt(1 / 24 / len(exposures)))


def test_the_truth_explains_the_labels(raw):
    folder, summary = raw
    for split in ("train", "test"):
        truth = pl.read_csv(folder / f"ground_truth_{split}.csv")
        exposures, _ = read(folder, split)
        assert truth["sample_id"].to_list() == [exposure[0] for exposure in exposures]
        for column, task in ((1, "click"), (2, "conversion")):
            labels = np.array([exposure[column] for exposure in exposures])
            probability = truth[task].to_numpy()
            deviation = np.sqrt((probability * (1 - probability)).sum())
            assert abs(labels.sum() - probability.sum()) < 4 * deviation
            exact = auc(labels, probability)
            assert summary["bayes_auc"][split][task] == pytest.approx(exact, abs=1e-4)
        assert (truth["conversion"] <= truth["click"]).all()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(raw, tmp_path):
    small = dataclasses.replace(SETTINGS, train_rows=3000, test_rows=500)
    simulate(tmp_path / "a", small)
    simulate(tmp_path / "b", small)
    simulate(tmp_path / "c", dataclasses.replace(small, seed=1))
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    different = {n for n, d in digest(tmp_path / "a").items() if digest(tmp_path / "c")[n] != d}
    assert different == FILES


def test_preparation_takes_it_and_knows_that_it_is_simulated(raw, tmp_path):
    folder, summary = raw
    schema = preparation.prepare(folder, tmp_path / "prepared", PreparationSettings(FIELDS))
    assert schema.simulated
    assert schema.source["simulation"]["bayes_auc"] == summary["bayes_auc"]
    test = schema.splits["test"]
    assert (test.rows, test.positives["click"]) == (6000, summary["clicks"]["test"])


def test_correlation_of_the_tasks_is_what_was_asked_for(tmp_path):
    conditional = {}
    for correlation in (-0.8, 0.8):
        folder = tmp_path / str(correlation)
        simulate(folder, dataclasses.replace(SETTINGS, task_correlation=correlation, noise=0.0))
        truth = pl.read_csv(folder / "ground_truth_train.csv")
        click = truth["click"].to_numpy()
        after_click = truth["conversion"].to_numpy() / click
        logits = np.log(click / (1 - click)), np.log(after_click / (1 - after_click))
        conditional[correlation] = np.corrcoef(*logits)[0, 1]
    assert conditional[0.8] == pytest.approx(0.8, abs=0.1)
    assert conditional[-0.8] == pytest.approx(-0.8, abs=0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_rows": 0}, "--train_rows=0 must be an integer from 1"),
        ({"click_rate": 0.001}, "are not 0 < conversion rate < click rate"),
        ({"noise": 1.5}, r"--noise=1\.5 must be a finite number from 0 to 1"),
        ({"task_correlation": -2.0}, "must be a finite number from -1 to 1"),
        ({"list_scale": 0.0}, "must be a finite number above 0"),
    ],
)
def test_settings_that_make_no_sense(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        simulate(tmp_path / "x", dataclasses.replace(SETTINGS, **changes))
    assert not (tmp_path / "x").exists()


def test_an_existing_folder_is_refused_and_a_leftover_removed(raw, tmp_path, capsys):
    with pytest.raises(DatasetError, match="exists already"):
        simulate(raw[0], SETTINGS)
    leftover = tmp_path / "x.partial"
    leftover.mkdir()
    (leftover / "half").write_text("half")
    simulate(tmp_path / "x", dataclasses.replace(SETTINGS, train_rows=500, test_rows=100))
    assert "x.partial, left behind by a process" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "x").iterdir()} == FILES
    assert not leftover.exists()


def test_the_program(tmp_path):
    command = [sys.executable, "-m", "data_prep.ali_ccp.simulate", f"--out_dir={tmp_path}/x"]
    command += ["--train_rows=1000", "--test_rows=200", "--seed=3"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "Bayes-optimal AUC: click 0." in done.stdout
    settings = json.loads((tmp_path / "x" / "simulation.json").read_text())["settings"]
    assert (settings["train_rows"], settings["seed"]) == (1000, 3)
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("Error: ")
