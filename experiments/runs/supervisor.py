"""Supervises processes that train together: when one dies or hangs, all are started again."""

import contextlib
import pathlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from dcrnn_tf.system.errors import UserError, WorkerLostError
from experiments.runs.processes import die_with_parent, last_line

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 10  # for the others to notice a death by themselves, and to say what they saw


class WorkersFailed(UserError):
    """The workers were started too often without finishing."""


class WorkerEnded(SystemExit):
    """A worker has ended with an exit code that ends all of them, and has printed the reason."""


class Worker(NamedTuple):
    """The command and the environment variables of a process to start."""

    command: Sequence[str]
    environment: Mapping[str, str]


class Supervisor:
    """Runs a group of workers until all have finished.

    All workers are ended and started again, from their last checkpoint, when one of them is killed,
    crashes, gives up because another one is gone (exit code 75), or makes no progress: its
    heartbeat file was not touched for too long. Any other exit code but 0 (a mistake of the user's,
    a signal) ends them all for good.

    Only the output of the first worker is shown. That of another one is shown where it alone fails.

    Args:
      workers: Function of the heartbeat files that returns the workers of a start.
      count: Number of workers.
      hang_seconds: Seconds without a heartbeat after which a worker counts as hung. The start-up
        and the work after the last step have no heartbeat and must not take longer.
      max_restarts: Number of restarts after which the workers are given up.
      say: Function that takes a sentence on each restart.
    """

    def __init__(
        self,
        workers: Callable[[Sequence[pathlib.Path]], Sequence[Worker]],
        count: int,
        hang_seconds: float,
        max_restarts: int,
        say: Callable[[str], object] = print,
    ):
        self._workers = workers
        self._count = count
        self._hang_seconds = hang_seconds
        self._max_restarts = max_restarts
        self._say = say

    def run(self) -> None:
        """Returns when all workers have finished.

        Raises:
          WorkerEnded: A worker has ended with an exit code that ends all of them.
          WorkersFailed: The workers were started too often.
        """
        for restart in range(self._max_restarts + 1):
            with tempfile.TemporaryDirectory(prefix="workers_") as folder:
                trouble = self._run_once(pathlib.Path(folder))
            if trouble is None:
                return
            if restart < self._max_restarts:
                self._say(
                    f"{trouble}; starting all {self._count} again from the last checkpoint "
                    f"(restart {restart + 1} of {self._max_restarts})."
                )
        raise WorkersFailed(
            f"{trouble}, and so they were started {self._max_restarts + 1} times; the same command "
            "goes on from the last checkpoint"
        )

    def _run_once(self, folder: pathlib.Path) -> str | None:
        """Starts all workers once; returns what went wrong if they are to be started again."""
        with _Group(self._workers, folder, self._count, self._hang_seconds) as group:
            while True:
                time.sleep(_POLL_SECONDS)
                codes = group.codes()
                if all(code == 0 for code in codes):
                    return None
                if any(codes):
                    return self._judge(group)
                silent = group.most_silent()
                if group.silence(silent) > self._hang_seconds:
                    return (
                        f"Worker {silent} and maybe others have not got on for "
                        f"{self._hang_seconds:g} seconds"
                    )

    def _judge(self, group: "_Group") -> str:
        first = next(n for n, code in enumerate(group.codes()) if code)
        group.wait(_GRACE_SECONDS)
        codes = group.codes()
        for number, code in enumerate(codes):
            if code and code > 0 and code != WorkerLostError.exit_code:
                if number:  # the first one has spoken for itself
                    self._say(f"worker {number}: {group.last_words(number)}")
                raise WorkerEnded(code)
        for number, code in enumerate(codes):
            if code and code < 0:
                return f"Worker {number} was ended by {signal.Signals(-code).name}"
        return f"Worker {first} lost another one"


class _Group:
    """The processes of one start, all of which end with it."""

    def __init__(self, workers: Callable, folder: pathlib.Path, count: int, patience: float):
        self._patience = patience
        self._beats = [folder / f"worker_{number}.beat" for number in range(count)]
        self._logs = [folder / f"worker_{number}.log" for number in range(count)]
        for beat in self._beats:
            beat.touch()
        self._processes: list[subprocess.Popen] = []
        self._seen: dict[int, tuple[int | None, float]] = {}  # last beat, and when it was new
        self._started = workers(self._beats)

    def __enter__(self) -> "_Group":
        with contextlib.ExitStack() as stack:
            stack.callback(self._kill)
            for number, worker in enumerate(self._started):
                streams: dict[str, Any] = {}
                if number:
                    log = stack.enter_context(open(self._logs[number], "w", encoding="utf-8"))
                    streams = {"stdout": subprocess.DEVNULL, "stderr": log}
                # A session of its own: Ctrl-C reaches the supervisor alone, which passes it on.
                process = subprocess.Popen(
                    worker.command,
                    env=worker.environment,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                    **streams,
                )
                self._processes.append(process)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        with self._stack:
            if isinstance(error, KeyboardInterrupt):
                self._pass_on(getattr(error, "number", signal.SIGINT))

    def codes(self) -> list[int | None]:
        """The exit codes of the processes; None for those that still run."""
        return [process.poll() for process in self._processes]

    def wait(self, seconds: float) -> None:
        """Waits until all processes have ended, at most this number of seconds."""
        deadline = time.monotonic() + seconds
        while None in self.codes() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS / 4)

    def silence(self, number: int) -> float:
        """The seconds since a worker's last heartbeat; 0 when it has ended."""
        if self._processes[number].poll() is not None:
            return 0.0
        # The clock of the day may be set, so that a beat is a change of the file's time, whichever.
        beat = self._beats[number].stat().st_mtime_ns
        if self._seen.get(number, (None, 0.0))[0] != beat:
            self._seen[number] = (beat, time.monotonic())
        return time.monotonic() - self._seen[number][1]

    def most_silent(self) -> int:
        """The number of the worker whose last heartbeat is the oldest."""
        return max(range(len(self._processes)), key=self.silence)

    def last_words(self, number: int) -> str:
        """The last line that a worker has printed."""
        return last_line(self._logs[number]) or "it said nothing"

    def _pass_on(self, number: int) -> None:
        """Passes a signal on to the workers, and ends with the exit code of the first one."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)
        self.wait(self._patience)
        if self._processes and self._processes[0].poll() == 128 + number:
            raise WorkerEnded(128 + number) from None

    def _kill(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
        for process in self._processes:
            process.wait()
