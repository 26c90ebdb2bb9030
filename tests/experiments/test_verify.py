import json
import shutil

import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import DatasetError, load_schema
from dcrnn_tf.system.errors import UserError
from dcrnn_tf.training.checkpoints import Checkpoints, numbered
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


def trained(folder, dataset_folder):
    """A finished run of 300 steps, as training leaves it, with the checkpoint of its last step."""
    schema = load_schema(dataset_folder)
    settings = {"embedding_dim": 2}
    model = models.build("shared_bottom", schema, **settings)
    write_run(
        folder,
        {"click": 0.7, "conversion": 0.6},
        model="shared_bottom",
        settings=settings,
        fingerprint=schema.fingerprint,
        data_dir=str(dataset_folder),
    )
    Checkpoints(folder / "checkpoints", numbered("model", model.variables)).save(300)
    return folder


@pytest.fixture(scope="module")
def whole_run(dataset_folder, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("verify") / "run", dataset_folder)


@pytest.fixture
def run_dir(whole_run, tmp_path):
    return shutil.copytree(whole_run, tmp_path / "run")


def found(run_dir, capsys):
    """The findings that are printed."""
    with pytest.raises(DatasetError, match=r"has \d+ finding"):
        verify.verify_run(run_dir)
    return capsys.readouterr().out.splitlines()


def test_a_sound_run(run_dir, capsys):
    verify.verify_run(run_dir)
    assert capsys.readouterr().out == f"{run_dir} is sound; checkpoints of steps: 300.\n"


def test_a_damaged_run(run_dir, capsys):
    (run_dir / "config.json").write_text("{")
    (run_dir / "metrics.jsonl").write_text("{\n")
    (run_dir / "checkpoints" / "step_000000300" / "variables.index").unlink()
    config, metrics, checkpoint = found(run_dir, capsys)
    assert "config.json is not JSON" in config
    assert "metrics.jsonl, line 1, is not JSON" in metrics
    assert "step_000000300 is damaged: " in checkpoint


def test_what_a_finished_run_lacks(run_dir, capsys):
    (run_dir / "metrics.jsonl").unlink()
    (run_dir / "curves.json").unlink()
    shutil.rmtree(run_dir / "checkpoints")
    assert found(run_dir, capsys) == [
        f"{run_dir}/curves.json is missing; is this a run folder?",
        f"{run_dir}/metrics.jsonl is missing, and the run is finished",
        f"{run_dir}/checkpoints has no checkpoint of the last step, 300",
    ]


def test_a_finished_run_whose_metrics_are_cut(run_dir, capsys):
    path = run_dir / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert found(run_dir, capsys) == [f"{path} has no evaluation of the last step, 300"]


def test_a_run_that_is_not_finished_or_was_fitted_at_once_lacks_nothing(run_dir, capsys):
    shutil.rmtree(run_dir / "checkpoints")
    (run_dir / "metrics.jsonl").unlink()
    result = run_dir / "result.json"
    result.write_text(json.dumps(json.loads(result.read_text()) | {"steps": None}))
    verify.verify_run(run_dir)
    (run_dir / "curves.json").unlink()
    result.unlink()
    verify.verify_run(run_dir)
    assert capsys.readouterr().out == (f"{run_dir} is sound; checkpoints of steps: none.\n" * 2)


@pytest.mark.parametrize(
    ("settings", "difference"),
    [
        ({"embedding_dim": 3}, "has shape [70, 2] there, [70, 3] here"),
        ({"embedding_dim": 2, "tower_units": [4, 4, 4]}, "it is of another model"),
    ],
)
def test_a_checkpoint_that_is_not_of_the_runs_model(run_dir, settings, difference, capsys):
    path = run_dir / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": settings}))
    (finding,) = found(run_dir, capsys)
    assert finding.startswith(f"{run_dir}/checkpoints/step_000000300 is damaged: it is of another")
    assert difference in finding


def test_a_model_that_cannot_be_built(run_dir, capsys):
    path = run_dir / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model": "shared_buttom"}))
    (finding,) = found(run_dir, capsys)
    assert finding.startswith(f"{path} asks for no model of the dataset: model 'shared_buttom'")


def test_a_run_whose_dataset_is_elsewhere(run_dir, capsys):
    path = run_dir / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data_dir": "gone"}))
    verify.verify_run(run_dir)
    assert capsys.readouterr().out.startswith(
        "Checkpoints are not compared with the run's model: gone is not a prepared dataset"
    )


def test_a_checkpoint_with_a_number_that_is_not_finite(run_dir, capsys):
    variables = {"model_0000_a": tf.Variable([1.0, float("nan")])}
    Checkpoints(run_dir / "checkpoints", variables).save(300)
    path = run_dir / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data_dir": "gone"}))
    *_, finding = found(run_dir, capsys)
    assert finding.endswith("model_0000_a holds a number that is not finite")


def test_a_folder_that_is_no_run(tmp_path, capsys):
    with pytest.raises(DatasetError, match="has 2 findings"):
        verify.verify_run(tmp_path / "none")
    assert "config.json is missing; is this a run folder?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("config.json", {"dataset_fingerprint": None}, "dataset_fingerprint is null, expected a "),
        ("run.json", {"positive_weights": None}, "positive_weights is null, expected a JSON obj"),
        (
            "run.json",
            {"positive_weights": {"click": -2.0, "conversion": 1.0}},
            "positive_weights.click is -2.0, expected a finite number above 0",
        ),
        ("run.json", {"positive_weights": {"click": 2.0}}, "expected those of click, conversion"),
        ("config.json", {"model": "mmmoe"}, "model 'mmmoe' is not one of"),
        ("config.json", {"settings": {"name": "mmoe"}}, "has no setting name"),
        ("config.json", {"settings": {"schema": 1}}, "has no setting schema"),
        ("config.json", {"fields": ["nobody"]}, "has no field nobody"),
        ("config.json", {"data_dir": "gone"}, "gone is not a prepared dataset"),
        ("config.json", {"mixed_precision": "float8"}, 'mixed_precision is "float8", expected one'),
    ],
)
def test_a_run_whose_files_say_what_cannot_be_is_not_loaded(run_dir, name, change, sentence):
    path = run_dir / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=sentence) as refusal:
        trained_runs.load(run_dir)
    assert str(path) in str(refusal.value)
