"""What docs/extending.md tells to do, done as it stands."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import load_schema

ROOT = pathlib.Path(__file__).parents[1]
BLOCKS = re.findall(
    r"```(\w+)\n(.*?)```", (ROOT / "docs" / "extending.md").read_text("utf-8"), re.S
)


@pytest.fixture
def folder(dataset_folder, tmp_path):
    """Where a user works: the model's module, and a dataset."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shop").symlink_to(dataset_folder)
    (tmp_path / "my_model.py").write_text(BLOCKS[0][1], "utf-8")
    return tmp_path


def run(command, folder):
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def served(folder, name):
    """Probabilities of two missing rows by a loaded export."""
    loaded = tf.saved_model.load(str(folder / "models" / name / "1"))
    signature = loaded.signatures["serving_default"]
    _, inputs = signature.structured_input_signature
    missing = {
        key: tf.zeros([2, 0][: len(spec.shape)], spec.dtype) - 1 for key, spec in inputs.items()
    }
    return signature(**missing)


def test_there_are_three_blocks_of_less_than_sixty_lines():
    assert [language for language, _ in BLOCKS] == ["python", "python", "sh"]
    assert sum(len(block.splitlines()) for language, block in BLOCKS if language == "python") < 60


def test_a_model_of_ones_own_from_python(folder):
    (folder / "run_my_model.py").write_text(BLOCKS[1][1], "utf-8")
    output = run([sys.executable, "run_my_model.py"], folder)
    click = re.search(r"'click': {'auc': ([0-9.]+)", output)
    assert float(click[1]) > 0.6  # it learns
    probabilities = served(folder, "field_gates_by_hand")
    assert {task: p.shape for task, p in probabilities.items()} == {
        "click": (2,),
        "conversion": (2,),
    }


@pytest.mark.slow
def test_a_model_of_ones_own_by_programs(folder):
    output = run(["bash", "-e", "-c", BLOCKS[2][1]], folder)
    assert '"split": "test"' in output
    assert (folder / "runs" / "field_gates" / "report.html").exists()
    assert set(served(folder, "field_gates")) == {"click", "conversion"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_module:Model", "importing no_module ended with ModuleNotFoundError"),
        (":Model", "importing nothing ended with ValueError"),
        ("json:Model", "json has no class 'Model' that is a subclass of dcrnn_tf.models.Multi"),
        ("json:loads", "json has no class 'loads' that is a subclass"),
        ("json:", "json has no class '' that is a subclass"),
        ("broken_model:Model", "importing broken_model ended with ZeroDivisionError: division by"),
    ],
)
def test_a_name_that_leads_nowhere_is_one_sentence(
    name, message, dataset_folder, tmp_path, monkeypatch
):
    (tmp_path / "broken_model.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(models.ModelError, match=message):
        models.build(name, load_schema(dataset_folder))


def test_settings_of_ones_own_model_are_checked(folder, dataset_folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    schema = load_schema(dataset_folder)
    name = "my_model:FieldGates"
    assert models.settings(name)["tower_units"] == (32, 16)
    with pytest.raises(models.ModelError, match="tower_units=3 must be a list of whole numbers"):
        models.build(name, schema, tower_units=3)
    assert models.build(name, schema, tower_units=[4]).name == "FieldGates"
