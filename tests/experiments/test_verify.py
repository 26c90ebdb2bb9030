import shutil

import pytest
import tensorflow as tf

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.training.checkpoints import Checkpoints
from experiments import verify
from experiments.runs import trained_runs
from tests.damage import change_column, put
from tests.experiments.run_folders import write_run


def test_a_sound_dataset(dataset_folder, capsys):
    verify.verify_dataset(dataset_folder)
    assert capsys.readouterr().out == (
        f"{dataset_folder} is sound: train 3,000 rows, validation 500 rows, test 700 rows, "
        "user table 40 rows; 5 fields.\n"
    )


def test_a_damaged_dataset_has_a_line_for_each_finding(dataset_folder, tmp_path, capsys):
    folder = shutil.copytree(dataset_folder, tmp_path / "d")
    change_column(folder, "train", 2, "item", put(0, 50))
    (folder / "features.json").unlink()
    with pytest.raises(DatasetError, match="has 2 findings"):
        verify.verify_dataset(folder)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "tiny-train.tfrecord-00000-of-00001, record 2 (counted from 0), item: " in lines[1]


def test_a_file_that_is_all_wrong_is_not_listed_whole(dataset_folder, monkeypatch):
    monkeypatch.setattr(verify, "MOST_FINDINGS", 3)
    with pytest.raises(DatasetError, match="has 3 findings or more"):
        verify._print_all(iter("abcde"), dataset_folder)


@pytest.fixture
def run_dir(tmp_path):
    folder = write_run(tmp_path / "run", {"click": 0.7})
    checkpoints = Checkpoints(folder / "checkpoints", {"a": tf.Variable(1.0)})
    checkpoints.save(4)
    checkpoints.save(8)
    return folder


def test_a_sound_run(run_dir, capsys):
    verify.verify_run(run_dir)
    assert capsys.readouterr().out == f"{run_dir} is sound; checkpoints of steps: 4, 8.\n"


def test_a_damaged_run(run_dir, capsys):
    (run_dir / "config.json").write_text("{")
    (run_dir / "metrics.jsonl").write_text("{}\n{\n{}\n")
    (run_dir / "checkpoints" / "step_000000008" / "variables.index").unlink()
    with pytest.raises(DatasetError, match="has 3 findings"):
        verify.verify_run(run_dir)
    config, metrics, checkpoint = capsys.readouterr().out.splitlines()
    assert "config.json is not JSON" in config
    assert "metrics.jsonl, line 2, is not JSON" in metrics
    assert "step_000000008 is damaged: " in checkpoint


def test_a_folder_that_is_no_run(tmp_path, capsys):
    with pytest.raises(DatasetError, match="has 2 findings"):
        verify.verify_run(tmp_path / "none")
    assert "config.json is missing; is this a run folder?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "missing"),
    [("config.json", "lacks dataset_fingerprint"), ("run.json", "lacks positive_weights")],
)
def test_a_run_that_lacks_what_is_needed_to_take_it_up(run_dir, name, missing):
    if name == "run.json":
        config = run_dir / "config.json"
        config.write_text(config.read_text().replace("{", '{"dataset_fingerprint": "f00d", ', 1))
        (run_dir / name).write_text("{}")
    with pytest.raises(DatasetError, match=f"{name} is damaged: it {missing}"):
        trained_runs.load(run_dir)
