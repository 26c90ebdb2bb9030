import errno
import pathlib
import shutil
import subprocess
import sys

import pytest

from dcrnn_tf.system.whole_folder import remove_folder, whole_folder

ROOT = pathlib.Path(__file__).parents[3]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_has_its_name_when_it_is_whole(tmp_path):
    with whole_folder(tmp_path / "a" / "data") as partial:
        (partial / "file").write_text("all of it")
        assert names(tmp_path / "a") == ["data.partial"]
    assert names(tmp_path / "a") == ["data"]
    assert (tmp_path / "a" / "data" / "file").read_text() == "all of it"


def test_an_error_leaves_nothing_and_a_full_disk_is_named(tmp_path):
    def write():
        with whole_folder(tmp_path / "data") as partial:
            (partial / "file").write_text("half of it")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as raised:
        write()
    assert raised.value.filename == str(tmp_path / "data")
    assert names(tmp_path) == []


def test_what_a_kill_leaves_is_removed_by_the_next_call(tmp_path, capsys):
    script = (
        "import os, signal, sys\n"
        "from dcrnn_tf.system.whole_folder import whole_folder\n"
        "with whole_folder(sys.argv[1]) as partial:\n"
        "    (partial / 'half').write_text('half of it')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "data"], cwd=ROOT, check=False)
    assert names(tmp_path) == ["data.partial"]
    with whole_folder(tmp_path / "data"):
        pass
    assert f"Removing {tmp_path}/data.partial, left behind" in capsys.readouterr().out
    assert names(tmp_path) == ["data"]
    assert names(tmp_path / "data") == []


def test_a_folder_that_is_removed_loses_its_name_first(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").touch()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda path, ignore_errors=False: None)  # it is killed
        remove_folder(data)
    assert names(tmp_path) == ["data.removed"]
    remove_folder(data)
    assert names(tmp_path) == []
    remove_folder(data)
