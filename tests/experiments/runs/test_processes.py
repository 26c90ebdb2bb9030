"""Runs as processes: their progress, and how they end."""

import sys

import pytest

from experiments.runs import processes


def test_progress_of_a_run_passes_over_a_line_that_is_being_written(tmp_path):
    run = processes.RunProcess([], tmp_path, trains=True)
    assert run.steps() == 0
    (tmp_path / "metrics.jsonl").write_text('{"step": 7}\n{"step": 1')
    assert run.steps() == 7


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
    folders = [tmp_path / "a", tmp_path / "b"]
    runs = []
    for folder in folders:
        folder.mkdir()
        runs.append(processes.RunProcess([sys.executable, "-c", body, str(folder)], folder, False))

    def sleep(seconds):
        while not all((folder / "ready").exists() for folder in folders):
            pass
        raise Stopped

    monkeypatch.setattr(processes.time, "sleep", sleep)
    with pytest.raises(Stopped):
        processes.run_all(runs, 1, 1, parallel=2)
    assert [run.process.poll() for run in runs] == [143, 143]
    assert all((folder / "checkpoint").exists() for folder in folders)
