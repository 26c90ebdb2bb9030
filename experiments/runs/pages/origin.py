"""Sections on the data of runs, and on the code, the libraries and the machine behind them."""

from collections.abc import Mapping, Sequence

from experiments.reports.blocks import Facts
from experiments.reports.document import Section
from experiments.reports.grid import Grid, Number, Text
from experiments.reports.words import NOT_AVAILABLE, plain
from experiments.runs.run import Run


def sections(runs: Sequence[Run]) -> list[Section]:
    """Returns the sections `Data` and `Origin`, for the HTML page; runs are of one dataset."""
    data = data_grid(runs[0].record["dataset"])
    facts = Facts(_facts(runs))
    return [Section("Data", [data], only="html"), Section("Origin", [facts], only="html")]


def data_grid(data: Mapping) -> Grid:
    """Returns the rows and positives of a dataset's splits."""
    tasks = list(next(iter(data["positives"].values()), {}))
    lines = []
    for split, rows in data["rows"].items():
        positives = data["positives"].get(split, {})
        cells = [f"{positives[task]:,} ({positives[task] / max(rows, 1):.3%})" for task in tasks]
        lines.append((split, rows, *cells))
    columns = (Text("split"), Number("rows", form=","), *(Number(f"{t} positives") for t in tasks))
    return Grid("Data", columns, lines)


def _facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Returns pairs of a name and a value, or several values where the runs differ."""
    data = runs[0].record["dataset"]
    facts = {
        "dataset": f"{data['name']}, fingerprint {data['fingerprint']}",
        "parameters": _distinct(runs, "record.parameters") if len(runs) == 1 else None,
        "rows per second": _distinct(runs, "result.rows_per_second") if len(runs) == 1 else None,
        "wall time": f"{sum(run.value('result.wall_seconds') or 0 for run in runs):,.0f} s"
        + (" over all runs" if len(runs) > 1 else ""),
        "started": min(run.record["started"] for run in runs),
        "code": _distinct(runs, "record.code"),
        "command": _distinct(runs, "record.command") if len(runs) == 1 else None,
        "versions": _distinct(runs, "record.versions"),
        "processor": _distinct(runs, "record.machine.processor"),
        "cores": _distinct(runs, "record.machine.cores"),
        "memory (GiB)": _distinct(runs, "record.machine.memory_gib"),
    }
    simulation = data.get("simulation") or {}
    if simulation:
        facts["simulation"] = plain(
            {"seed": simulation.get("seed")}
            | {n: v for n, v in (simulation.get("settings") or {}).items() if n != "seed"}
        )
        facts["Bayes-optimal AUC"] = plain((simulation.get("bayes_auc") or {}).get("test"))
    return [(name, value) for name, value in facts.items() if value is not None]


def _distinct(runs: Sequence[Run], key: str) -> str:
    values = [run.value(key) for run in runs]
    texts = [NOT_AVAILABLE if value is None else plain(value) for value in values]
    return "; ".join(dict.fromkeys(texts))
