"""Reports to look at: one HTML page per run and one per table, each complete in itself."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import jinja2

from dcrnn_tf import metrics
from dcrnn_tf.system.whole_file import whole_file
from dcrnn_tf.training import metrics_log
from experiments.reports import plots
from experiments.runs import run_folder
from experiments.tables import content as table_text
from experiments.tables.content import (
    NOT_AVAILABLE,
    Grid,
    evaluated_metrics,
    metric_cells,
    number,
    plain,
)
from experiments.tables.result import TEST, Run, TableResult, load_run

METRICS_FILE = "metrics.jsonl"
REPORT_FILE = "report.html"


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page; what it lacks is not shown.

    Attributes:
      heading: above it.
      grid: a table.
      sentences: a list, in small print if `small`.
      figures: pictures.
      facts: pairs of a name and what is to be said of it.
      links: pairs of a name and its `(text, address)`es.
    """

    heading: str = ""
    grid: Grid | None = None
    sentences: Sequence[str] = ()
    small: bool = False
    figures: Sequence[plots.Picture] = ()
    facts: Sequence[tuple[str, str]] = ()
    links: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()


def render_run_report(run_dir: str | pathlib.Path, result: Mapping | None = None) -> pathlib.Path:
    """Writes `report.html` of one run, finished or not, and returns its path.

    Args:
      run_dir: folder of the run.
      result: of the run, where the folder does not hold it yet.

    Raises:
      DatasetError: the folder is no run, or one of its files is damaged.
    """
    run = load_run(run_dir)
    if result is not None:
        run = dataclasses.replace(run, result=result)
    data = run.record["dataset"]
    done = run.result is not None
    sections = [
        Section("Metrics", _metrics_grid(run), _populations(run), small=True) if done else None,
        *_curve_sections({run.config["model"]: [run]}, statistics=True),
        _explanation_section(run),
        Section("Settings", _settings_grid(run)),
        Section("Data", _data_grid(data)),
        Section("Origin", facts=_facts([run])),
    ]
    return write_page(
        pathlib.Path(run_dir, REPORT_FILE),
        title=f"{run.config['model']} on {data['name']}, seed {run.seed}",
        warning="Simulated data" if data["simulated"] else None,
        source=None,
        origin=None,
        incomplete=[] if done else ["This run is not finished"],
        sections=[section for section in sections if section],
    )


def render_table_report(result: TableResult, path: str | pathlib.Path) -> pathlib.Path:
    """Writes the report of a table, and returns its path.

    Raises:
      DatasetError: a file of a run is damaged.
    """
    path = pathlib.Path(path)
    table = result.table
    drawn = result.ranking or result.rows
    runs = {row.row.label: row.runs for row in drawn if row.runs}
    first, *others, cost, settings = table_text.grids(result)
    sections = [
        Section(first.title, first),
        _verdict_section(result),
        Section(
            f"{metrics.get(metrics.PRIMARY).label} by seed",
            sentences=["Dots are seeds, the bar is the 95 % interval of their mean."],
            small=True,
            figures=[plots.by_seed(result, task) for task in table.tasks],
        ),
        *(Section(grid.title, grid) for grid in others),
        *_curve_sections(runs),
        Section(cost.title, cost),
        Section(settings.title, settings),
        Section("Data", _data_grid(result.data)),
        Section("Origin", facts=_facts(result.runs)),
        Section("The runs", links=_run_links(result, path.parent)),
        Section("Reading the figures", sentences=table_text.notes(result), small=True),
    ]
    return write_page(
        path,
        title=table.title,
        warning=table_text.warning(result),
        source=table.source,
        origin=table_text.origin(table),
        incomplete=table_text.incomplete(result),
        sections=sections,
    )


def _verdict_section(result: TableResult) -> Section:
    """The differences to the baseline: in sentences, or in pictures where those are too many."""
    heading = f"Against {result.table.compared_with}"
    if len(result.rows) < plots.MANY:
        verdicts = table_text.verdicts(result)
        return Section(heading, sentences=[f"{label}, {sentence}" for label, sentence in verdicts])
    return Section(
        heading,
        sentences=[
            "Bars are 95 % intervals over seeds. A hollow dot has an interval that holds 0, or "
            "none: no difference is shown. The figures stand under Intervals and tests."
        ],
        small=True,
        figures=[
            plots.differences(result, task, metric)
            for metric in result.table.metrics
            for task in result.table.tasks
        ],
    )


def read_metrics(run: Run) -> list[dict]:
    """The lines of a run's `metrics.jsonl`, as `metrics_log.read` gives them."""
    return metrics_log.read(run.folder / METRICS_FILE)


