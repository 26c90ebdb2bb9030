"""The run that another one starts from: which step counts, and which architectures fit."""

import json

import pytest

from dcrnn_tf.system.errors import DatasetError
from dcrnn_tf.training.checkpoints import CHECKPOINTS
from dcrnn_tf.training.warm_start import WarmStartError
from experiments.runs import earlier_run

CONFIG = {
    "data_dir": "data",
    "dataset_fingerprint": "f",
    "model": "mmoe",
    "settings": {"expert_units": [8], "table_shards": 2},
    "seed": 1,
}


@pytest.fixture
def run(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return tmp_path


def test_the_same_model_fits_however_its_table_lies(run):
    earlier_run.check_architecture(run, {**CONFIG, "settings": {"expert_units": (8,)}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "dcrnn"}, r"holds a model with model='mmoe', and this one has model='dcrnn'"),
        ({"settings": {"expert_units": [9]}}, r"expert_units=\[8\], and this one has .*=\[9\]"),
        ({"settings": {}}, r"expert_units=\[8\], and this one has expert_units=None"),
    ],
)
def test_another_model_or_setting_is_refused(run, changes, message):
    with pytest.raises(WarmStartError, match=message):
        earlier_run.check_architecture(run, {**CONFIG, **changes})


def test_checkpoints_that_only_the_run_itself_goes_on_from_are_passed_over(run):
    with pytest.raises(DatasetError, match="has no checkpoint to start from; train it first"):
        earlier_run.step_of(run)
    for step in (10, 20, 30):
        (run / CHECKPOINTS / f"step_{step:09d}").mkdir(parents=True)
    (run / CHECKPOINTS / "step_000000030" / "only_to_continue").touch()
    assert earlier_run.step_of(run) == 20
    said = earlier_run.describe(run)
    assert said == {"run_dir": str(run), "step": 20, "dataset_fingerprint": "f"}
