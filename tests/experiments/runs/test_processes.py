"""Runs as processes: their progress, and how they end."""

import sys
import time

import pytest

from experiments.runs import processes


def test_progress_of_a_run_passes_over_a_line_that_is_being_written(tmp_path):
    run = processes.RunProcess([], tmp_path, trains=True)
    assert run.steps() == 0
    (tmp_path / "metrics.jsonl").write_text('{"step": 7}\n{"step": 1')
    assert run.steps() == 7


def test_progress_of_a_run_with_a_damaged_log_is_none(tmp_path):
    run = processes.RunProcess([], tmp_path, trains=True)
    for line in ("{", "7", "{}", '{"step": null}', "\udcff"):
        (tmp_path / "metrics.jsonl").write_bytes(line.encode("utf-8", "surrogateescape") + b"\n")
        assert run.steps() == 0


def program(folder, monkeypatch, text):
    """The command of a program of this text, in the working folder."""
    (folder / "program_of_test.py").write_text(text)
    monkeypatch.chdir(folder)
    return [sys.executable, "-m", "program_of_test"]


@pytest.fixture
def processes_of(tmp_path, monkeypatch):
    """Makes runs of `{model/seed: exit code}`, which say their name and end."""
    text = "import sys\nprint(sys.argv[1])\nsys.exit(int(sys.argv[2]))\n"
    command = program(tmp_path, monkeypatch, text)
    return lambda codes: [
        processes.RunProcess([*command, name, str(code)], tmp_path / name, trains=False)
        for name, code in codes.items()
    ]


def test_where_one_model_fails_its_other_seeds_are_left_out_and_other_models_go_on(
    processes_of, tmp_path
):
    runs = processes_of({"a/seed_1": 1, "b/seed_1": 0, "a/seed_2": 0, "b/seed_2": 0})
    log = tmp_path / "a" / "seed_1.log"
    assert processes.run_all(runs, 1, 1, parallel=1) == {
        tmp_path / "a" / "seed_1": f"a/seed_1 (see {log})"
    }
    assert [run.log.exists() for run in runs] == [True, True, False, True]


def test_where_two_models_fail_no_other_run_begins(processes_of):
    runs = processes_of({"a/seed_1": 1, "b/seed_1": 1, "c/seed_1": 0})
    assert len(processes.run_all(runs, 1, 1, parallel=1)) == 2
    assert not runs[2].log.exists()


class Stopped(BaseException):
    pass


def test_interrupted_it_waits_until_its_runs_have_ended(tmp_path, monkeypatch):
    """As trainings that write their checkpoint: the parent's end would kill them."""
    body = (
        "import pathlib, signal, sys, time\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "def end(*_):\n"
        "    time.sleep(0.3)\n"
        "    (folder / 'checkpoint').touch()\n"
        "    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "(folder / 'ready').touch()\n"
        "time.sleep(60)\n"
    )
    command = program(tmp_path, monkeypatch, body)
    folders = [tmp_path / "a", tmp_path / "b"]
    runs = []
    for folder in folders:
        folder.mkdir()
        runs.append(processes.RunProcess([*command, str(folder)], folder, False))

    wait, end = time.sleep, time.monotonic() + 60

    def sleep(seconds):
        while not all((folder / "ready").exists() for folder in folders):
            assert time.monotonic() < end, "the programs have not begun within a minute"
            wait(0.01)
        raise Stopped

    monkeypatch.setattr(processes.time, "sleep", sleep)
    with pytest.raises(Stopped):
        processes.run_all(runs, 1, 1, parallel=2)
    assert [run.process.poll() for run in runs] == [143, 143]
    assert all((folder / "checkpoint").exists() for folder in folders)
