"""A registered metric stands on every page and in every file of tables and runs by itself."""

import csv
import dataclasses
import re

import pytest

from dcrnn_tf import metrics
from experiments.leaderboard import files as leaderboard_files
from experiments.leaderboard.table import LEADERBOARD
from experiments.reports.words import number
from experiments.runs.pages import report as run_report
from experiments.tables import report as table_report
from experiments.tables.result import aggregate
from experiments.tables.sentences import verdicts
from experiments.tables.spec import Column, Row, Table, column
from tests.experiments.run_folders import METRICS, write_run

TABLE = Table(
    name="table0",
    title="Table 0",
    source="A paper",
    dataset="Ali-CCP",
    tasks=("click",),
    columns=("best", "mean"),
    baseline="MMoE",
    rows=(Row("MMoE", "mmoe"), Row("PLE", "ple")),
)
FURTHER = [metric for metric in metrics.printed() if metric.name != metrics.PRIMARY]


def fill(table, folder, **values):
    """Two runs of each row; of a metric in `values` they have one each, of others the same."""
    for row in table.rows:
        for seed in (1, 2):
            own = {name: both[seed - 1] for name, both in values.items()}
            write_run(
                table.run_dir(folder, row, seed),
                {"click": 0.6 + seed / 100},
                seed=seed,
                model=row.model,
                logloss=METRICS["logloss"],
                values=own,
            )
    return aggregate(table, folder)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Texts of all files of a table, a leaderboard and a run, by name."""
    folder = tmp_path_factory.mktemp("written")
    table = fill(TABLE, folder / "table")
    page = table_report.document(table, folder)
    page.write(*(folder / f"table.{suffix}" for suffix in ("csv", "md", "html")))
    rows = (*LEADERBOARD.rows, Row("PLE", "ple"))
    board = dataclasses.replace(LEADERBOARD, tasks=("click",), rows=rows, more_rows=None)
    leaderboard_files.write(folder, fill(board, folder / "runs" / "leaderboard"), {})
    run = table.runs[0].folder
    (folder / "run.html").write_text(run_report.write(run).read_text("utf-8"), "utf-8")
    texts = [path for path in folder.iterdir() if path.suffix in (".csv", ".md", ".html")]
    return {path.name: path.read_text("utf-8") for path in texts}


@pytest.mark.parametrize("metric", FURTHER, ids=lambda metric: metric.name)
@pytest.mark.parametrize("name", ["table.csv", "leaderboard.csv"])
def test_a_csv_has_the_mean_of_every_metric(written, name, metric):
    for line in csv.DictReader(written[name].splitlines()):
        assert float(line[metric.name]) == pytest.approx(METRICS[metric.name])


@pytest.mark.parametrize("metric", FURTHER, ids=lambda metric: metric.name)
@pytest.mark.parametrize(
    "name", ["table.md", "table.html", "leaderboard.md", "report.html", "run.html"]
)
def test_a_page_has_a_column_of_every_metric(written, name, metric):
    label, value = metric.label, number(METRICS[metric.name], metric.form)
    if name.endswith("html"):
        label = label.replace("'", "&#39;")
    assert label in written[name]
    assert value in written[name]
    if metric.note and name != "run.html":
        assert metric.note[1:] in written[name]


def test_metrics_that_no_run_has_are_left_out(tmp_path, monkeypatch):
    monkeypatch.delitem(METRICS, "calibration")
    result = fill(TABLE, tmp_path)
    names = [metric.name for metric in metrics.printed()]
    assert [metric.name for metric in result.metrics] == [n for n in names if n != "calibration"]
    assert result.rows[0].tasks["click"].metrics["calibration"].summary is None
    header = table_report.document(result, tmp_path).csv().splitlines()[0].split(",")
    assert "calibration" not in header
    assert "weighted_calibration" in header


def test_a_paper_table_may_print_and_compare_by_any_metric(tmp_path):
    table = dataclasses.replace(TABLE, columns=("mean", "calibration"))
    assert column("calibration") == Column("calibration", "calibration", "mean", ".3f")
    assert [metric.name for metric in table.metrics] == ["auc", "calibration"]
    result = fill(table, tmp_path, calibration=(1.4, 1.3))
    calibration = result.rows[0].tasks["click"].metrics["calibration"]
    assert calibration.by_seed == {1: 1.4, 2: 1.3}
    assert calibration.summary.best == 1.3  # the nearer one to 1
    page = table_report.document(result, tmp_path)
    text = page.markdown()
    assert re.search(r"\| MMoE +\| +0\.6150 \| +1\.350 \|", text)
    assert "## Intervals and tests of calibration" in text
    assert "speak for the model" not in text  # a higher calibration is neither better nor worse
    assert [words.partition(" against")[0] for _, words in verdicts(result)] == [
        "click: AUC +0.0000",
        "click: calibration +0.000",
    ]
    line = next(csv.DictReader(page.csv().splitlines()))
    assert float(line["calibration_std"]) == pytest.approx(0.1 / 2**0.5)
    with pytest.raises(ValueError, match="table0: no column is called median"):
        dataclasses.replace(TABLE, columns=("best", "median"))
