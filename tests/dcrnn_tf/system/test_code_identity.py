"""The identity of the code, in installations that the test makes."""

import pathlib
import shutil
import subprocess

import pytest

from dcrnn_tf.system import code_identity

FILES = ("dcrnn_tf/a.py", "dcrnn_tf/kernels/b.cc", "data_prep/c.py", "experiments/d.py")


def install(root: pathlib.Path) -> pathlib.Path:
    for file in FILES:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {file}\n")
    return root


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, text=True,
                          capture_output=True)  # fmt: skip
    return done.stdout.strip()


def commit(folder, *files):
    git(folder, "init", "-q")
    git(folder, "add", "-f", *files)
    git(folder, "commit", "-qm", "one")
    return git(folder, "rev-parse", "HEAD")


@pytest.mark.parametrize("file", FILES)
def test_each_file_counts_by_its_content_and_name(tmp_path, file):
    root = install(tmp_path / "one")
    before = code_identity.digest(root)
    assert code_identity.digest(install(tmp_path / "elsewhere")) == before
    (root / file).write_text("raise ImportError\n")
    changed = code_identity.digest(root)
    assert changed != before
    (root / file).rename((root / file).with_name("renamed.py"))
    assert code_identity.digest(root) not in (before, changed)


def test_what_python_and_compilers_make_does_not_count(tmp_path):
    root = install(tmp_path)
    before = code_identity.digest(root)
    (root / "dcrnn_tf" / "__pycache__").mkdir()
    (root / "dcrnn_tf" / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"compiled")
    (root / "dcrnn_tf" / "kernels" / "operations-0.so").write_bytes(b"compiled")
    (root / "notes.txt").write_text("outside of the packages")
    assert code_identity.digest(root) == before


def test_bytes_do_not_move_from_one_file_to_the_next(tmp_path):
    one, other = install(tmp_path / "one"), install(tmp_path / "other")
    (one / "dcrnn_tf" / "a.py").write_text("xy")
    (one / "dcrnn_tf" / "b.py").write_text("")
    (other / "dcrnn_tf" / "a.py").write_text("x")
    (other / "dcrnn_tf" / "b.py").write_text("y")
    assert code_identity.digest(one) != code_identity.digest(other)


def test_a_checkout_has_a_revision_with_a_mark_for_changes(tmp_path):
    root = install(tmp_path)
    revision = commit(root, *FILES)
    assert code_identity.git_revision(root) == revision
    (root / "notes.txt").write_text("outside of the packages")
    assert code_identity.git_revision(root) == revision
    (root / "experiments" / "new.py").write_text("")  # which is not even tracked
    assert code_identity.git_revision(root) == f"{revision}-dirty"


def test_an_environment_inside_a_users_repository_has_none(tmp_path):
    (tmp_path / "users.py").write_text("")
    commit(tmp_path, "users.py")
    assert code_identity.git_revision(install(tmp_path / "env" / "site-packages")) is None
    assert code_identity.git_revision(install(tmp_path)) is None  # not tracked there


def test_no_repository_and_no_git(tmp_path, monkeypatch):
    root = install(tmp_path)
    assert code_identity.git_revision(root) is None
    commit(root, *FILES)
    monkeypatch.setenv("PATH", "")
    assert code_identity.git_revision(root) is None


def test_the_identity_is_that_of_the_files_that_run(tmp_path):
    root = pathlib.Path(code_identity.__file__).parents[2]
    for package in ("dcrnn_tf", "data_prep", "experiments"):
        shutil.copytree(root / package, tmp_path / package)
    identity = code_identity.identity()
    assert identity["digest"] == code_identity.digest(tmp_path)
    assert set(identity) == {"version", "digest", "git_revision"}
