"""The work folder of a preparation, taken up or removed."""

import shutil

import pytest

from data_prep.storage.work_folder import WorkFolder, scratch_folder
from dcrnn_tf.system.errors import DatasetError
from dcrnn_tf.system.folder_lock import FolderInUseError


def test_half_a_work_folder_is_not_taken_up(tmp_path, monkeypatch, capsys):
    work = WorkFolder(tmp_path / "out.work", {"seed": 1})
    work.save("train.json", {"rows": 3})
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", lambda *a, **k: None)  # a kill before much is removed
        work.remove()
    assert work.load("train.json") == {"rows": 3}
    again = WorkFolder(tmp_path / "out.work", {"seed": 1})
    assert again.load("train.json") is None
    assert "Removing" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [b"", b'{"rows": ', b"[3]", b"\xff"])
def test_a_damaged_file_is_named_and_a_damaged_task_is_not_taken_up(tmp_path, damage, capsys):
    work = WorkFolder(tmp_path / "work", {"seed": 1})
    (work.path / "train.json").write_bytes(damage)
    with pytest.raises(DatasetError, match=rf"train\.json .*; remove {work.path} to begin again"):
        work.load("train.json")
    (work.path / "task.json").write_bytes(damage)
    work.release()
    assert WorkFolder(work.path, {"seed": 1}).load("train.json") is None
    assert "Removing" in capsys.readouterr().out


def test_two_at_once_keep_out_of_each_others_way(tmp_path):
    with scratch_folder(tmp_path / "made"):
        (tmp_path / "made" / "file").write_text("mine")
        with pytest.raises(FolderInUseError, match="made is in use by another process"):
            scratch_folder(tmp_path / "made").__enter__()
        assert (tmp_path / "made" / "file").read_text() == "mine"
    assert not (tmp_path / "made").exists()
    assert not (tmp_path / "made.lock").exists()


def test_a_folder_is_free_again_for_this_process(tmp_path):
    WorkFolder(tmp_path / "work", {"seed": 1}).release()
    WorkFolder(tmp_path / "work", {"seed": 1}).remove()
