"""Runs that a table takes over from another one."""

import json

import pytest

from experiments.runs import reuse, run_folder
from tests.experiments.run_folders import write_run

COMMAND = ["python", "-m", "experiments.train", "--run_dir=new", "--set=units=[8, 4]", "--seed=2"]


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A finished run of another table, by the same command on other threads."""
    monkeypatch.setattr(run_folder, "git_revision", lambda: "abc")
    folder = write_run(tmp_path / "tables" / "one" / "runs" / "mmoe" / "seed_2", {"click": 0.7})
    words = ["python3.12", *COMMAND[1:3], "--run_dir=old", *COMMAND[4:], "--threads=1"]
    change(folder, command=" ".join(words), git_revision="abc")
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


def test_other_data_revision_or_an_unfinished_run_are_not_taken(other, mine, monkeypatch):
    assert not reuse.take_over(COMMAND, mine, "beef")
    for revision in ("abd", "abc-dirty", None):
        monkeypatch.setattr(run_folder, "git_revision", lambda revision=revision: revision)
        assert not reuse.take_over(COMMAND, mine, "f00d")
    monkeypatch.setattr(run_folder, "git_revision", lambda: "abc")
    (other / "result.json").unlink()
    assert not reuse.take_over(COMMAND, mine, "f00d")
    assert not mine.exists()


def test_files_that_differ_from_the_commit_are_never_the_same(other, mine, monkeypatch):
    change(other, git_revision="abc-dirty")
    monkeypatch.setattr(run_folder, "git_revision", lambda: "abc-dirty")
    assert not reuse.take_over(COMMAND, mine, "f00d")


def test_outside_of_a_checkout_nothing_is_known_to_be_the_same(other, mine, monkeypatch):
    change(other, git_revision=None)
    monkeypatch.setattr(run_folder, "git_revision", lambda: None)
    assert not reuse.take_over(COMMAND, mine, "f00d")


def test_a_run_knows_the_command_that_made_it(other):
    elsewhere = [word for word in COMMAND if not word.startswith("--run_dir=")]
    assert reuse.made_by(other, [*elsewhere, "--run_dir=elsewhere", "--threads=7"])
    assert not reuse.made_by(other, [*COMMAND, "--epochs=2"])


def test_a_program_that_has_moved_to_another_package_has_made_its_runs(other):
    moved = [word.replace("experiments.train", "experiments.inner.train") for word in COMMAND]
    assert reuse.made_by(other, moved)
    renamed = [word.replace("experiments.train", "experiments.trained") for word in COMMAND]
    assert not reuse.made_by(other, renamed)