def _curve_sections(runs: Mapping[str, Sequence[Run]], statistics: bool = False) -> list[Section]:
    """Pictures of training, ROC and scores for `{label: runs}`; those without data left out.

    `statistics` asks for what the models say of their training steps too.
    """
    logs = {label: [read_metrics(run) for run in row_runs] for label, row_runs in runs.items()}
    curves = {
        label: [
            run_folder.read_json(run.folder / run_folder.CURVES_FILE)
            for run in row_runs
            if (run.folder / run_folder.CURVES_FILE).exists()
        ]
        for label, row_runs in runs.items()
    }
    first = next(run for row_runs in runs.values() for run in row_runs)
    tasks = list(dict.fromkeys([*first.record["positive_weights"], *_evaluated(logs, curves)]))
    primary = metrics.get(metrics.PRIMARY).label
    losses = _lines(logs, _loss)
    training = (
        [plots.lines("training loss, sum over tasks", losses, "step", "loss")] if losses else []
    )
    roc, scores = [], []
    for task in tasks:
        if points := _lines(logs, functools.partial(_validation, task)):
            training.append(plots.lines(f"validation {primary}, {task}", points, "epoch", primary))
        rocs = {
            label: [tuple(seed[task]["roc"].values()) for seed in seeds if task in seed]
            for label, seeds in curves.items()
        }
        if rocs := {label: seeds for label, seeds in rocs.items() if seeds}:
            roc.append(plots.roc(task, rocs))
        scores += [
            plots.score_histogram(label, task, seeds[0][task]["scores"])
            for label, seeds in curves.items()
            if seeds and task in seeds[0]
        ]
    if statistics:
        for name in _statistic_names(logs):
            values = _lines(logs, functools.partial(_statistic, name))
            training.append(plots.lines(name, values, "step", "mean"))
    several = any(len(row_runs) > 1 for row_runs in runs.values())
    many = len(runs) >= plots.MANY
    if many:
        scores = []  # the runs' own reports show them
    seeds = f", mean {'' if many else 'and range '}over seeds" if several else ""
    sections = [
        Section("Training" + seeds, figures=training),
        Section("ROC curves" + (", mean over seeds" if several else ""), figures=roc),
        Section("Scores" + (", of the lowest seed" if several else ""), figures=scores),
    ]
    return [section for section in sections if section.figures]


def _lines(logs: Mapping[str, Sequence[list[dict]]], point: Callable) -> plots.Curves:
    """`{label: (x, y) of each seed}`, where `point` gives an entry's `(x, y)` or None."""
    curves: dict[str, list] = {}
    for label, seeds in logs.items():
        for entries in seeds:
            points = [xy for entry in entries if (xy := point(entry)) is not None]
            if points:
                curves.setdefault(label, []).append(tuple(zip(*points, strict=True)))
    return curves


def _loss(entry: dict) -> tuple[int, float] | None:
    return (entry["step"], entry["loss"]) if entry["kind"] == "train" else None


def _statistic(name: str, entry: dict) -> tuple[int, float] | None:
    value = (entry.get("statistics") or {}).get(name) if entry["kind"] == "train" else None
    return None if value is None else (entry["step"], value)


def _statistic_names(logs: Mapping[str, Sequence[list[dict]]]) -> list[str]:
    entries = [entry for seeds in logs.values() for lines in seeds for entry in lines]
    return list(dict.fromkeys(n for entry in entries for n in entry.get("statistics") or {}))


def _evaluated(
    logs: Mapping[str, Sequence[list[dict]]], curves: Mapping[str, Sequence[dict]]
) -> list[str]:
    """The tasks and derived outputs that were evaluated."""
    entries = [entry for seeds in logs.values() for lines in seeds for entry in lines]
    figures = [entry["metrics"] for entry in entries if entry["kind"] == "evaluation"]
    figures += [seed for seeds in curves.values() for seed in seeds]
    return [task for tasks in figures for task in tasks]


def _validation(task: str, entry: dict) -> tuple[int, float] | None:
    """The epoch and the primary metric of a task in it."""
    if entry["kind"] != "evaluation" or entry["split"] != "validation":
        return None
    value = entry["metrics"].get(task, {}).get(metrics.PRIMARY)
    return None if value is None else (entry["epoch"], value)


