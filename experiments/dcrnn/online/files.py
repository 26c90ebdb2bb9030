"""The files of DCRNN's Table 3: CSV for machines, a Markdown page, and an HTML page."""

import pathlib

from experiments.dcrnn.online import content as content
from experiments.dcrnn.online import grids
from experiments.dcrnn.online import plots as table3_plots
from experiments.dcrnn.online.content import OnlineResult
from experiments.dcrnn.online.statistics import EXPECTED, METRICS, improvement
from experiments.reports import plots
from experiments.reports.blocks import Bullets, Facts, Links, Picture, Pictures
from experiments.reports.document import Document, Section
from experiments.runs.pages.report import REPORT_FILE


def write(result: OnlineResult, folder: pathlib.Path, offline: str) -> Document:
    """Writes `table3.csv`, `table3.md` and `report.html`; returns the page.

    Args:
      result: Result of the experiment.
      folder: Folder of the files.
      offline: Address, as seen from there, of the report of the models' runs.
    """
    page = _document(result, offline)
    page.write(folder / "table3.csv", folder / "table3.md", folder / REPORT_FILE)
    return page


def _document(result: OnlineResult, offline: str) -> Document:
    first, *others = grids.grids(result)
    auc = grids.offline_grid(result)
    verdicts = Bullets([f"{sentence}." for sentence in content.verdicts(result)])
    return Document(
        content.TITLE,
        Section.of(first),
        [
            Section(f"Against {result.baseline}", [verdicts, Pictures(_pictures(result))]),
            *map(Section.of, others),
            Section(auc.title, [auc, Links([("the runs", [("their report", offline)])])]),
            Section("The experiment", [Facts(content.settings(result))]),
            Section("Reading the figures", [Bullets(content.notes(result), small=True)]),
        ],
        warning=content.warning(),
        remark="The published figures are of other data.",
        source=f"Published figures: {content.SOURCE}",
        data=grids.records(result),
    )


def _pictures(result: OnlineResult) -> list[Picture]:
    """Returns a picture of the relative improvements of each arm."""
    pictures = []
    pooled = result.pooled
    with plots.styled():
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
