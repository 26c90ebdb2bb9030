"""Times several programs fairly: one at a time in short windows that alternate, in rounds.

So a machine that is slow for a while is slow for all of them.
"""

import contextlib
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tqdm

from dcrnn_tf.system import command_line, json_form
from dcrnn_tf.system.settings import setting

_WINDOW = json_form.Object(
    {
        "rows_per_second": json_form.FROM_0,
        "call_seconds": json_form.Listed(json_form.FROM_0),
        "peak_bytes": json_form.COUNT,
    }
)
ROOT = pathlib.Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Contender:
    """Something that is timed.

    Attributes:
      label: Name in the results.
      workload: `W`, `W10` or `lists`.
      command: Program and arguments, without the interpreter.
      peer: the peer whose environment it runs in; None for this project's.
    """

    label: str
    workload: str
    command: tuple[str, ...]
    peer: str | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the programs of the benchmark measure, and how long."""

    out_dir: str = setting("runs/benchmark", "Folder of the results.")
    work_dir: str = setting("data/benchmark", "Folder of the workloads.")
    peers_dir: str | None = setting(
        None, "Folder of the peers' environments; no peers are measured by default."
    )
    quick: bool = setting(
        False, "Whether few contenders run in few short windows, on the small vocabulary."
    )
    rounds: int | None = setting(
        None, "Number of windows of each contender, 5 by default, 2 with --quick.", lower=1
    )
    window: float | None = setting(
        None, "Seconds of a window, 4 by default, 1.5 with --quick.", lower=0.1
    )

    def plan(self) -> "Plan":
        """How contenders are timed; makes the folder of the results."""
        out_dir = pathlib.Path(self.out_dir)
        out_dir.mkdir(parents=True, exist_ok=True)
        return Plan(
            out_dir,
            None if self.peers_dir is None else pathlib.Path(self.peers_dir),
            self.rounds or (2 if self.quick else 5),
            self.window or (1.5 if self.quick else 4.0),
        )


@dataclasses.dataclass(frozen=True)
class Plan:
    """How contenders are timed.

    Attributes:
      out_dir: Folder of their logs.
      peers_dir: Folder of the peers' environments; None if there are none.
      rounds: Number of windows of each contender.
      seconds: Length of a window.
    """

    out_dir: pathlib.Path
    peers_dir: pathlib.Path | None
    rounds: int
    seconds: float


class Process:
    """A running contender.

    Attributes:
      contender: Contender that runs.
      facts: Facts that it reported when it was ready.
    """

    def __init__(self, contender: Contender, plan: Plan):
        self.contender = contender
        self._log = _log(contender, plan)
        with open(self._log, "w", encoding="utf-8") as errors:
            self._process: Any = subprocess.Popen(
                _command(contender, plan),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
                env=_environment(),
            )
        self.facts = self._read(json_form.OBJECT)

    def window(self, seconds: float) -> dict:
        """Lets it work."""
        with contextlib.suppress(BrokenPipeError):  # it has ended, and has no answer
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
        return self._read(_WINDOW)

    def close(self) -> None:
        """Ends it."""
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:  # what it has measured counts, however it ends
            self._process.kill()
            self._process.wait()

    def _read(self, form: json_form.Form) -> dict:
        for line in self._process.stdout:
            if line.startswith("{"):  # not what a library prints at its import
                name, remedy = f"the answer of {self.contender.label}", f"see {self._log}"
                return json_form.parse(line.encode(), form, name, remedy)
        self._process.wait()
        raise _failed(self.contender, self._log)


def once(program: Contender, plan: Plan) -> None:
    """Runs a program that is not timed to its end, such as one that makes what others read."""
    log = _log(program, plan)
    with open(log, "w", encoding="utf-8") as output:
        code = subprocess.call(
            _command(program, plan), stdout=output, stderr=output, env=_environment()
        )
    if code:
        raise _failed(program, log)


def measure(groups: Sequence[Sequence[Contender]], plan: Plan) -> list[dict]:
    """Windows of all contenders, group by group; those of a group are interleaved.

    Args:
      groups: Groups of contenders.
      plan: Plan by which they are timed.

    Returns:
      For each contender its label, workload and group, `rows_per_second`, median over `windows`,
      `call_seconds`, percentiles of a piece of work over all windows, `calls`, how many there were,
      `peak_bytes`, and `facts`, which it reported when it was ready.
    """
    results = []
    total = plan.rounds * sum(map(len, groups))
    with tqdm.tqdm(total=total, desc="Windows", unit="window") as bar:
        for number, group in enumerate(groups):
            processes = [Process(contender, plan) for contender in group]
            windows: list[list[dict]] = [[] for _ in group]
            for _ in range(plan.rounds):
                for process, found in zip(processes, windows, strict=True):
                    found.append(process.window(plan.seconds))
                    bar.update(1)
            for process, found in zip(processes, windows, strict=True):
                process.close()
                results.append(_result(process, number, found))
    return results


def _result(process: Process, group: int, windows: Sequence[dict]) -> dict:
    rates = [window["rows_per_second"] for window in windows]
    calls = np.concatenate([window["call_seconds"] for window in windows])
    return {
        "label": process.contender.label,
        "workload": process.contender.workload,
        "group": group,
        "rows_per_second": statistics.median(rates),
        "windows": rates,
        "calls": len(calls),
        "call_seconds": {f"p{p}": float(np.percentile(calls, p)) for p in (50, 99)},
        "peak_bytes": max(window["peak_bytes"] for window in windows),
        "facts": process.facts,
    }


def _command(contender: Contender, plan: Plan) -> list[str]:
    python = sys.executable
    if contender.peer and plan.peers_dir is not None:
        python = str(plan.peers_dir / contender.peer / "bin" / "python")
    return [python, *contender.command]


def _environment() -> dict[str, str]:
    return os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}


def _log(contender: Contender, plan: Plan) -> pathlib.Path:
    logs = plan.out_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    return logs / f"{contender.workload} {contender.label}.log".replace(" ", "_")


def _failed(contender: Contender, log: pathlib.Path) -> command_line.UserError:
    return command_line.UserError(f"{contender.label} failed; see {log}")
