r"""Measures the speeds of this project and of other libraries on the machine it runs on.

  python -m benchmarks.run --out_dir=runs/benchmark
  python -m benchmarks.run --quick

Contenders run one at a time in short windows that are interleaved, round after round, so that a
machine that is slow for a while is slow for all of them. Reported are medians over the rounds,
and ratios of medians with the smallest and largest ratio of one round. All data is synthetic.
"""

import json
import pathlib
import sys
from collections.abc import Callable

from absl import logging

from benchmarks import epoch, machine, preparation, report, windows, workload
from benchmarks.windows import Contender
from benchmarks.workload import MODELS, VOCABULARIES
from dcrnn_tf.system import command_line, json_form

AUC = json_form.Object(
    {
        "rows": json_form.COUNT,
        "auc": json_form.FROM_0,
        "seconds": json_form.ABOVE_0,
        "peak_bytes": json_form.COUNT,
    }
)
PEERS = ("merlin", "torch_rechub", "deepctr")


def groups(quick: bool, peers: bool, work: pathlib.Path) -> list[list[Contender]]:
    """All that is timed on the workloads in `work`; the windows of a group are interleaved."""

    def ours(model, form, size="W"):
        arguments = (f"--workload={work / size}", f"--model={model}", f"--form={form}")
        return Contender(f"{model} {form}", size, ("-m", "benchmarks.ours", *arguments))

    def naive(model, form="naive", size="W"):
        arguments = [f"--workload={work / size}", f"--model={model}"]
        arguments += ["--dense"] if form == "naive dense" else []
        return Contender(f"{model} {form}", size, ("-m", "benchmarks.naive", *arguments))

    def of_peers(size="W"):
        return [
            Contender(
                f"mmoe {peer}",
                size,
                ("-m", f"benchmarks.peers.train_{peer}", str(work / size)),
                peer,
            )
            for peer in PEERS
            if peers
        ]

    models = ["mmoe", "dcrnn_ada"] if quick else list(MODELS)
    chosen = [
        [
            *(ours(m, "disk") for m in models),
            ours("mmoe", "bfloat16_products"),
            *map(naive, models),
            *of_peers(),
        ],
        [*(ours(m, "dense") for m in models), *(naive(m, "naive dense") for m in models)],
        [ours(m, "predict") for m in models],
    ]
    if not quick:
        chosen.append([ours(m, "disk", "lists") for m in models])
        usual = ("disk", "memory", "bfloat16_products", "bfloat16", "deferred")
        forms = {model: [*usual] for model in MODELS}
        for model in ("dcrnn", "dcrnn_ada"):
            forms[model].append("compiled")
        chosen += [[ours(model, form) for form in forms[model]] for model in MODELS]
        # Each alone: the tables of several would not fit side by side.
        large = [*(ours(m, "disk", "W10") for m in MODELS)]
        large += [*(naive(m, size="W10") for m in MODELS), *of_peers("W10")]
        chosen += [[contender] for contender in large]
    return chosen


def _lists(folder: pathlib.Path) -> dict:
    """What the workload of lists takes on disk and in memory."""
    from dcrnn_tf.dataset.reader import PreparedDataset

    dataset = PreparedDataset(folder / "prepared")
    split, entity = dataset.schema.splits["train"], dataset.schema.entities["user"]
    table = dataset.entity_table("user").memory_bytes
    return {
        "bytes_per_exposure": sum(s.bytes for s in (*split.shards, *entity.shards)) / split.rows,
        "table_bytes_per_user": table / entity.rows,
    }


def main(settings: windows.Settings) -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    plan = settings.plan()
    out_dir = plan.out_dir
    work = pathlib.Path(settings.work_dir)
    vocabularies = VOCABULARIES if not settings.quick else {"W": VOCABULARIES["W"]}
    for name, vocabulary in vocabularies.items():
        workload.make(work / name, vocabulary)
    sizes = [300_000] if settings.quick else [1_000_000, 4_000_000, 16_000_000]
    auc = [sys.executable, "-m", "benchmarks.auc", "10000000" if settings.quick else "40000000"]
    lists = workload.make_lists(work / "lists")
    chosen = groups(settings.quick, plan.peers_dir is not None, work)
    stages: dict[str, Callable[[], object]] = {
        "machine": machine.describe,
        "lists": lambda: _lists(lists),
        "preparation": lambda: preparation.curve(work, sizes),
        "auc": lambda: preparation.answer(auc, AUC, "benchmarks.auc"),
        "product_rate": machine.product_rate,
        "copy_rate": machine.copy_rate,
        "operations_per_row": machine.operations_per_row,
        "speeds": lambda: windows.measure(chosen, plan),
    }
    if not settings.quick:
        stages["epochs"] = lambda: epoch.measure(work)
    results: dict[str, object] = {"quick": settings.quick}
    for name, measure in stages.items():
        results[name] = measure()
        (out_dir / "benchmark.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    report.write(results, out_dir)
    print((out_dir / "benchmark.md").read_text(encoding="utf-8"))
    print(f"Results: {out_dir}")


if __name__ == "__main__":
    command_line.run(main, windows.Settings)
