"""Paths with characters that TensorFlow takes for parts of a pattern."""

import pytest

from dcrnn_tf.system.errors import UserError
from dcrnn_tf.system.plain_path import check_plain, plain_path


def test_a_plain_folder_is_read_where_it_lies(tmp_path):
    with plain_path(tmp_path / "not there yet") as path:
        assert path == tmp_path / "not there yet"


@pytest.mark.parametrize("name", ["exp [v2]", "a*", "why?", "back\\slash", "["])
def test_other_folders_are_read_through_a_link(tmp_path, name, monkeypatch):
    folder = tmp_path / name / "inner"
    folder.mkdir(parents=True)
    (folder / "file").write_text("content")
    monkeypatch.chdir(tmp_path / name)  # a relative path is as well within the folder
    for given in (folder, "inner"):
        with plain_path(given) as path:
            assert not set(str(path)) & set("*?[]\\")
            assert (path / "file").read_text() == "content"
        assert not path.exists()
        assert (folder / "file").exists()


def test_a_folder_to_write_is_refused_by_name(tmp_path, monkeypatch):
    check_plain(tmp_path / "models {v1} (new)", "--export_dir")
    with pytest.raises(UserError, match=r"^--export_dir=.*v\[2\] lies in a folder with \[ \] in"):
        check_plain(tmp_path / "v[2]", "--export_dir")
    (tmp_path / "a*").mkdir()
    monkeypatch.chdir(tmp_path / "a*")
    with pytest.raises(UserError, match=r"^--export_dir=models lies in a folder with \* in"):
        check_plain("models", "--export_dir")
