"""Run folders with chosen figures, for the tests of tables and reports."""

import json
import pathlib

from dcrnn_tf import metrics

# The metrics of a run where a test gives no others: a different value for each.
METRICS = {metric.name: 0.31 + n / 100 for n, metric in enumerate(metrics.printed())}
METRICS |= {"constant_logloss": 0.2, "calibration": 1.5}


def write_run(
    folder: pathlib.Path,
    aucs: dict[str, float | None],
    *,
    seed: int = 1,
    model: str = "mmoe",
    settings: dict | None = None,
    simulated: bool = True,
    finished: bool = True,
    fingerprint: str = "f00d",
    logloss: float | None = None,  # of each task; follows from the seed if not given
    values: dict[str, float] | None = None,  # of other metrics, of each task
    rows_per_second: float | None = 12000.0,
    wall_seconds: float = 50.0,
    curves: bool = True,
    name: str = "ali_ccp",
    statistics: dict | None = None,
    explanation: dict | None = None,
    other_parameters: int = 300_000,  # outside the embedding table
    **config,
) -> pathlib.Path:
    """Writes a run whose test AUCs are `aucs`, `{task: AUC}`.

    `statistics` are those of every line of training, `explanation` is that file's content.
    """
    folder.mkdir(parents=True)
    evaluated = {
        task: METRICS
        | {"auc": auc, "logloss": 0.1 + seed / 100 if logloss is None else logloss}
        | (values or {})
        | {"rows": 1000, "positives": 40}
        for task, auc in aucs.items()
    }
    bayes = {
        "test": {"click": 0.72, "conversion": 0.78},
        "train": {"click": 0.7, "conversion": 0.8},
    }
    simulation = {"seed": 3, "settings": {"click_rate": 0.04, "noise": 1.0}, "bayes_auc": bayes}
    counts = {"train": 200_000, "validation": 10_000, "test": 100_000}
    record = {
        "versions": {"python": "3.11.4", "keras": "3.15.1"},
        "code": {"version": "0.1.0", "digest": "c0de", "git_revision": None},
        "started": f"2025-01-0{seed % 9 + 1}T00:00:00+00:00",
        "command": "python -m experiments.train",
        "machine": {"cores": 2, "processor": "A processor", "memory_gib": 7.8},
        "dataset": {
            "name": name,
            "fingerprint": fingerprint,
            "simulated": simulated,
            "rows": counts,
            "positives": {s: {"click": n // 25, "conversion": n // 300} for s, n in counts.items()},
            "simulation": simulation if simulated else None,
        },
        "parameters": {
            "total": 1_000_000 + other_parameters,
            "embedding": 1_000_000,
            "other": other_parameters,
        },
        "positive_weights": dict.fromkeys(aucs, 24.0),
    }
    config = {
        "data_dir": "prepared",
        "dataset_fingerprint": fingerprint,
        "model": model,
        "settings": settings or {},
        "seed": seed,
        "epochs": 3,
        "batch_size": 512,
        "learning_rate": 1e-3,
        "optimizer": "adam",
        "embedding_optimizer": "lazy_adam",
        **config,
    }
    result = {
        "epochs": 3,
        "steps": 300,
        "wall_seconds": wall_seconds,
        "rows_per_second": rows_per_second,
        "metrics": {"validation": evaluated, "test": evaluated},
    }
    _write(folder / "config.json", config)
    _write(folder / "run.json", record)
    if curves:
        lines = [
            {
                "kind": "train",
                "epoch": 1 + step // 101,
                "step": step,
                "loss": 1.4 - step / 1500 + 0.01 * (step * seed % 7),
                "losses": dict.fromkeys(aucs, 0.7),
                **({"statistics": statistics} if statistics else {}),
                "rows_per_second": 12000.0,
            }
            for step in range(20, 301, 20)
        ]
        for epoch in (1, 2, 3):
            known = {
                t: m | {"auc": m["auc"] and m["auc"] - 0.02 / epoch} for t, m in evaluated.items()
            }
            lines.append(
                {
                    "kind": "evaluation",
                    "epoch": epoch,
                    "step": 100 * epoch,
                    "split": "validation",
                    "metrics": known,
                }
            )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "metrics.jsonl").write_text(text)
    if explanation is not None:
        _write(folder / "explanation.json", explanation)
    if finished:
        _write(folder / "curves.json", {task: _curve(auc or 0.5) for task, auc in aucs.items()})
        _write(folder / "result.json", result)
    return folder


def _curve(auc: float) -> dict:
    """The ROC curve `y = x ** p`, whose area is the AUC, and two bell-like histograms."""
    power = (1 - auc) / auc
    grid = [step / 50 for step in range(51)]
    edges = [-2 + 0.2 * step for step in range(21)]
    bell = [max(0, 100 - (step - 9) ** 2) for step in range(20)]
    return {
        "roc": {
            "false_positive_rate": grid,
            "true_positive_rate": [x**power for x in grid],
        },
        "scores": {"edges": edges, "positives": bell[-2:] + bell[:-2], "negatives": bell},
        "reliability": {"rows": [500, 500], "positives": [5, 35], "predicted": [0.01, 0.05]},
    }


def _write(path: pathlib.Path, content: dict) -> None:
    path.write_text(json.dumps(content))
