"""Tuning of models: what trials train, what they never open, and what is left in the end."""

import importlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import load_schema
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.settings import rules
from dcrnn_tf.training.metric_address import MetricAddress
from dcrnn_tf.training.settings import TrainingSettings
from experiments import train
from experiments.runs.run import load_run
from experiments.tables import equal_size
from experiments.tables.spec import PROGRAMS
from experiments.tune import __main__ as program
from experiments.tune import runs, space
from experiments.tune.objective import Objective

ROOT = pathlib.Path(__file__).parents[3]
AUC = Objective(MetricAddress.parse("validation/mean/auc"))
SMALL = {"hidden_units": [4], "embedding_dim": 4}


@pytest.fixture(scope="module")
def unreadable_test(dataset_folder, tmp_path_factory):
    """The dataset, of whose test split no byte is there."""
    folder = shutil.copytree(dataset_folder, tmp_path_factory.mktemp("data") / "closed")
    for shard in load_schema(folder).split("test").shards:
        (folder / shard.file).unlink()
    return folder


def tune(folder, out_dir, model, of_model, trials=2, **training):
    settings = program.Settings(str(folder), str(out_dir), model, trials)
    program.main(settings, program.Model(set=of_model), program.Training(**training))


@pytest.mark.slow
def test_trials_never_open_the_test_split_and_leave_the_best_settings(
    unreadable_test, dataset_folder, tmp_path, capsys
):
    out_dir = tmp_path / "tuned"
    tune(unreadable_test, out_dir, "dnn", SMALL, epochs=2, batch_size=1024)
    trials = [load_run(out_dir / "trials" / f"trial_000{number}") for number in range(2)]
    rates = [trial.config["learning_rate"] for trial in trials]
    assert rates[0] != rates[1]
    aucs = []
    for trial in trials:
        assert set(trial.result["metrics"]) == {"validation"}
        tasks = trial.result["metrics"]["validation"]
        aucs.append((tasks["click"]["auc"] + tasks["conversion"]["auc"]) / 2)
    reports = [(trial.folder / "report.html").exists() for trial in trials]
    assert reports == [auc == max(aucs) for auc in aucs]  # of the best trial alone
    best = json.loads((out_dir / "best.json").read_text())
    assert best["learning_rate"] == rates[aucs.index(max(aucs))]
    assert best["settings"]["dropout"] in (0.0, 0.1, 0.3)
    assert {**best["settings"], **SMALL} == best["settings"]
    assert (best["epochs"], best["monitor"]) == (2, "validation/mean/primary")
    page = (out_dir / "report.html").read_text()
    assert "2 trials are complete, 0 ended early; they read 12,000 training rows" in page
    assert "the test split was never opened" in page
    assert not list(out_dir.rglob("*.lock"))

    flags = train.flags_of_run(best) | {"data_dir": str(dataset_folder)}
    kinds = (train.Settings, TrainingSettings)
    known = [
        {n: rule.convert(flags[n]) for n, rule in rules(k).items() if n in flags} for k in kinds
    ]
    assert set(flags) == set(known[0]) | set(known[1])
    train.main(
        train.Settings(**known[0], run_dir=str(tmp_path / "anew")), TrainingSettings(**known[1])
    )
    result = load_run(tmp_path / "anew").result["metrics"]
    of_trial = trials[aucs.index(max(aucs))].result["metrics"]
    assert result["validation"] == of_trial["validation"]
    assert "test" in result


@pytest.mark.slow  # the page of each run takes seconds
@pytest.mark.parametrize(
    ("model", "of_model"),
    [
        ("boosted_trees", {"iterations": 2}),
        ("sklearn_logistic_regression", {"max_rows": 500}),
    ],
)
def test_baselines_are_tuned_by_the_same_budget(model, of_model, unreadable_test, tmp_path):
    out_dir = tmp_path / "tuned"
    tune(unreadable_test, out_dir, model, of_model)
    trials = [load_run(out_dir / "trials" / f"trial_000{number}") for number in range(2)]
    values = [
        sum(task["auc"] for task in trial.result["metrics"]["validation"].values()) / 2
        for trial in trials
    ]
    chosen = trials[values.index(max(values))].config
    best = json.loads((out_dir / "best.json").read_text())
    expected = {"data_dir": str(unreadable_test), **chosen["settings"]}
    assert best == expected | ({"seed": 1} if model == "boosted_trees" else {})
    known = rules(importlib.import_module(PROGRAMS[model].module).Settings)
    assert set(best) <= set(known)  # so that --config takes it
    assert all(set(trial.result["metrics"]) == {"validation"} for trial in trials)
    assert {**best, **of_model} == best


