"""Runs that a table takes over from another one."""

import json
import shlex
import shutil
import sys

import pytest

from dcrnn_tf.dataset.schema import load_schema
from dcrnn_tf.system import code_identity
from experiments.runs import reuse, run_folder
from tests.experiments.run_folders import write_run

COMMAND = ["python", "-m", "experiments.train", "--run_dir=new", "--set=units=[8, 4]", "--seed=2"]


VERSIONS = {"python": "3.11.4", "keras": "3.15.1"}  # those of `write_run`


def use_code(monkeypatch, digest, revision="abc"):
    identity = {"version": "0.1.0", "digest": digest, "git_revision": revision}
    monkeypatch.setattr(code_identity, "identity", lambda: identity)


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A finished run of another table, by the same command on other threads."""
    use_code(monkeypatch, "c0de")
    monkeypatch.setattr(run_folder, "versions", lambda: VERSIONS)
    folder = write_run(tmp_path / "tables" / "one" / "runs" / "mmoe" / "seed_2", {"click": 0.7})
    words = ["python3.12", *COMMAND[1:3], "--run_dir=old", *COMMAND[4:], "--threads=1"]
    change(folder, command=shlex.join(words))
    return folder


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "tables" / "two" / "runs" / "mmoe_again" / "seed_2"


def change(folder, **values):
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | values))


def test_the_same_run_is_copied_whole(other, mine):
    mine.parent.mkdir(parents=True)
    (mine.parent / ".seed_2.partial").mkdir()  # left behind by a copy that was cut off
    assert reuse.take_over(COMMAND, mine, "f00d")
    assert run_folder.finished(mine)
    names = {path.name for path in other.iterdir()}
    assert {path.name for path in mine.iterdir()} == names
    assert [path.name for path in mine.parent.iterdir()] == ["seed_2"]


@pytest.mark.parametrize(
    ("command", "same"),
    [
        ("python -m train --run_dir=old --set=units=[8, 4] --seed=2", True),  # without quotes
        ("python -m train --run_dir='o l d' '--set=units=[8, 4]' --seed=2", True),
        ("python -m train --run_dir=old '--set=units=[8, 4] --seed=2'", False),
        ("python -m train --run_dir=old '--set=units=[8, 5]' --seed=2", False),
        ("python -m train '--run_dir=old", False),
    ],
)
def test_commands_are_compared_word_by_word(other, command, same):
    change(other, command=command)
    assert reuse.made_by(other, COMMAND) is same


def test_the_command_of_a_run_can_be_pasted(dataset_folder, monkeypatch):
    words = [*COMMAND, "--run_dir=exp [v2]/$a", "--model=o'clock"]
    monkeypatch.setattr(sys, "executable", "/usr/bin/python 3")
    monkeypatch.setattr(sys, "orig_argv", words)
    record = run_folder.describe(load_schema(dataset_folder), {}, {})
    assert shlex.split(record["command"]) == ["python 3", *words[1:]]


def test_a_table_inside_something_larger_takes_over_too(other, tmp_path):
    inner = tmp_path / "tables" / "online" / "offline" / "runs" / "mmoe" / "seed_2"
    assert reuse.take_over(COMMAND, inner, "f00d")
    assert run_folder.finished(inner)


def test_another_setting_or_order_of_words_is_another_run(other, mine):
    for command in (
        [*COMMAND[:-1], "--seed=3"],
        [*COMMAND, "--epochs=2"],
        COMMAND[:-1],
        ["python", "-m", "experiments.train", "--run_dir=new", "--set=units=[8, 5]", "--seed=2"],
    ):
        assert not reuse.take_over(command, mine, "f00d")
    assert not mine.exists()


def test_other_data_code_or_an_unfinished_run_are_not_taken(other, mine, monkeypatch):
    assert not reuse.take_over(COMMAND, mine, "beef")
    use_code(monkeypatch, "other")
    assert not reuse.take_over(COMMAND, mine, "f00d")
    use_code(monkeypatch, "c0de")
    (other / "result.json").unlink()
    assert not reuse.take_over(COMMAND, mine, "f00d")
    assert not mine.exists()


@pytest.mark.parametrize("revision", ["abc", "abc-dirty", "abd", None])
def test_the_code_is_known_by_its_content_and_not_by_a_commit(other, mine, monkeypatch, revision):
    use_code(monkeypatch, "other", revision)
    assert not reuse.take_over(COMMAND, mine, "f00d")
    use_code(monkeypatch, "c0de", revision)
    assert reuse.take_over(COMMAND, mine, "f00d")


def test_runs_of_other_libraries_are_not_taken(other, mine, monkeypatch):
    monkeypatch.setattr(run_folder, "versions", lambda: VERSIONS | {"keras": "3.15.2"})
    assert not reuse.take_over(COMMAND, mine, "f00d")


@pytest.mark.parametrize("code", [None, "abc", {}])
def test_runs_of_unknown_code_are_not_taken(other, mine, code):
    change(other, code=code)
    assert not reuse.take_over(COMMAND, mine, "f00d")


def test_runs_of_a_users_own_model_are_not_taken(other, mine):
    own = [*COMMAND, "--model=mine:Model"]
    change(other, command=" ".join(own))
    assert reuse.made_by(other, own)
    assert not reuse.take_over(own, mine, "f00d")


@pytest.mark.parametrize("name", ["run.json", "result.json", "config.json"])
def test_a_damaged_run_is_passed_over_and_named(other, mine, name, tmp_path, capsys):
    whole = tmp_path / "tables" / "zero" / "runs" / "mmoe" / "seed_2"  # comes after "one"
    shutil.copytree(other, whole)
    (other / name).write_text("{")
    assert reuse.take_over(COMMAND, mine, "f00d")
    assert (mine / name).read_bytes() == (whole / name).read_bytes()
    said = capsys.readouterr().err
    assert said.startswith(f"{other / name} is not JSON")
    assert said.count("\n") == 1


def test_a_run_of_other_code_is_told(other, monkeypatch):
    assert reuse.remark(other) == ""
    use_code(monkeypatch, "other")
    assert reuse.remark(other) == " It was begun by other code than this."


def test_a_run_knows_the_command_that_made_it(other):
    elsewhere = [word for word in COMMAND if not word.startswith("--run_dir=")]
    assert reuse.made_by(other, [*elsewhere, "--run_dir=elsewhere", "--threads=7"])
    assert not reuse.made_by(other, [*COMMAND, "--epochs=2"])


def test_a_program_that_has_moved_to_another_package_has_made_its_runs(other):
    moved = [word.replace("experiments.train", "experiments.inner.train") for word in COMMAND]
    assert reuse.made_by(other, moved)
    renamed = [word.replace("experiments.train", "experiments.trained") for word in COMMAND]
    assert not reuse.made_by(other, renamed)
