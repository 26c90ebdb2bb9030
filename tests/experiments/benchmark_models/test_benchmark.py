"""The benchmark of tuned models: its models, its processes, and its page."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dcrnn_tf import models
from dcrnn_tf.metrics.intervals.delong import auc_difference
from dcrnn_tf.system.errors import UserError
from experiments.benchmark_models import content, entries, page, plan, row_intervals
from experiments.benchmark_models.content import DatasetResult
from experiments.runs import finish
from experiments.tables.comparison import holm
from experiments.tables.result import aggregate
from experiments.tables.spec import PROGRAMS
from experiments.tune import space
from experiments.tune.study import Budget, Study, read_trials
from tests.experiments.run_folders import write_run

ROOT = pathlib.Path(__file__).parents[3]
CHOSEN = (
    entries.BASELINE,
    entries.Entry("ple", "PLE", "ple"),
    entries.Entry("dnn", "DNN", "dnn"),
    entries.Entry("boosted_trees", "Boosted trees", "boosted_trees"),
)
AUCS = {
    "MMoE": [0.700, 0.712, 0.704],
    "PLE": [0.722, 0.731, 0.7251],
    "DNN": [0.701, 0.713, 0.7045],
    "Boosted trees": [0.719],
}
TASKS = ("click", "conversion")


def test_entries_name_models_and_settings_that_there_are():
    found = entries.entries()
    assert len({entry.name for entry in found}) == len({entry.label for entry in found})
    assert found[0] == entries.BASELINE
    assert set(entries.SMOKE) <= {entry.name for entry in found}
    for entry in found:
        if entry.model not in PROGRAMS:
            assert set(entry.settings) <= set(models.settings(entry.model))
    assert {"dcrnn", "dcrnn_no_ada", "dephn_no_virtual", "boosted_trees"} <= {e.name for e in found}


def study_of(folder, values):
    """A finished study whose trials have these values."""
    study = Study(folder, {"model": "m"}, space.SHARED, True, 1)
    for value in values:
        with study.claim(Budget(len(values))) as claimed:
            study.tell(claimed, value, 1000, seconds=30.0)
    return study


def fill(folder, shift=0.0, name="shop"):
    """The folder of a dataset of the benchmark, as its processes leave it."""
    table = entries.table(CHOSEN, TASKS, name)
    for entry, row in zip(CHOSEN, table.rows, strict=True):
        for seed, auc in enumerate(AUCS[entry.label], start=1):
            where = table.run_dir(folder, row, seed)
            values = {"click": auc + shift, "conversion": 0.6 + auc / 10}
            write_run(where, values, seed=seed, model=entry.model, name=name)
    study_of(folder / "tune", [0.6, 0.7, 0.65])
    trials = dict.fromkeys([entry.label for entry in CHOSEN], read_trials(folder / "tune"))
    return DatasetResult(name, aggregate(table, folder, range(1, 4)), trials, [f"{name}: ESMM."])


def test_the_page_has_every_number_from_run_folders(tmp_path):
    results = [fill(tmp_path / "shop"), fill(tmp_path / "other", 0.01, "other")]
    written = page.write(tmp_path, results).markdown()
    names = {path.name for path in tmp_path.iterdir()}
    assert {"benchmark.md", "benchmark.csv", "report.html", "ranks.png"} <= names
    assert {"shop_models.png", "shop_cost.svg", "other_models.png"} <= names
    # All p-values of the dataset are corrected together: three models, two tasks.
    pairs = [(label, task) for task in TASKS for label in ("PLE", "DNN", "Boosted trees")]
    values = []
    for label, task in pairs:
        ours, theirs = AUCS[label] * (3 if len(AUCS[label]) == 1 else 1), AUCS["MMoE"]
        scale = 1.0 if task == "click" else 0.1
        values.append(
            stats.ttest_rel([a * scale for a in ours], [b * scale for b in theirs]).pvalue
        )
    expected = dict(zip(pairs, holm(values), strict=True))
    found = {(c.row.row.label, c.task): c.corrected for c in content.compared(results[0])}
    for pair, value in expected.items():
        assert found[pair] == pytest.approx(value)
    assert found["MMoE", "click"] is None
    lines = pd.read_csv(tmp_path / "benchmark.csv")
    assert len(lines) == 2 * 2 * 4
    of_ple = lines[(lines["model"] == "PLE") & (lines["task"] == "click")].set_index("dataset")
    assert of_ple.loc["shop", "mean"] == pytest.approx(sum(AUCS["PLE"]) / 3)
    assert of_ple.loc["shop", "p_holm"] == pytest.approx(expected["PLE", "click"])
    assert of_ple.loc["shop", "folder"] == "shop/runs/ple"
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert len(runs) == 2 * 2 * (3 + 3 + 3 + 1)
    first = runs[(runs["model"] == "PLE") & (runs["task"] == "click") & (runs["dataset"] == "shop")]
    assert first["value"].tolist() == pytest.approx(AUCS["PLE"])
    assert first["folder"].tolist() == [f"shop/runs/ple/seed_{seed}" for seed in (1, 2, 3)]
    trials = pd.read_csv(tmp_path / "trials.csv")
    assert len(trials) == 2 * 4 * 3
    best = trials.loc[trials["value"].idxmax()]
    assert best["folder"] == "shop/runs/mmoe/tune/trials/trial_0001"
    assert set(json.loads(best["settings"])) == {one.name for one in space.SHARED}
    assert "shop, click: the best mean AUC is that of PLE, 0.7260" in written
    assert "Mean ranks over 2 datasets of 4 models: Friedman's test" in written
    assert content.ranks(results).means["PLE"] == 1.0
    assert "shop: ESMM." in written
    cost = {line[0]: line for line in content.cost_grid(results[0]).cells}["PLE"]
    assert cost[1:5] == ("3", "3", "0.7000", "0.0500")  # of 0.6, 0.7 and 0.65
    assert cost[6:8] == ("3,000", "1.5")


def test_sensitivity_is_that_of_the_models_that_share_a_space(tmp_path):
    learning_rate = space.dimensions("boosted_trees", {})[0]
    with Study(tmp_path, {}, [learning_rate], True, 1).claim(Budget(1)) as claimed:
        assert page._within(space.SHARED[0], {"learning_rate": 0.001})
        assert not page._within(space.SHARED[0], claimed.values)  # one of trees, above 0.01
    assert not page._within(space.SHARED[1], {"learning_rate": 0.001})
    assert page._within(space.SHARED[1], {"set.embedding_dim": 16})


def test_intervals_over_test_rows_are_those_of_the_kept_scores(tmp_path):
    result = fill(tmp_path / "shop").result
    assert row_intervals.intervals(result) == {}  # no run has kept its scores
    random = np.random.default_rng(1)
    labels = {"click": np.tile([1, 0, 0, -1], 50), "conversion": np.tile([0, 1, 0, 0], 50)}
    kept = {}
    for row in result.rows[:3]:
        for run in row.runs:
            scores = {task: random.normal(size=200) + (y > 0) for task, y in labels.items()}
            finish.evaluate(run.folder, [("test", labels, scores)], keep_scores=True)
            kept.setdefault(row.row.label, []).append(scores)
    found = row_intervals.intervals(result)
    pairs = {(label, task) for label in ("PLE", "DNN") for task in TASKS}
    assert set(found) == pairs  # nor has the one run of the trees
    for label, task in pairs:
        there = labels[task] >= 0
        ours, theirs = ([scores[task][there] for scores in kept[one]] for one in (label, "MMoE"))
        assert found[label, task] == auc_difference(labels[task][there], ours, theirs)[1]
    other = {task: y[::-1] for task, y in labels.items()}
    for run in result.rows[1].runs:
        finish.evaluate(run.folder, [("test", other, scores)], keep_scores=True)
    with pytest.raises(UserError, match="has scored other test rows of click than"):
        row_intervals.intervals(result)


def test_tunings_are_done_with_all_trials_and_runs_follow_the_best_settings(tmp_path):
    table = entries.table(CHOSEN, TASKS, "shop")
    budget = plan.Budget(trials=3, epochs=4, patience=1, batch_size=64, seeds=2)
    prepared = pathlib.Path("data/shop")
    tunings = plan.tunings(CHOSEN, table, prepared, tmp_path, budget)
    assert [tuning.steps() for tuning in tunings] == [0, 0, 0, 0]
    assert {"--epochs=4", "--patience=1", "--noreport", "--noprune"} <= set(tunings[0].command)
    pruned = dataclasses.replace(budget, prune=True)
    (first, *_) = plan.tunings(CHOSEN, table, prepared, tmp_path, pruned)
    assert "--noprune" not in first.command
    assert not any("epochs" in word for word in tunings[3].command)
    study_of(tunings[0].folder, [0.6, None, 0.65])
    assert (tunings[0].steps(), tunings[0].done(), tunings[1].done()) == (3, True, False)

    best = {"learning_rate": 0.01, "settings": {}, "seed": 1, "data_dir": "elsewhere"}
    (tunings[0].folder / "best.json").write_text(json.dumps(best))
    runs, without = plan.finals(CHOSEN, table, prepared, tmp_path, budget)
    (run,) = runs
    assert [folder.relative_to(tmp_path).as_posix() for folder in run.seeds] == [
        "runs/mmoe/seed_1",
        "runs/mmoe/seed_2",
    ]
    assert run.command[-3:-1] == [f"--run_dir={tmp_path / 'runs' / 'mmoe'}", "--seeds=2"]
    assert set(without.values()) == {"its tuning has 0 of 3 trials"}
    assert len(without) == 2 + 2 + 1
    more = dataclasses.replace(budget, trials=4)  # no run of settings that were the best too early
    assert plan.finals(CHOSEN, table, prepared, tmp_path, more)[0] == []
    write_run(run.seeds[0], {"click": 0.7}, learning_rate=0.01)
    assert (run.steps(), run.done()) == (1, False)
    assert run.failed("no room") == {run.seeds[1]: "no room"}
    write_run(run.seeds[1], {"click": 0.7}, seed=2, learning_rate=0.01)
    assert plan.finals(CHOSEN, table, prepared, tmp_path, budget)[0][0].done()
    (tunings[0].folder / "best.json").write_text(json.dumps(best | {"learning_rate": 0.02}))
    with pytest.raises(UserError, match="seed_1 was made with another learning_rate than"):
        plan.finals(CHOSEN, table, prepared, tmp_path, budget)


@pytest.mark.slow
def test_the_shortest_form_is_made_once(tmp_path):
    command = [sys.executable, "-m", "experiments.benchmark_models", "--preset=smoke"]
    command += [f"--work_dir={tmp_path / 'data'}", f"--out_dir={tmp_path / 'out'}"]
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = pd.read_csv(tmp_path / "out-smoke" / "benchmark.csv")
        assert set(lines["model"]) == {"MMoE", "Shared bottom", "Boosted trees"} | {
            "Logistic regression, scikit-learn"
        }
    runs = list((tmp_path / "out-smoke").glob("*/runs/*/seed_*/result.json"))
    assert len(runs) == 2 + 2 + 1 + 1
