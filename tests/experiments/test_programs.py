"""Commands of the installed package, and programs that start others, in a folder of any content."""

import configparser
import importlib.util
import pathlib
import subprocess
import sys

import pytest

from experiments.programs import COMMANDS, shielded
from experiments.runs.processes import RunProcess

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A working folder whose packages bear the names of ours, and one module of a user's."""
    for package in ("experiments", "data_prep", "dcrnn_tf"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('the wrong package')")
    (tmp_path / "mine.py").write_text("import sys, experiments, data_prep\nprint(sys.orig_argv)")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_installed_and_is_a_program():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    scripts = config["options.entry_points"]["console_scripts"].split("\n")
    assert scripts[1:] == [f"{command} = experiments.programs:main" for command in COMMANDS]
    for module in COMMANDS.values():
        found = importlib.util.find_spec(module)
        if found.submodule_search_locations:
            found = importlib.util.find_spec(f"{module}.__main__")
        assert "command_line.run(" in pathlib.Path(found.origin).read_text("utf-8")


def test_an_installed_command_does_not_meet_the_packages_of_the_working_folder(hostile):
    command = hostile / "bin" / "dcrnn-evaluate"
    command.parent.mkdir()
    # As pip writes it, and with the path that an installation has.
    command.write_text("import sys; from experiments.programs import main; sys.exit(main())")
    python = [sys.executable, str(command), "--help"]
    done = subprocess.run(python, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    assert "Which run is evaluated" in done.stdout or "--split" in done.stdout, done.stderr
    assert "wrong package" not in done.stderr


def test_a_program_that_is_started_does_not_either_and_finds_models_beside_them(hostile):
    run = RunProcess([sys.executable, "-m", "mine", "--flag=1"], hostile / "run", trains=False)
    run.start(threads=1)
    assert run.process.wait() == 0
    said = run.log.read_text("utf-8")
    assert said.strip() == str([sys.executable, "-m", "mine", "--flag=1"])


def test_a_shielded_command_is_the_same_but_for_how_it_is_found():
    python, path, *rest = shielded(["python", "-m", "experiments.train", "--seed=1"])
    assert (python, rest) == ("python", ["experiments.train", "--seed=1"])
    assert pathlib.Path(path) == ROOT / "experiments" / "programs.py"
