"""Compiling the operations; what they compute is tested where it is used."""

import os
import pathlib

import pytest

from dcrnn_tf.kernels import __main__ as program
from dcrnn_tf.kernels import operations


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A place for the compiled operations that holds none."""
    monkeypatch.setattr(operations, "library_file", lambda: tmp_path / "operations-new.so")
    return tmp_path


def compiler(folder, monkeypatch, script):
    """Sets a program in the compiler's place."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))


def test_without_a_compiler_it_says_what_that_means(folder, monkeypatch, capsys):
    monkeypatch.setenv("CXX", "no-such-compiler")
    program.main()
    assert "no C++ compiler (no-such-compiler" in capsys.readouterr().out
    assert not list(folder.iterdir())


def test_what_the_compiler_says_is_passed_on(folder, monkeypatch, capsys):
    compiler(folder, monkeypatch, "echo no such header >&2; exit 1")
    program.main()
    errors = capsys.readouterr().err
    assert "no such header" in errors
    assert "TensorFlow's will be used" in errors
    assert [path.name for path in folder.iterdir()] == ["compiler"]


def test_leftovers_and_older_libraries_make_room(folder, monkeypatch):
    # The last argument is the file to write.
    compiler(folder, monkeypatch, 'for last; do :; done; echo compiled > "$last"')
    (folder / "partial-killed").mkdir()
    os.utime(folder / "partial-killed", (0, 0))
    (folder / "partial-at-work").mkdir()
    (folder / "operations-old.so").write_text("old")
    program.main()
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["compiler", "operations-new.so", "partial-at-work"]
    assert (folder / "operations-new.so").read_text() == "compiled\n"


def test_all_sources_are_compiled_and_change_the_name(monkeypatch):
    names = {path.name for path in operations.sources()}
    assert names == {
        "row_wise_adam.cc",
        "pooled_rows.cc",
        "catch_up.cc",
        "recurrent_step.cc",
        "mixture.cc",
        "dice.cc",
        "list_values.cc",
    }
    before = operations.library_file()
    read = pathlib.Path.read_bytes
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda path: read(path) + b"\n")
    assert operations.library_file() != before
