"""Programs that make tables, killed while they train: the same command goes on where it was."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def results(folder: pathlib.Path) -> dict[str, tuple[int, int]]:
    """Which runs below a folder are finished, and what tells whether one was made again."""
    found = {path.parent: path.stat() for path in folder.rglob("seed_*/result.json")}
    return {
        run.relative_to(folder).as_posix(): (s.st_ino, s.st_mtime_ns) for run, s in found.items()
    }


def trainings(folder: pathlib.Path) -> list[str]:
    """Commands of processes that make a run below a folder."""
    commands = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(path.read_text())
        except OSError:  # it has just ended
            continue
    return [command for command in commands if f"--run_dir={folder}" in command]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "flags", "page", "count"),
    [
        ("leaderboard", ["--seeds=2", "--models=shared_bottom"], "leaderboard.md", 4),
        ("dcrnn.online", ["--preset=smoke", "--rows=1000", "--users=50"], "table3.md", 2),
    ],
)
def test_killed_it_goes_on_and_repeats_no_finished_run(
    program, flags, page, count, dataset_folder, tmp_path
):
    out = tmp_path / "out"
    command = [sys.executable, "-m", f"experiments.{program}", *flags, "--parallel_runs=1"]
    command += [f"--out_dir={out}", f"--work_dir={tmp_path / 'data'}"]
    if program == "leaderboard":
        command.append(f"--data_dir={dataset_folder}")
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not results(out):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while trainings(out) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not trainings(out)  # none outlives the program
    before = results(out)
    assert 0 < len(before) < count
    assert not (out / page).exists()

    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / page).exists()
    after = results(out)
    assert len(after) == count
    assert {run: stat for run, stat in after.items() if run in before} == before
