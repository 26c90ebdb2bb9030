"""The page of the benchmark, with its pictures; every number is from run folders."""

import dataclasses
import itertools
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
from optuna.trial import TrialState

from experiments.benchmark_models import content, records
from experiments.benchmark_models.content import DatasetResult
from experiments.reports import plots
from experiments.reports.blocks import Block, Bullets, Picture, Pictures
from experiments.reports.document import Document, Section
from experiments.reports.words import plain
from experiments.runs.pages.report import REPORT_FILE
from experiments.tables import comparison_plots
from experiments.tune import space
from experiments.tune.study import SETTINGS

_COST = "result.wall_seconds"
_BINS = 4  # of the learning rate


def write(out_dir: pathlib.Path, results: Sequence[DatasetResult]) -> Document:
    """Writes `benchmark.md`, `report.html`, the records and the pictures; returns the page.

    The records are `benchmark.csv`, `runs.csv` and `trials.csv`.
    """
    page = _document(out_dir, results)
    page.write(out_dir / "benchmark.md", out_dir / "benchmark.csv", out_dir / REPORT_FILE)
    for name, grid in (("runs", records.of_runs), ("trials", records.of_trials)):
        written = dataclasses.replace(page, data=grid(results, out_dir))
        written.write(out_dir / f"{name}.csv")
    return page


def _document(out_dir: pathlib.Path, results: Sequence[DatasetResult]) -> Document:
    sections = [section for one in results for section in _of_dataset(out_dir, one)]
    ranks = content.ranks(results)
    if ranks is not None:
        blocks: list[Block | str] = [content.ranks_sentence(ranks)]
        with plots.styled():
            figure = comparison_plots.critical_differences(ranks)
            words = "Mean ranks; a bar joins models that the test does not tell apart"
            blocks.append(Pictures([plots.save(figure, out_dir / "ranks", words)], words + "."))
        sections.insert(0, Section("Over all datasets", [*blocks, content.ranks_grid(ranks)]))
    short = [sentence for one in results for sentence in content.sentences(one)]
    left_out = [sentence for one in results for sentence in one.left_out]
    failures = [f"{one.name}: {words}" for one in results for words in one.result.failures]
    simulated = any(one.result.data["simulated"] for one in results)
    return Document(
        "Benchmark: tuned models",
        Section("In short", [Bullets(short)]),
        [
            *sections,
            Section("Left out", [Bullets(left_out)] if left_out else []),
            Section("Reading the figures", [Bullets(content.NOTES, small=True)]),
        ],
        warning="Some data are simulated" if simulated else "",
        incomplete=failures,
        data=records.of_models(results, out_dir),
    )


def _of_dataset(out_dir: pathlib.Path, one: DatasetResult) -> list[Section]:
    result = one.result
    shown = comparison_plots.panels(result, _COST)
    with plots.styled():
        quality, cost = (
            plots.save(figure, out_dir / f"{one.name}_{name}", words)
            for name, figure, words in (
                (
                    "models",
                    comparison_plots.dots(shown, result.table.baseline),
                    f"Test metrics of {one.name} by model",
                ),
                (
                    "cost",
                    comparison_plots.pareto(shown, "seconds of a run of the best settings"),
                    f"Test metrics of {one.name} against the cost of training",
                ),
            )
        )
    data = result.data
    rows = ", ".join(f"{count:,} {split}" for split, count in data["rows"].items())
    return [
        Section(
            one.name,
            [
                f"Dataset {data['name']}, fingerprint {data['fingerprint']}; rows: {rows}.",
                Pictures([quality], "Dots are means, bars 95 % intervals over seeds."),
                Pictures(
                    [cost], "Names are those of the Pareto front: none is better and cheaper."
                ),
            ],
        ),
        *(Section.of(content.comparison_grid(one, task)) for task in result.table.tasks),
        Section(f"{one.name}, sensitivity", [Pictures(sensitivity(one), _SENSITIVITY)]),
        Section.of(content.cost_grid(one)),
        Section.of(content.settings_grid(one)),
    ]


_SENSITIVITY = (
    "The best validation value among the complete trials with a value of the setting, minus the "
    "model's best; 0 where the best trial is, empty where there is no trial."
)


def sensitivity(one: DatasetResult) -> list[Picture]:
    """Returns a heat map for each setting that models share: what its values cost each model."""
    pictures = []
    for dimension in space.SHARED:
        values = _labels(dimension)
        table, labels = [], []
        for label, trials in one.trials.items():
            complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
            if not complete or not all(
                _within(dimension, t.user_attrs[SETTINGS]) for t in complete
            ):
                continue
            by_value: dict[str, list[float]] = {value: [] for value in values}
            for trial in complete:
                by_value[_label(dimension, trial.user_attrs[SETTINGS][dimension.name])].append(
                    trial.values[0]
                )
            best = max(trial.values[0] for trial in complete)
            table.append([max(found) - best if found else np.nan for found in by_value.values()])
            labels.append(label)
        if table:
            pictures.append(plots.heat_map(dimension.name, table, labels, values))
    return pictures


def _within(dimension: space.Dimension, chosen: Mapping) -> bool:
    """Whether a trial has the setting, with a value of this space; that of trees is another."""
    value = chosen.get(dimension.name)
    if isinstance(dimension, space.Choice):
        return value in dimension.values
    return value is not None and dimension.low <= value <= dimension.high


def _edges(dimension: space.Log) -> np.ndarray:
    return np.geomspace(dimension.low, dimension.high, _BINS + 1)


def _labels(dimension: space.Dimension) -> list[str]:
    if isinstance(dimension, space.Choice):
        return [plain(value) for value in dimension.values]
    edges = _edges(dimension)
    return [f"{low:.1g} to {high:.1g}" for low, high in itertools.pairwise(edges)]


def _label(dimension: space.Dimension, value: object) -> str:
    if isinstance(dimension, space.Choice):
        return plain(value)
    place = int(np.searchsorted(_edges(dimension)[1:-1], float(str(value))))
    return _labels(dimension)[place]
