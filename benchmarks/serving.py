r"""Measures models as they are served: exported, loaded in a process of their own, and called.

  python -m benchmarks.serving --out_dir=runs/benchmark --peers_dir=.peers
  python -m benchmarks.serving --quick

Windows are interleaved as in benchmarks.run. Requests and answers are NumPy arrays; nothing goes
through a network.
"""

import json
import pathlib
import shutil
from collections.abc import Callable

from benchmarks import machine, serving_report, windows, workload
from benchmarks.windows import Contender
from benchmarks.workload import MODELS
from dcrnn_tf.system import command_line

PEERS = ("torch_rechub", "deepctr")
BATCH = 4096
CANDIDATES = (100, 500)
LOW_PRECISION = "bfloat16"
USER_FIELDS = 13  # of the 23, as in Ali-CCP


def exports(models: list[str], peers: bool, data: pathlib.Path, folder: pathlib.Path) -> list:
    """The programs that write what is served.

    Args:
      models: Names of this project's models.
      peers: Whether the peers' models are written too.
      data: folder of the workload.
      folder: Folder of the exports.
    """
    programs = [
        Contender(
            f"{model} export",
            "W",
            (
                "-m",
                "benchmarks.export_models",
                f"--workload={data}",
                f"--model={model}",
                f"--user_fields={USER_FIELDS}",
                f"--out_dir={folder}",
            ),
        )
        for model in models
    ]
    low = (*programs[models.index("mmoe")].command, f"--mixed_precision={LOW_PRECISION}")
    programs.append(Contender(f"mmoe {LOW_PRECISION} export", "W", low))
    written = {"torch_rechub": "torch_rechub/mmoe.onnx", "deepctr": "deepctr"}
    for peer in PEERS if peers else ():
        command = ("-m", f"benchmarks.peers.export_{peer}", str(data), str(folder / written[peer]))
        programs.append(Contender(f"{peer} export", "W", command, peer))
    return programs


def groups(models: list[str], peers: bool, folder: pathlib.Path) -> list[list[Contender]]:
    """All that is timed; the windows of a group are interleaved.

    Args:
      models: Names of this project's models.
      peers: Whether the peers are timed too.
      folder: Folder of the exports.
    """

    def saved_model(label, exported, ids, rows, *more, peer=None):
        flags_given = (f"--model={folder / exported}", f"--ids={folder / ids}", f"--rows={rows}")
        command = ("-m", "benchmarks.saved_model", *flags_given, *more)
        return Contender(f"{label} {rows}", "W", command, peer)

    def of_peers(rows, *more):
        onnx = ("-m", "benchmarks.peers.serve_onnx", folder / "torch_rechub" / "mmoe.onnx")
        onnx += (folder / "encoded_ids.npy", rows, *more)
        ids = "encoded_ids.npy"
        return [
            saved_model("mmoe deepctr", "deepctr", ids, rows, *more, peer="deepctr"),
            Contender(f"mmoe onnx {rows}", "W", tuple(map(str, onnx)), "torch_rechub"),
        ]

    batches = []
    for model in models:
        batches.append(saved_model(f"{model} raw", f"{model}/1", "raw_ids.npy", BATCH))
        batches.append(
            saved_model(f"{model} encoded", f"{model}_encoded", "encoded_ids.npy", BATCH)
        )
    low = saved_model(f"mmoe {LOW_PRECISION}", f"mmoe_{LOW_PRECISION}/1", "raw_ids.npy", BATCH)
    batches += [low] if "mmoe" in models else []
    chosen = [batches + (of_peers(BATCH) if peers else [])]
    for model in models:
        of_user = ("--one_core", f"--user_fields={USER_FIELDS}")
        exported = (f"{model}/1", "raw_ids.npy")
        latencies = []
        for rows in CANDIDATES:
            ranked = saved_model(f"{model} rank", *exported, rows, "--signature=rank", *of_user)
            latencies += [ranked, saved_model(f"{model} raw", *exported, rows, *of_user)]
        if model == "mmoe" and peers:
            latencies += of_peers(CANDIDATES[-1], *of_user)
        chosen.append(latencies)
    return chosen


def main(settings: windows.Settings) -> None:
    """Runs the program."""
    plan = settings.plan()
    work = pathlib.Path(settings.work_dir)
    data = workload.make(work / "W", workload.VOCABULARIES["W"])
    folder = work / "exports"
    shutil.rmtree(folder, ignore_errors=True)  # what is served is what the code is now
    models = ["mmoe", "dcrnn"] if settings.quick else list(MODELS)
    peers = plan.peers_dir is not None
    for program in exports(models, peers, data, folder):
        windows.once(program, plan)
    stages: dict[str, Callable[[], object]] = {
        "machine": machine.describe,
        "product_rate": machine.product_rate,
        "one_core_product_rate": machine.one_core_product_rate,
        "operations_per_row": machine.forward_operations_per_row,
        "disk_bytes": lambda: {model: _bytes(folder / model) for model in models},
        "speeds": lambda: windows.measure(groups(models, peers, folder), plan),
    }
    results: dict[str, object] = {"quick": settings.quick}
    for name, measure in stages.items():
        results[name] = measure()
        (plan.out_dir / "serving.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    serving_report.write(results, plan.out_dir)
    print((plan.out_dir / "serving.md").read_text(encoding="utf-8"))
    print(f"Results: {plan.out_dir}")


def _bytes(folder: pathlib.Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    command_line.run(main, windows.Settings)
