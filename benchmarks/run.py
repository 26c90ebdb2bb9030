r"""Measures what this project's speed claims rest on, on the machine it runs on.

  python -m benchmarks.run --out_dir=runs/benchmark
  python -m benchmarks.run --quick

Contenders run one at a time in short windows that are interleaved, round after round, so that a
machine that is slow for a while is slow for all of them. Reported are medians over the rounds,
and ratios of medians with the smallest and largest ratio of one round. All data is synthetic.
"""

import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys

import tqdm
from absl import flags, logging

from benchmarks import machine, preparation, report, workload
from benchmarks.workload import MODELS, VOCABULARIES
from dcrnn_tf import command_line

FLAGS = flags.FLAGS
ROOT = pathlib.Path(__file__).parents[1]
PEERS = ("merlin", "torch_rechub", "deepctr")

flags.DEFINE_string("out_dir", "runs/benchmark", "Folder of the results.")
flags.DEFINE_string("work_dir", "data/benchmark", "Folder of the workloads.")
flags.DEFINE_string("peers_dir", None, "Folder of the peers' environments; without it, no peers.")
flags.DEFINE_bool("quick", False, "Few short windows, the small vocabulary, no preparation curve.")
flags.DEFINE_integer("rounds", None, "Windows of each contender; 5, or 2 with --quick.", 1)
flags.DEFINE_float("window", None, "Seconds of a window; 4, or 1.5 with --quick.", 0.1)


@dataclasses.dataclass(frozen=True)
class Contender:
    """Something that is timed.

    Attributes:
      label: what it is called in the results.
      workload: `W` or `W10`.
      command: its program and arguments, without the interpreter.
      peer: the peer whose environment it runs in; None for this project's.
    """

    label: str
    workload: str
    command: tuple[str, ...]
    peer: str | None = None


def groups(quick: bool, peers: bool) -> list[list[Contender]]:
    """All that is timed; the windows of a group are interleaved."""

    def ours(model, form, size="W"):
        arguments = (f"--workload={_folder(size)}", f"--model={model}", f"--form={form}")
        return Contender(f"{model} {form}", size, ("-m", "benchmarks.ours", *arguments))

    def naive(model, form="naive", size="W"):
        arguments = [f"--workload={_folder(size)}", f"--model={model}"]
        arguments += ["--dense"] if form == "naive dense" else []
        return Contender(f"{model} {form}", size, ("-m", "benchmarks.naive", *arguments))

    def of_peers(size="W"):
        return [
            Contender(
                f"mmoe {peer}", size, ("-m", f"benchmarks.peers.train_{peer}", _folder(size)), peer
            )
            for peer in PEERS
            if peers
        ]

    models = ["mmoe", "dcrnn_ada"] if quick else list(MODELS)
    chosen = [
        [*(ours(m, "disk") for m in models), *map(naive, models), *of_peers()],
        [*(ours(m, "dense") for m in models), *(naive(m, "naive dense") for m in models)],
        [ours(m, "predict") for m in models],
    ]
    if not quick:
        chosen.append([ours(m, "disk", "lists") for m in models])
        forms = {model: ["disk", "memory", "bfloat16", "deferred"] for model in MODELS}
        for model in ("dcrnn", "dcrnn_ada"):
            forms[model].append("compiled")
        chosen += [[ours(model, form) for form in forms[model]] for model in MODELS]
        # Each alone: the tables of several would not fit side by side.
        large = [*(ours(m, "disk", "W10") for m in MODELS)]
        large += [*(naive(m, size="W10") for m in MODELS), *of_peers("W10")]
        chosen += [[contender] for contender in large]
    return chosen


def _folder(size: str) -> str:
    return str(pathlib.Path(FLAGS.work_dir) / size)


