"""Measures the preparation of simulated Ali-CCP logs: time and memory by number of rows."""

import pathlib
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import tqdm

from dcrnn_tf.system import json_form
from dcrnn_tf.system.errors import UserError
from experiments.reports.blocks import Block
from experiments.reports.grid import Grid, Number
from experiments.reports.markdown import Trusted

FULL_ROWS = 85_316_975  # both files of the real data
_MEASURED = json_form.Object(
    {
        "code": json_form.Value("an exit code", lambda value: type(value) is int),
        "seconds": json_form.FROM_0,
        "cpu_seconds": json_form.FROM_0,
        "peak_bytes": json_form.COUNT,
    }
)
_MEASURE = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"code": code, "seconds": time.perf_counter() - started,
                  "cpu_seconds": usage.ru_utime + usage.ru_stime,
                  "peak_bytes": usage.ru_maxrss * 1024}))
"""


def measured(module: str, *arguments: str) -> dict:
    """Runs a program of this project: seconds, processor seconds and peak memory.

    Raises:
      UserError: The program failed.
    """
    command = [sys.executable, "-c", _MEASURE, sys.executable, "-m", module, *arguments]
    program = shlex.join([module, *arguments])
    found = answer(command, _MEASURED, program)
    if code := found.pop("code"):
        raise UserError(f"{program} failed with exit code {code}; run it alone to see why")
    return found


def answer(command: Sequence[str], form: json_form.Form, program: str) -> dict:
    """Runs a program that prints a line of JSON.

    Args:
      command: Command of the program.
      form: Form of what it prints.
      program: What messages call it.

    Raises:
      UserError: The program failed, or printed something else.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE)
    if done.returncode:
        raise UserError(f"{program} failed with exit code {done.returncode}")
    return json_form.parse(done.stdout, form, f"the answer of {program}", "measure again")


def curve(work_dir: pathlib.Path, sizes: list[int]) -> list[dict]:
    """Simulates and prepares logs of each size, half as many test rows as training rows."""
    found = []
    for rows in tqdm.tqdm(sizes, desc="Preparation", unit="log"):
        raw, prepared = work_dir / f"raw_{rows}", work_dir / f"prepared_{rows}"
        shutil.rmtree(raw, ignore_errors=True)
        shutil.rmtree(prepared, ignore_errors=True)
        train = rows * 2 // 3
        sizes_given = (f"--train_rows={train}", f"--test_rows={rows - train}")
        simulation = measured("data_prep.ali_ccp.simulate", f"--out_dir={raw}", *sizes_given)
        raw_bytes = sum(path.stat().st_size for path in raw.glob("*.csv"))
        time.sleep(1)  # let the disk settle
        result = measured("data_prep.ali_ccp", f"--raw_dir={raw}", f"--out_dir={prepared}")
        found.append(
            {
                "rows": rows,
                "simulation_rows_per_second": rows / simulation["seconds"],
                "raw_bytes": raw_bytes,
                "rows_per_second": rows / result["seconds"],
                **result,
            }
        )
        shutil.rmtree(raw)
        shutil.rmtree(prepared)
    return found


def extrapolated(points: list[dict]) -> dict | None:
    """Seconds for the full data, along the line through the two largest sizes."""
    if len(points) < 2:
        return None
    small, large = points[-2:]
    slope = (large["seconds"] - small["seconds"]) / (large["rows"] - small["rows"])
    seconds = large["seconds"] + slope * (FULL_ROWS - large["rows"])
    return {"rows": FULL_ROWS, "seconds": seconds, "rows_per_second": FULL_ROWS / seconds}


def gib(decimals: int) -> Callable[[float], str]:
    """Returns how a number of bytes is printed in GiB."""
    return lambda size: f"{size / 2**30:.{decimals}f} GiB"


def blocks(points: list[dict]) -> list[Block | str]:
    """Returns the table of the measured sizes, and of the full data as far as they tell."""
    columns = (
        Number("rows", "rows", ","),
        Number("seconds", "seconds", ".1f"),
        Number("rows/s", "rows_per_second", ",.0f"),
        Number("processor seconds", "cpu_seconds", ".1f", missing=""),
        Number("peak memory", "peak_bytes", gib(2), missing=""),
    )
    full = extrapolated(points)
    if full:
        rows, seconds = f"{full['rows']:,} (extrapolated)", f"{full['seconds']:.0f}"
        full |= {"rows": rows, "seconds": seconds, "cpu_seconds": None, "peak_bytes": None}
    return [
        Trusted("Preparation of simulated Ali-CCP logs (`data_prep.ali_ccp`, start-up included):"),
        Grid.of("Preparation", columns, [*points, full] if full else points),
    ]
