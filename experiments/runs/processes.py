"""Starts the processes that make runs, several at a time, under one progress bar."""

import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import tqdm

from experiments.programs import shielded
from experiments.runs.run_folder import finished


@dataclasses.dataclass
class RunProcess:
    """A process that makes one run.

    Attributes:
      command: Command of the process, without its number of threads.
      folder: Folder of the run.
      trains: Whether the run trains in steps and writes checkpoints.
      process: The process itself, once it is started.
    """

    command: list[str]
    folder: pathlib.Path
    trains: bool
    process: subprocess.Popen = dataclasses.field(init=False)

    @property
    def log(self) -> pathlib.Path:
        """File of what the process prints."""
        return self.folder.with_suffix(".log")

    def done(self) -> bool:
        """Whether the run is finished."""
        return finished(self.folder)

    def steps(self) -> int:
        """The number of steps that the run has logged so far."""
        path = self.folder / "metrics.jsonl"
        # What stands behind the last line end is being written right now.
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        try:
            return int(json.loads(lines[-1])["step"]) if lines else 0
        except (ValueError, LookupError, TypeError):
            return 0  # the run itself names the damaged line

    def start(self, threads: int) -> None:
        """Starts the process, which ends when this one does."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        command = [*self.command, *([f"--threads={threads}"] if self.trains else [])]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                shielded(command),
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )

    def last_words(self) -> str:
        """The last line that the process has printed."""
        free = shutil.disk_usage(self.folder.parent).free / 2**20
        return last_line(self.log) or f"it said nothing, with {free:,.1f} MiB free on the disk"


def run_all(
    runs: Sequence[RunProcess], steps: int, batch_size: int, parallel: int = 0, unit: str = "rows"
) -> dict[pathlib.Path, str]:
    """Makes the runs that are not finished, several at a time, under one progress bar.

    Where a run fails, the runs of other models go on, and no further run of its model begins. Where
    the runs of two models have failed, the reason is most likely none of the models': the runs that
    are under way are asked to end, and no other begins.

    Args:
      runs: All runs of a table.
      steps: Number of steps of one run.
      batch_size: Number of rows of a step.
      parallel: Number of runs at a time; 0 is one per core.
      unit: What the progress bar counts.

    Returns:
      What the runs that failed have said last, by their folders.
    """
    cores = os.cpu_count() or 1
    waiting = [run for run in runs if not run.done()]
    parallel = min(parallel or cores, max(len(waiting), 1))
    trainings = [run for run in waiting if run.trains]
    active: list[RunProcess] = []
    failed: dict[pathlib.Path, str] = {}
    done = len(runs) - len(waiting)
    with (
        tqdm.tqdm(
            total=steps * len(trainings) * batch_size,
            unit=f" {unit}",
            unit_scale=True,
            desc=f"{done}/{len(runs)} runs",
        ) as bar,
        _ending(active),
    ):
        while waiting or active:
            while waiting and len(active) < parallel:
                run = waiting.pop(0)
                run.start(threads=max(1, cores // parallel))
                active.append(run)
            time.sleep(0.5)
            for run in [run for run in active if run.process.poll() is not None]:
                active.remove(run)
                if run.process.returncode:
                    failed[run.folder] = f"{run.last_words()} (see {run.log})"
                    models = {folder.parent for folder in failed}
                    if len(models) > 1:
                        return failed
                    waiting = [other for other in waiting if other.folder.parent not in models]
                    continue
                done += 1
                bar.set_description(f"{done}/{len(runs)} runs")
            bar.n = batch_size * sum(run.steps() for run in trainings)
            bar.refresh()
    return failed


@contextlib.contextmanager
def _ending(active: Sequence[RunProcess]) -> Iterator[None]:
    """Lets the runs write their checkpoints and end, where an error or a signal ends this."""
    try:
        yield
    finally:
        for run in active:
            run.process.terminate()
        for run in active:
            run.process.wait()


def die_with_parent() -> None:
    """Asks Linux to end this process when the one that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def last_line(log: pathlib.Path) -> str | None:
    """The last line of a file that is not blank; None if there is no such line."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), None)
