"""Writes DCRNN's Table 3: a CSV for machines, a Markdown page, a self-contained HTML page."""

import csv
import dataclasses
import pathlib
from collections.abc import Iterator

import matplotlib

from dcrnn_tf.system.whole_file import whole_file
from experiments.dcrnn.online import content as content
from experiments.dcrnn.online import plots as table3_plots
from experiments.dcrnn.online.content import OnlineResult
from experiments.dcrnn.online.experiment import summed
from experiments.dcrnn.online.statistics import EXPECTED, METRICS, Estimate, improvement, rate
from experiments.reports import plots, report
from experiments.tables.files import escape, markdown_grid


def write(result: OnlineResult, folder: pathlib.Path, offline: str) -> pathlib.Path:
    """Writes `table3.csv`, `table3.md` and `report.html`, whose path it returns.

    Args:
      result: the experiment.
      folder: to write to.
      offline: address, as seen from there, of the report of the models' runs.
    """
    _write_csv(result, folder / "table3.csv")
    _write_markdown(result, folder / "table3.md")
    first, *others = content.grids(result)
    auc = content.offline_grid(result)
    sections = [
        report.Section(first.title, first),
        report.Section(
            f"Against {result.baseline}",
            sentences=content.verdicts(result),
            figures=_pictures(result),
        ),
        *(report.Section(grid.title, grid) for grid in others),
        report.Section(
            f"{auc.title} of the log", auc, links=[("the runs", [("their report", offline)])]
        ),
        report.Section("The experiment", facts=content.settings(result)),
        report.Section("Reading the figures", sentences=content.notes(result), small=True),
    ]
    return report.write_page(
        folder / "report.html",
        title=content.TITLE,
        warning=content.warning(),
        source=content.SOURCE,
        origin="Published figures",
        incomplete=[],
        sections=sections,
    )


def _write_csv(result: OnlineResult, path: pathlib.Path) -> None:
    """Writes a line per policy, metric and training, and one over all trainings (seed `all`)."""
    lines = list(_csv_lines(result))
    with whole_file(path, newline="") as file:
        writer = csv.DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _csv_lines(result: OnlineResult) -> Iterator[dict[str, object]]:
    everything = [(arm, "all", outcomes) for arm, outcomes in result.pooled.items()]
    everything += [
        (arm, seed, outcomes)
        for arm, runs in result.arms.items()
        for seed, outcomes in runs.items()
    ]
    for name, seed, outcomes in everything:
        runs = result.arms[result.baseline]
        baseline = summed(list(runs.values())) if seed == "all" else runs[seed]
        compared = name != result.baseline
        row = result.row(name) if name in result.arms else None
        for metric in METRICS:
            expected = EXPECTED[metric.name]
            yield {
                "policy": name,
                "seed": seed,
                "metric": metric.name,
                "simulated": True,
                **{f"design_{key}": n for key, n in dataclasses.asdict(result.design).items()},
                **_cells("rate", rate(metric, outcomes)),
                **_cells("expected", rate(expected, outcomes)),
                "paper_rate": content.PAPER.get(name, {}).get(metric.name),
                "baseline": result.baseline if compared else None,
                **_cells(
                    "improvement", improvement(metric, outcomes, baseline) if compared else None
                ),
                **_cells(
                    "expected_improvement",
                    improvement(expected, outcomes, baseline) if compared else None,
                ),
                "paper_improvement": content.published_improvement(
                    name, result.baseline, metric.name
                )
                if compared
                else None,
                **{f"parameters_{part}": row and row.parameters(part) for part in content.PARTS},
                "paper_parameters": content.PAPER.get(name, {}).get("parameters"),
                "fingerprint": result.offline.data["fingerprint"],
            }


def _cells(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    low, high = (estimate and estimate.interval) or (None, None)
    return {name: estimate and estimate.value, f"{name}_low": low, f"{name}_high": high}


def _write_markdown(result: OnlineResult, path: pathlib.Path) -> None:
    first, *others = content.grids(result)
    parts = [
        f"**{content.warning()}.** The published figures are of other data.",
        f"# {content.TITLE}",
        markdown_grid(first),
        f"Published figures: {content.SOURCE}.",
        f"## Against {result.baseline}",
        "\n".join(f"- {escape(sentence)}." for sentence in content.verdicts(result)),
    ]
    for grid in (*others, content.offline_grid(result)):
        parts += [f"## {grid.title}", markdown_grid(grid)]
    parts += ["## The experiment", "\n".join(f"- {n}: {v}" for n, v in content.settings(result))]
    parts += [
        "## Reading the figures",
        "\n".join(f"- {escape(note)}" for note in content.notes(result)),
    ]
    with whole_file(path) as file:
        file.write("\n\n".join(parts) + "\n")


def _pictures(result: OnlineResult) -> list[plots.Picture]:
    """The relative improvements of each arm."""
    pictures = []
    pooled = result.pooled
    with matplotlib.rc_context(plots.STYLE):
        for arm in result.treatments:
            pair = (pooled[arm], pooled[result.baseline])
            figure = table3_plots.improvements(
                arm,
                result.baseline,
                {
                    metric.label: (
                        improvement(metric, *pair),
                        improvement(EXPECTED[metric.name], *pair),
                    )
                    for metric in METRICS
                },
                {
                    metric.label: [
                        one.value
                        for one in content.improvements(result, arm, metric).values()
                        if one
                    ]
                    for metric in METRICS
                },
                {
                    metric.label: content.published_improvement(arm, result.baseline, metric.name)
                    for metric in METRICS
                },
            )
            words = f"Relative improvement of {arm} over {result.baseline}, beside the paper's"
            pictures.append(plots.picture(figure, words))
    return pictures
