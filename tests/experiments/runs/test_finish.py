"""The end of a run, from its predictions to its result."""

import json
import math

import numpy as np
import pytest

from experiments.runs import finish
from tests.experiments.run_folders import write_run


def test_a_run_ends_with_its_metrics_the_last_splits_curves_and_sentences(tmp_path, capsys):
    folder = write_run(tmp_path / "run", {"click": 0.5}, finished=False)
    columns = {
        "validation": ([1, 0], [0.0, 0.0]),
        # Of the four pairs of a positive and a negative three are in order.
        "test": ([1, 0, 1, 0, -1], [2.0, 1.0, 0.0, -1.0, 9.0]),
    }
    predictions = (
        (split, {"click": np.array(labels)}, {"click": np.array(logits)})
        for split, (labels, logits) in columns.items()
    )
    metrics = finish.evaluate(folder, predictions, keep_scores=True)
    assert metrics["test"]["click"]["auc"] == 0.75
    ((task, (labels, logits)),) = finish.scores(folder).items()
    assert (task, [*labels], [*logits]) == ("click", *columns["test"])
    assert metrics["validation"]["click"]["logloss"] == pytest.approx(math.log(2))
    curves = json.loads((folder / "curves.json").read_text())
    assert sum(curves["click"]["scores"]["positives"]) == 2  # the test split's, not one
    assert not (folder / "result.json").exists()

    result = {"epochs": 1, "steps": 1, "metrics": metrics}
    finish.finish(folder, result, paged=False)
    assert json.loads((folder / "result.json").read_text()) == result
    assert not (folder / "report.html").exists()
    assert "Report" not in capsys.readouterr().out
    (folder / "result.json").unlink()
    finish.finish(folder, result)
    assert json.loads((folder / "result.json").read_text())["metrics"] == metrics
    assert "0.7500" in (folder / "report.html").read_text(encoding="utf-8")
    first, second, last = capsys.readouterr().out.splitlines()
    # ln(1 + e^-2), ln(1 + e), ln 2 and ln(1 + e^-1): 0.12693 + 1.31326 + 0.69315 + 0.31326, of 4.
    assert second.startswith("test click: AUC 0.7500, logloss 0.61165 (constant 0.69315), ")
    assert second.endswith(", 2 positives in 4 rows")
    assert first.startswith("validation click: AUC 0.5000, logloss 0.69315 ")
    assert last == f"Report: {folder / 'report.html'}"


def test_a_split_of_one_class_or_without_rows_is_said_to_have_no_auc(tmp_path, capsys):
    folder = write_run(tmp_path / "run", {"click": 0.5}, finished=False)
    labels = {"click": np.array([1]), "play": np.array([-1])}
    logits = {"click": np.array([0.0]), "play": np.array([0.0])}
    metrics = finish.evaluate(folder, [("test", labels, logits)])
    finish.finish(folder, {"epochs": 1, "steps": 1, "metrics": metrics})
    click, play, _ = capsys.readouterr().out.splitlines()
    assert click.startswith("test click: AUC n/a (one class only), logloss 0.69315 ")
    assert play == "test play: n/a (no rows)"


def test_a_run_without_a_held_out_split_has_no_curves(tmp_path):
    folder = write_run(tmp_path / "run", {"click": 0.5}, finished=False)
    assert finish.evaluate(folder, []) == {}
    assert not (folder / "curves.json").exists()
    assert finish.scores(folder) is None


def test_a_report_that_cannot_be_written_leaves_the_run_unfinished(tmp_path):
    folder = write_run(tmp_path / "run", {"click": 0.5}, finished=False)
    (folder / "report.html").mkdir()
    with pytest.raises(OSError, match="report"):
        finish.finish(folder, {"epochs": 1, "steps": 1, "metrics": {}})
    assert not (folder / "result.json").exists()