class Process:
    """A running contender."""

    def __init__(self, contender: Contender, logs: pathlib.Path):
        self.contender = contender
        logs.mkdir(exist_ok=True)
        self.log = logs / f"{contender.workload} {contender.label}.log".replace(" ", "_")
        python = sys.executable
        if contender.peer:
            python = str(pathlib.Path(FLAGS.peers_dir) / contender.peer / "bin" / "python")
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
        with open(self.log, "w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [python, *contender.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
                cwd=pathlib.Path.cwd(),
            )
        self._read()

    def window(self, seconds: float) -> dict:
        """Lets it work."""
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """Ends it."""
        self._process.stdin.close()
        self._process.wait(30)

    def _read(self) -> dict:
        for line in self._process.stdout:
            if line.startswith("{"):  # not what a library prints at its import
                return json.loads(line)
        self._process.wait()
        raise command_line.UserError(f"{self.contender.label} failed; see {self.log}")


def speeds(out_dir: pathlib.Path, quick: bool) -> list[dict]:
    """Windows of all contenders, group by group."""
    rounds = FLAGS.rounds or (2 if quick else 5)
    seconds = FLAGS.window or (1.5 if quick else 4.0)
    chosen = groups(quick, FLAGS.peers_dir is not None)
    results = []
    with tqdm.tqdm(total=rounds * sum(map(len, chosen)), desc="Windows", unit="window") as bar:
        for number, group in enumerate(chosen):
            processes = [Process(contender, out_dir / "logs") for contender in group]
            windows: list[list[dict]] = [[] for _ in group]
            for _ in range(rounds):
                for process, found in zip(processes, windows, strict=True):
                    found.append(process.window(seconds))
                    bar.update(1)
            for process, found in zip(processes, windows, strict=True):
                process.close()
                rates = [window["rows_per_second"] for window in found]
                results.append(
                    {
                        "label": process.contender.label,
                        "workload": process.contender.workload,
                        "group": number,
                        "rows_per_second": statistics.median(rates),
                        "windows": rates,
                        "peak_bytes": max(window["peak_bytes"] for window in found),
                    }
                )
    return results


def _lists(folder: pathlib.Path) -> dict:
    """What the workload of lists takes on disk and in memory."""
    from dcrnn_tf.data import PreparedDataset

    dataset = PreparedDataset(folder / "prepared")
    split, entity = dataset.schema.splits["train"], dataset.schema.entities["user"]
    table = dataset.entity_table("user").memory_bytes
    return {
        "bytes_per_exposure": sum(s.bytes for s in (*split.shards, *entity.shards)) / split.rows,
        "table_bytes_per_user": table / entity.rows,
    }


def main() -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    out_dir = pathlib.Path(FLAGS.out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    vocabularies = VOCABULARIES if not FLAGS.quick else {"W": VOCABULARIES["W"]}
    for name, vocabulary in vocabularies.items():
        workload.make(pathlib.Path(FLAGS.work_dir) / name, vocabulary)
    work = pathlib.Path(FLAGS.work_dir)
    sizes = [300_000] if FLAGS.quick else [1_000_000, 4_000_000, 16_000_000]
    auc = [sys.executable, "-m", "benchmarks.auc", "10000000" if FLAGS.quick else "40000000"]
    lists = workload.make_lists(work / "lists")
    stages = {
        "machine": machine.describe,
        "lists": lambda: _lists(lists),
        "preparation": lambda: preparation.curve(work, sizes),
        "auc": lambda: json.loads(subprocess.check_output(auc, text=True)),
        "product_rate": machine.product_rate,
        "copy_rate": machine.copy_rate,
        "operations_per_row": machine.operations_per_row,
        "speeds": lambda: speeds(out_dir, FLAGS.quick),
    }
    results = {"quick": FLAGS.quick}
    for name, measure in stages.items():
        results[name] = measure()
        (out_dir / "benchmark.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    report.write(results, out_dir)
    print((out_dir / "benchmark.md").read_text(encoding="utf-8"))
    print(f"Results: {out_dir}")


if __name__ == "__main__":
    command_line.run(main)