def _explanation_section(run: Run) -> Section | None:
    """Heat maps of what the model said of itself; None where it said nothing."""
    path = run.folder / run_folder.EXPLANATION_FILE
    if not path.exists():
        return None
    pictures, varies = [], False
    for name, content in run_folder.read_json(path).items():
        spread = content["std"]
        varies |= spread is not None
        matrix = (content["mean"], content["rows"], content["columns"])
        pictures.append(plots.heat_map(name, *matrix, spread))
    if not pictures:
        return None
    split = list((run.result or {}).get("metrics") or ["evaluation"])[-1]
    sentence = "The same for every example."
    if varies:
        sentence = f"Means over a sample of the {split} split, ± the standard deviation."
    return Section("Inside the model", sentences=[sentence], small=True, figures=pictures)


def _metrics_grid(run: Run) -> Grid:
    """A line for each split and task; the first metric is the AUC, with its optimum beside it."""
    splits = (run.result or {}).get("metrics") or {}
    shown = evaluated_metrics(splits)
    lines = []
    for split, tasks in splits.items():
        for task, values in tasks.items():
            bayes = run.value(f"record.dataset.simulation.bayes_auc.{split}.{task}")
            cells = metric_cells(values, shown)
            counts = (number(values[name], ",") for name in ("positives", "rows"))
            lines.append((split, task, *cells[:1], number(bayes), *cells[1:], *counts))
    labels = [metric.label for metric in shown]
    header = ("split", "task", *labels[:1], "Bayes-optimal AUC", *labels[1:], "positives", "rows")
    return Grid("Metrics", header, tuple(lines), texts=2)


def _populations(run: Run) -> list[str]:
    """What the derived outputs are measured on."""
    splits = ((run.result or {}).get("metrics") or {}).values()
    populations = {
        name: figures["population"]
        for outputs in splits
        for name, figures in outputs.items()
        if "population" in figures
    }
    return [
        f"{name} is derived from the predictions of the tasks and measured on {population}."
        for name, population in populations.items()
    ]


def _settings_grid(run: Run) -> Grid:
    values = {name: value for name, value in run.config.items() if name != "settings"}
    values |= {f"{run.config['model']}: {n}": v for n, v in (run.config["settings"] or {}).items()}
    values["positive weights used"] = run.record["positive_weights"]
    lines = tuple((name, plain(value)) for name, value in values.items())
    return Grid("Settings", ("setting", "value"), lines, texts=2)


def _data_grid(data: Mapping) -> Grid:
    tasks = list(next(iter(data["positives"].values()), {}))
    lines = []
    for split, rows in data["rows"].items():
        positives = data["positives"].get(split, {})
        cells = [f"{positives[task]:,} ({positives[task] / max(rows, 1):.3%})" for task in tasks]
        lines.append((split, f"{rows:,}", *cells))
    return Grid("Data", ("split", "rows", *(f"{task} positives" for task in tasks)), tuple(lines))


def _facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """What the runs were made of and with; several values where the runs differ."""
    data = runs[0].record["dataset"]
    facts = {
        "dataset": f"{data['name']}, fingerprint {data['fingerprint']}",
        "parameters": _distinct(runs, "record.parameters") if len(runs) == 1 else None,
        "rows per second": _distinct(runs, "result.rows_per_second") if len(runs) == 1 else None,
        "wall time": f"{sum(run.value('result.wall_seconds') or 0 for run in runs):,.0f} s"
        + (" over all runs" if len(runs) > 1 else ""),
        "started": min(run.record["started"] for run in runs),
        "git revision": _distinct(runs, "record.git_revision"),
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
        facts["Bayes-optimal AUC"] = plain((simulation.get("bayes_auc") or {}).get(TEST))
    return [(name, value) for name, value in facts.items() if value is not None]


def _distinct(runs: Sequence[Run], key: str) -> str:
    values = [run.value(key) for run in runs]
    texts = [NOT_AVAILABLE if value is None else plain(value) for value in values]
    return "; ".join(dict.fromkeys(texts))


def _run_links(result: TableResult, folder: pathlib.Path) -> list[tuple[str, list]]:
    links = []
    for row in result.rows:
        reports = [(run.seed, run.folder / REPORT_FILE) for run in row.runs]
        addresses = [
            (
                "any seed" if row.row.deterministic else f"seed {seed}",
                pathlib.PurePath(os.path.relpath(report, folder)).as_posix(),
            )
            for seed, report in reports
            if report.exists()
        ]
        if addresses:
            links.append((row.row.label, addresses))
    return links


def write_page(path: pathlib.Path, **content: object) -> pathlib.Path:
    """Writes a page of `Section`s; `content` is what the template needs. Returns its path."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("report.html.jinja").render(content)
    with whole_file(path) as file:
        file.write(html)
    return path
