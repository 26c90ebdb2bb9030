"""The page on own logs: its example of rows that come later runs, and gives probabilities."""

import pathlib
import re

import numpy as np
import polars as pl
import pytest
import yaml

from data_prep.own_log.declaration import load_declaration
from data_prep.own_log.preparation import prepare
from dcrnn_tf.training.trainer import TrainingSettings
from experiments import train
from experiments.runs import run_folder

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "own_data.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a user works: a dataset, a run, and new rows."""
    tmp_path = tmp_path_factory.mktemp("user")
    random = np.random.default_rng(1)
    item = random.integers(0, 5, 3000)
    click = random.random(3000) < 0.05 + 0.03 * item
    log = pl.DataFrame(
        {
            "item": [f"i{number}" for number in item],
            "day": np.arange(3000) // 1000,
            "click": click.astype(int),
            "buy": (click & (random.random(3000) < 0.4)).astype(int),
        }
    )
    log.write_csv(tmp_path / "log.csv")
    log.filter(pl.col("day") == 2).select("item").write_csv(tmp_path / "new_rows.csv")
    declaration = {
        "name": "shop",
        "split": {"by": "column", "files": "log.csv", "column": "day", "test": [2]},
        "tasks": {"click": {}, "buy": {"only_where": "click"}},
        "fields": {"item": {"kind": "categorical", "min_count": 1}},
    }
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(declaration, sort_keys=False))
    prepare(load_declaration(tmp_path / "shop.yaml"), tmp_path, tmp_path / "data" / "shop")
    data_dir, run_dir = str(tmp_path / "data" / "shop"), str(tmp_path / "runs" / "shop")
    settings = train.Settings(data_dir, run_dir, "shared_bottom", {"embedding_dim": 4})
    train.main(settings, TrainingSettings(3, 64, 1e-2))
    return tmp_path


def test_later_rows_get_probabilities_that_come_true(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (block,) = (block for block in BLOCKS if "RowEncoder" in block)
    names = {}
    exec(block, names)
    found = names["probabilities"]
    assert set(found) == {"click", "buy", "buy_per_exposure"}
    weights = run_folder.read(folder / "runs" / "shop", run_folder.RUN_FILE)["positive_weights"]
    assert weights["click"] > 5
    features = names["encoder"](names["frame"])
    for task, logits in names["run"].model(features).items():
        odds = np.exp(np.asarray(logits, np.float64)) / weights[task]
        np.testing.assert_allclose(found[task], odds / (1 + odds), rtol=1e-5)
    np.testing.assert_allclose(found["buy_per_exposure"], found["click"] * found["buy"], rtol=1e-5)
    log = pl.read_csv(folder / "log.csv").filter(pl.col("day") == 2)
    assert found["click"].mean() == pytest.approx(
        log["click"].mean(), rel=0.2
    )  # not six times as many


def test_no_rows_have_no_probabilities(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (block,) = (block for block in BLOCKS if "RowEncoder" in block)
    names = {}
    exec(block.replace("encoder(frame)", "encoder(frame.head(0))"), names)
    assert {name: len(values) for name, values in names["probabilities"].items()} == {
        "click": 0,
        "buy": 0,
        "buy_per_exposure": 0,
    }
