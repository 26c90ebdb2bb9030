import contextlib
import io
import json
import math

import pytest

from dcrnn_tf.dataset.schema import load_schema
from experiments.baselines import constant
from experiments.baselines.constant import logit
from experiments.runs.run import load_run


@pytest.fixture(scope="module")
def run_dir(dataset_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("constant") / "run"
    for words in ("test click: AUC ", "holds this run, finished"):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            constant.main(constant.Settings(str(dataset_folder), str(folder)))
        assert words in printed.getvalue()
    return folder


@pytest.mark.parametrize("task", ["click", "conversion"])
def test_the_training_splits_rate_is_predicted(run_dir, dataset_folder, task):
    splits = load_schema(dataset_folder).splits
    rate = splits["train"].positives[task] / splits["train"].rows
    figures = load_run(run_dir).result["metrics"]["test"][task]
    observed = splits["test"].positives[task] / splits["test"].rows
    expected = -observed * math.log(rate) - (1 - observed) * math.log(1 - rate)
    assert figures["auc"] == figures["gauc"] == 0.5
    assert figures["grouped_by"] == "user"
    assert figures["logloss"] == pytest.approx(expected)
    assert figures["logloss"] > figures["constant_logloss"]
    assert figures["calibration"] == pytest.approx(rate / observed)
    assert figures["rows"] == splits["test"].rows


def test_the_run_folder_is_like_that_of_a_model(run_dir):
    assert (run_dir / "report.html").exists()
    assert set(json.loads((run_dir / "curves.json").read_text())) == {"click", "conversion"}
    run = load_run(run_dir)
    assert run.config["model"] == "constant"
    assert run.record["parameters"] == {"total": 2, "embedding": 0, "other": 2}
    assert run.record["positive_weights"] == {"click": 1.0, "conversion": 1.0}


def test_a_rate_of_nothing_has_a_finite_logit():
    assert logit(1, 4) == pytest.approx(math.log(1 / 3))
    assert logit(0, 10) == pytest.approx(math.log(0.5 / 9.5))
    assert logit(10, 10) == pytest.approx(-logit(0, 10))
