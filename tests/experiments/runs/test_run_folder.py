import json

import pytest

from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.folder_lock import FolderInUseError, FolderLock
from experiments.runs import run_folder

CONFIG = {"data_dir": "d", "dataset_fingerprint": "f", "seed": 1, "settings": {"units": (64, 32)}}


def test_a_new_folder_records_its_settings(tmp_path):
    folder = run_folder.open_run(tmp_path / "a" / "run", CONFIG)
    assert json.loads((folder / "config.json").read_text())["settings"] == {"units": [64, 32]}
    assert not run_folder.finished(folder)


def test_the_same_settings_take_it_up_wherever_the_data_lies(tmp_path):
    run_folder.open_run(tmp_path / "run", CONFIG)
    run_folder.open_run(tmp_path / "run", CONFIG | {"data_dir": "moved"})


def test_other_settings_are_refused_by_name(tmp_path):
    run_folder.open_run(tmp_path / "run", CONFIG)
    with pytest.raises(DatasetError, match=r"other settings \(seed was 1, now 2\)"):
        run_folder.open_run(tmp_path / "run", CONFIG | {"seed": 2})
    with pytest.raises(DatasetError, match="dataset_fingerprint was 'f', now 'g'"):
        run_folder.open_run(tmp_path / "run", CONFIG | {"dataset_fingerprint": "g"})


def test_a_folder_with_something_else_in_it_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DatasetError, match=r"is not empty and holds no config\.json"):
        run_folder.open_run(tmp_path, CONFIG)


def test_a_folder_that_another_process_has_opened_is_refused(tmp_path):
    folder = tmp_path / "run"
    run_folder.open_run(folder, CONFIG)
    assert (folder / "lock").exists()
    run_folder.open_run(folder, CONFIG)  # by the same process it may be opened again
    run_folder.close_run(folder)
    assert not (folder / "lock").exists()
    other = FolderLock(folder / "lock", folder)
    with pytest.raises(FolderInUseError, match=r"run is in use by another process \(pid \d+ on"):
        run_folder.open_run(folder, CONFIG)
    other.release()
    run_folder.open_run(folder, CONFIG)


def test_what_a_process_killed_on_opening_left_is_taken_up(tmp_path):
    (tmp_path / "lock").write_text("pid 1 on nowhere\n")
    (tmp_path / "config.json.partial").write_text("{")
    run_folder.open_run(tmp_path, CONFIG)
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 1


def test_json_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DatasetError, match="is missing; is this a run folder"):
        run_folder.read(tmp_path, "config.json")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DatasetError, match="is not JSON"):
        run_folder.read(tmp_path, "config.json")
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(DatasetError, match=r"it is \[1\], expected a JSON object"):
        run_folder.read(tmp_path, "config.json")
    (tmp_path / "config.json").write_bytes(b"\xff\x00")
    with pytest.raises(DatasetError, match="is not JSON"):
        run_folder.read(tmp_path, "config.json")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "result.json"
    run_folder.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        run_folder.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_a_setting_that_is_newer_than_the_run_had_its_default(tmp_path):
    run_folder.open_run(tmp_path / "run", {"seed": 1})
    run_folder.close_run(tmp_path / "run")
    defaults = {"seed": 7, "monitor": None, "widths": (2, 3)}
    now = {"seed": 1, "monitor": None, "widths": [2, 3]}
    run_folder.open_run(tmp_path / "run", now, defaults)
    run_folder.close_run(tmp_path / "run")
    with pytest.raises(DatasetError, match=r"settings \(monitor was None, now 'a/b/c'\)"):
        run_folder.open_run(tmp_path / "run", now | {"monitor": "a/b/c"}, defaults)
