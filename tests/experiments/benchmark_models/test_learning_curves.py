"""Learning curves: datasets with fewer training rows, and what is written of finished runs."""

import json

import numpy as np
import pandas as pd
import pytest

from data_prep.storage import fewer_rows
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import load_schema
from dcrnn_tf.system.errors import UserError
from experiments.benchmark_models import entries, learning_curves
from tests.experiments.run_folders import write_run


def labels(folder, split):
    """The labels of a split in the order on disk."""
    batches = PreparedDataset(folder).batches(split, 512, weighted=False)
    parts = [of_batch for _, of_batch in batches]
    return {task: np.concatenate([part[task].numpy() for part in parts]) for task in parts[0]}


def test_the_first_blocks_are_a_dataset_of_their_own(dataset_folder, tmp_path):
    made = fewer_rows.make(dataset_folder, tmp_path / "few", 1500)
    schema = load_schema(made)
    assert schema.split("train").rows == 2048  # two blocks
    PreparedDataset(made).verify()
    before, after = labels(dataset_folder, "train"), labels(made, "train")
    for task, values in after.items():
        np.testing.assert_array_equal(values, before[task][:2048])
        assert schema.split("train").positives[task] == (values > 0).sum()
        assert schema.split("train").defined[task] == (values >= 0).sum()
    whole = load_schema(dataset_folder)
    assert schema.split("test") == whole.split("test")
    assert schema.fields == whole.fields
    assert schema.fingerprint != whole.fingerprint
    assert fewer_rows.make(dataset_folder, made, 1) == made  # stays as it is
    rows = whole.split("train").rows
    with pytest.raises(UserError, match=f"has {rows:,} training rows, {rows + 1:,} were asked for"):
        fewer_rows.make(dataset_folder, tmp_path / "more", rows + 1)


def test_finished_runs_are_one_curve_for_each_model(dataset_folder, tmp_path):
    schema = load_schema(dataset_folder)
    rows = schema.split("train").rows
    chosen = [one for one in entries.entries() if one.name in ("mmoe", "boosted_trees")]
    table = entries.table(chosen, schema.task_names, schema.name)
    for folder, shift in ((tmp_path, 0.1), (tmp_path / "curves" / "rows_1024", 0.0)):
        for row in table.rows:
            for seed in (1,) if row.deterministic else (1, 2):
                where = table.run_dir(folder, row, seed)
                write_run(where, {"click": 0.6 + shift + seed / 100, "conversion": 0.7}, seed=seed)
    for row in table.rows:
        best = table.run_dir(tmp_path, row, 1).with_name("tune") / "best.json"
        best.parent.mkdir()
        best.write_text(json.dumps({"epochs": 3, "patience": 1}))
    settings = learning_curves.Settings(
        str(dataset_folder), str(tmp_path), (1024,), ("mmoe", "boosted_trees"), seeds=2
    )
    learning_curves.main(settings)
    lines = pd.read_csv(tmp_path / "curves.csv").set_index(["model", "task", "rows"])
    assert len(lines) == 2 * 2 * 2
    few, many = lines.loc["MMoE", "click", 1024], lines.loc["MMoE", "click", rows]
    assert (few["value"], few["low"], few["high"]) == pytest.approx((0.615, 0.61, 0.62))
    assert (many["value"], many["folder"]) == (pytest.approx(0.715), str(tmp_path / "runs/mmoe"))
    assert (tmp_path / "curves.png").exists()
    entry, row = next((e, r) for e, r in zip(chosen, table.rows, strict=True) if e.model == "mmoe")
    best = table.run_dir(tmp_path, row, 1).with_name("tune") / "best.json"
    data = tmp_path / "curves" / "rows_1024" / "data"
    run = learning_curves._process(entry, table, tmp_path, data, best, rows, 2)
    made = load_schema(data)
    assert f"--dataset_fingerprint={made.fingerprint}" in run.command
    assert f"--epochs={-(-3 * rows // made.split('train').rows)}" in run.command
    assert f"--patience={-(-rows // made.split('train').rows)}" in run.command
    with pytest.raises(UserError, match="has no tuned model among those chosen"):
        learning_curves.main(
            learning_curves.Settings(str(dataset_folder), str(tmp_path), (1024,), ("ple",))
        )
