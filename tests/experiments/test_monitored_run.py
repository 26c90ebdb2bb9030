"""A run that monitors a metric: its best checkpoint is evaluated, found again and exported."""

import json

import numpy as np
import pytest

from dcrnn_tf.training import metrics_log
from dcrnn_tf.training.checkpoints import CHECKPOINTS, Checkpoints
from dcrnn_tf.training.settings import TrainingSettings
from experiments import evaluate, export, train
from experiments.runs import findings, run_folder, trained_runs
from experiments.runs.pages import report


@pytest.mark.slow
def test_what_counts_is_the_best_step(dataset_folder, tmp_path, capsys):
    run_dir = tmp_path / "run"
    settings = train.Settings(
        data_dir=str(dataset_folder),
        run_dir=str(run_dir),
        model="shared_bottom",
        set={"embedding_dim": 8},
    )
    training = TrainingSettings(
        epochs=30,
        batch_size=256,
        learning_rate=0.03,
        evaluate_every=5,
        monitor="validation/mean/logloss",
        patience=2,
        weight_average=0.5,
    )
    train.main(settings, training)
    assert f"of 360 steps: {training.monitor} is best at step" in capsys.readouterr().out

    entries = metrics_log.read(run_dir / metrics_log.METRICS_FILE)
    losses = {
        step: np.mean([values["logloss"] for values in tasks.values()])
        for step, tasks in metrics_log.evaluations(entries, "validation").items()
    }
    best = min(losses, key=losses.get)
    result = run_folder.read(run_dir, run_folder.RESULT_FILE)
    steps = list(losses)
    assert result["evaluated_step"] == best == steps[-3]  # two evaluations without a better value
    assert (result["steps"], result["epochs"]) == (steps[-1], -(-steps[-1] // 12))
    assert best in Checkpoints(run_dir / CHECKPOINTS, {}).steps()
    logged = metrics_log.evaluations(entries, "validation")[best]
    assert result["metrics"]["validation"] == logged
    assert f"The metrics are those of step {best}, the best one by {training.monitor}" in (
        run_dir / report.REPORT_FILE
    ).read_text(encoding="utf-8")
    assert list(findings.findings(run_dir)) == []

    evaluate.main(evaluate.Settings(run_dir=str(run_dir)))
    told = json.loads(capsys.readouterr().out)
    assert (told["step"], told["metrics"]) == (best, result["metrics"]["test"])
    assert trained_runs.load(run_dir, step=trained_runs.LAST).step == steps[-1]
    export.main(export.Settings(run_dir=str(run_dir), export_dir=str(tmp_path / "models")))
    assert f"Step {best} of" in capsys.readouterr().out


def test_the_best_step_of_a_folder_is_by_the_metric_that_it_monitors(tmp_path):
    for step in (10, 20, 30):
        (tmp_path / CHECKPOINTS / f"step_{step:09d}").mkdir(parents=True)
    for step, auc, logloss in ((10, 0.6, 0.3), (20, 0.7, 0.2), (30, 0.8, 0.25), (40, 0.7, 0.1)):
        metrics = {"click": {"auc": auc, "logloss": logloss, "rows": 9, "positives": 4}}
        entry = {"kind": "evaluation", "epoch": 1, "step": step, "split": "validation"}
        metrics_log.append(tmp_path / metrics_log.METRICS_FILE, entry | {"metrics": metrics})
    assert trained_runs.best_step(tmp_path) == 30
    config = {"data_dir": "", "dataset_fingerprint": "", "model": "", "settings": {}, "seed": 1}
    run_folder.write_json(
        tmp_path / run_folder.CONFIG_FILE, config | {"monitor": "validation/click/logloss"}
    )
    assert trained_runs.best_step(tmp_path) == 20  # there is no checkpoint of step 40
