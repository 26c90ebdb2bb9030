r"""Measures training steps on a CUDA GPU: by model, batch, precision, plain and under XLA.

  python -m benchmarks.gpu --out_dir=runs/benchmark-gpu

Each case runs in a process of its own. What is measured stays in `gpu.json`; the same command
again goes on from it. After the limit of time no further case begins.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys
import time

import tqdm

from benchmarks import machine, workload
from benchmarks.gpu import page
from benchmarks.gpu.cases import BATCHES, Case, cases
from benchmarks.windows import ROOT
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import setting
from dcrnn_tf.system.whole_file import whole_file

RESULTS_FILE = "gpu.json"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is measured, and how long."""

    out_dir: str = setting("runs/benchmark-gpu", "Folder of the results.")
    work_dir: str = setting("data/benchmark", "Folder of the workload.")
    minutes: float = setting(40.0, "Minutes after which no further case begins.", lower=0)
    quick: bool = setting(False, "Whether MMoE alone is measured, in two precisions.")
    on_cpu: bool = setting(False, "Whether a machine without a GPU is taken, to try the program.")
    batches: tuple[int, ...] = setting(BATCHES, "Numbers of rows of a batch.")
    seconds: float = setting(3.0, "Seconds for which the steps of a batch size are timed.")
    rows: int = setting(workload.ROWS, "Rows of the workload.", lower=1)
    vocabulary: int = setting(workload.VOCABULARIES["W"], "Its embedding rows.", lower=1)


def main(settings: Settings) -> None:
    """Runs the program."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU") and not settings.on_cpu:
        raise command_line.UserError(
            "TensorFlow finds no GPU here; install tensorflow[and-cuda] on a machine that has one, "
            "or give --on_cpu to try the program"
        )
    if settings.rows < max(settings.batches):
        raise command_line.UsageError(
            f"--rows={settings.rows} is less than a batch of {max(settings.batches)} rows"
        )
    started = time.monotonic()
    out_dir = pathlib.Path(settings.out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    size = f"W-{settings.rows}-{settings.vocabulary}"
    folder = workload.make(
        pathlib.Path(settings.work_dir) / size, settings.vocabulary, settings.rows
    )
    results = _begun(out_dir / RESULTS_FILE, settings)
    wanted = list(cases(settings.quick))
    done = {case["label"] for case in results["cases"]}
    to_do = [case for case in wanted if case.label not in done]
    with tqdm.tqdm(total=len(wanted), initial=len(wanted) - len(to_do), unit="case") as bar:
        while to_do and time.monotonic() - started < 60 * settings.minutes:
            case = to_do.pop(0)
            bar.set_description(case.label)
            results["cases"].append(_measured(case, folder, settings))
            with whole_file(out_dir / RESULTS_FILE) as file:
                json.dump(results, file, indent=2)
            bar.update(1)
    document = page.document(results, [case.label for case in to_do])
    document.write(out_dir / "gpu.md")
    print(document.markdown())
    print(f"Results: {out_dir}")


def _begun(path: pathlib.Path, settings: Settings) -> dict:
    size = {"rows": settings.rows, "vocabulary": settings.vocabulary}
    if path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))
        if results["workload"] != size:
            raise command_line.UserError(
                f"{path} is of another workload, {results['workload']}; choose another --out_dir"
            )
        return results
    rates = subprocess.check_output(
        [sys.executable, "-m", "benchmarks.gpu.rates"], encoding="utf-8", cwd=ROOT
    )
    (found,) = _lines(rates)
    return {"machine": machine.describe(), "workload": size, "rates": found, "cases": []}


def _measured(case: Case, folder: pathlib.Path, settings: Settings) -> dict:
    arguments = [
        f"--workload={folder.resolve()}",
        f"--model={case.model}",
        f"--precision={case.precision}",
        f"--compiled={str(case.compiled).lower()}",
        f"--batches={','.join(map(str, settings.batches))}",
        f"--seconds={settings.seconds}",
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu.work", *arguments],
        encoding="utf-8",
        capture_output=True,
        cwd=ROOT,
    )
    found = {**case._asdict(), "label": case.label, "steps": _lines(ended.stdout)}
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        found["failed"] = f"exit code {ended.returncode}, {last}"
    return found


def _lines(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


if __name__ == "__main__":
    command_line.run(main, Settings)