def test_a_model_is_of_the_size_that_a_trial_asks_for(dataset_folder, monkeypatch):
    parameters = equal_size.parameters
    schema = load_schema(dataset_folder)
    reference = equal_size.parameters(schema, *space.REFERENCE)
    network = runs.Network("shared_bottom", str(dataset_folder), AUC, {"set": {"embedding_dim": 8}})
    assert "size" in [one.name for one in network.dimensions]
    settings, _ = network._settings({"size": 2.0}, pathlib.Path("run"))
    assert settings.set["embedding_dim"] == 8
    count = equal_size.parameters(schema, "shared_bottom", settings.set)
    assert count == pytest.approx(2 * reference, rel=0.02)

    # Trials that differ in size or dropout share the three models by which a width is found.
    asked = []
    monkeypatch.setattr(
        equal_size, "parameters", lambda *built: asked.append(built[2]) or parameters(*built)
    )
    smaller, _ = network._settings({"size": 1.0, "set.dropout": 0.3}, pathlib.Path("run"))
    assert [one["bottom_units"] for one in asked] == [smaller.set["bottom_units"]]
    assert smaller.set["dropout"] == 0.3


def test_no_model_becomes_a_bottleneck_for_its_size(dataset_folder):
    network = runs.Network("dephn", str(dataset_folder), AUC, {})
    settings, _ = network._settings({"size": 0.25, "set.embedding_dim": 32}, pathlib.Path("run"))
    count = equal_size.parameters(load_schema(dataset_folder), "dephn", settings.set)
    reference = equal_size.parameters(load_schema(dataset_folder), *space.REFERENCE)
    assert count > reference / 4  # its mappings alone are larger
    assert settings.set["expert_units"] == [128 // 8, 64]


def test_every_space_names_settings_that_there_are():
    for model in models.names():
        registered = models.registration(model)
        for one in space.dimensions(model, {}, registered.width):
            if one.name.startswith(space.OF_MODEL):
                assert one.name.removeprefix(space.OF_MODEL) in models.settings(model), model
            else:
                assert one.name == space.SIZE or one.name in rules(TrainingSettings)
    assert set(space.PROGRAMS) == set(PROGRAMS) - {"constant"}


def test_what_is_given_is_not_tuned():
    fixed = {"learning_rate": 0.1, "set": {"cell": "gru", "units": 4}}
    names = [one.name for one in space.dimensions("dcrnn", fixed, "units")]
    assert names == [
        *("set.embedding_dim", "set.dropout", "embedding_l2"),
        *("set.bidirectional", "set.adaptation", "set.subsequence_length"),
    ]
    names = [one.name for one in space.dimensions("fm", {}, None)]
    assert names == ["learning_rate", "set.embedding_dim", "embedding_l2"]


@pytest.mark.parametrize(
    ("model", "of_model", "training", "sentence"),
    [
        ("dnn", {}, {"monitor": "test/mean/auc"}, "must be a metric of the validation split"),
        ("dnn", {}, {"monitor": "validation/buy/auc"}, "there is no task or output 'buy'"),
        ("dnn", {"width": 3}, {}, "model dnn has no setting width"),
        ("boosted_trees", {"units": 3}, {}, "model boosted_trees has no setting units"),
        ("boosted_trees", {}, {"epochs": 3}, "--epochs is not for --model=boosted_trees"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_there_is_a_folder(
    model, of_model, training, sentence, dataset_folder, tmp_path
):
    with pytest.raises(UserError, match=sentence):
        tune(dataset_folder, tmp_path / "none", model, of_model, **training)
    assert not (tmp_path / "none").exists()


def test_rows_of_steps_are_counted(dataset_folder):
    schema = load_schema(dataset_folder)  # of 3,000 training rows
    assert [runs.row_visits(schema, 512, steps) for steps in (0, 1, 6, 7)] == [0, 512, 3000, 3512]


@pytest.mark.slow
def test_killed_at_any_moment_and_shared_by_processes_it_ends_as_one_would(
    unreadable_test, tmp_path
):
    command = [sys.executable, "-m", "experiments.tune", "--model=dnn", "--trials=10"]
    command += [f"--data_dir={unreadable_test}", "--epochs=3", "--batch_size=64"]
    command += ["--set=hidden_units=[4]", "--checkpoint_every=20"]

    def start(out_dir):
        return subprocess.Popen(
            [*command, f"--out_dir={out_dir}"], cwd=ROOT, stdout=subprocess.DEVNULL
        )

    def settings(out_dir):
        folders = sorted((out_dir / "trials").glob("trial_*/"))
        return [load_run(folder).config for folder in folders]

    whole, killed, shared = (tmp_path / name for name in ("whole", "killed", "shared"))
    assert start(whole).wait() == 0
    for seconds in (7, 9, 11, 13):
        process = start(killed)
        time.sleep(seconds)
        process.kill()
        process.wait()
    assert start(killed).wait() == 0
    assert settings(killed) == settings(whole)
    assert (killed / "best.json").read_text() == (whole / "best.json").read_text()
    several = [start(shared) for _ in range(2)]
    time.sleep(8)
    os.kill(several[0].pid, signal.SIGKILL)
    several[0].wait()
    assert several[1].wait() == 0
    assert start(shared).wait() == 0
    assert len(settings(shared)) == 10
