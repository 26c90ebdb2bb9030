"""The page of a paper table, from made-up runs."""

import dataclasses
import re

import pytest

from experiments.tables import report
from experiments.tables.result import aggregate
from experiments.tables.spec import Row, Table
from tests.experiments.page import Page
from tests.experiments.run_folders import write_run

TABLE = Table(
    name="table0",
    title="Table 0 & more",
    source="A paper",
    dataset="Ali-CCP",
    tasks=("click", "conversion"),
    columns=("best", "mean"),
    baseline="MMoE",
    rows=(
        Row("MMoE", "mmoe", paper={"click": {"best": 0.5991, "mean": 0.5962}}),
        Row("<b>$x^2$</b>", "dcrnn"),
        Row("Linear", "linear", deterministic=True),
    ),
)


@pytest.fixture(scope="module")
def table_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    for seed in (1, 2):
        for row, auc in zip(TABLE.rows[:2], (0.66, 0.67), strict=True):
            aucs = {"click": auc + seed / 1000, "conversion": 0.7}
            run_dir = TABLE.run_dir(folder, row, seed)
            write_run(run_dir, aucs, seed=seed, model=row.model, name="<script>alert(1)</script>")
    (TABLE.run_dir(folder, TABLE.rows[0], 2) / "report.html").write_text("")
    linear = {"click": 0.62, "conversion": 0.6}
    write_run(TABLE.run_dir(folder, TABLE.rows[2], 1), linear, seed=0, model="linear", curves=False)
    result = aggregate(TABLE, folder, seeds=[1, 2, 3])
    report.write(result, folder)
    path = folder / "report.html"
    return Page(path), result, path


def test_table_report_says_first_that_data_are_simulated(table_page):
    page, _, _ = table_page
    assert page.text.index("Simulated data, not Ali-CCP") < page.text.index("AUC on the test split")
    assert "Incomplete. MMoE: seed 3 not run" in page.text


def test_table_report_has_the_figures(table_page):
    page, _, _ = table_page
    start = page.cells.index("MMoE")
    assert page.cells[start : start + 9] == [
        *("MMoE", "0.6620", "0.6615", "0.7000", "0.7000"),
        *("0.5991", "0.5962", "n/a", "n/a"),
    ]
    assert "against MMoE (2 seeds without spread: no interval, no test)" in page.text
    assert "nan" not in page.text.lower()
    assert "f00d" in page.text


def test_table_report_has_a_picture_of_everything(table_page):
    page, _, _ = table_page
    rows = [row.label for row in TABLE.rows]
    assert set(page.images()) == {
        *(f"Test AUC of {task} by model and seed" for task in TABLE.tasks),
        "training loss, sum over tasks, over steps",
        *(f"validation AUC, {task}, over epochs" for task in TABLE.tasks),
        *(f"ROC curves of {task}" for task in TABLE.tasks),
        *(f"Spread of the scores of {row}, {task}" for row in rows for task in TABLE.tasks),
        *(f"Reliability of {row}, {task}" for row in rows for task in TABLE.tasks),
    }


def test_reports_need_nothing_from_elsewhere(table_page):
    page, _, _ = table_page
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object"}
    assert "@import" not in page.source
    assert not re.search(r"url\(", page.source)
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["runs/mmoe/seed_2/report.html"]


def test_reports_take_data_literally(table_page):
    page, _, _ = table_page
    assert "<b>$x^2$</b>" in page.cells
    assert "b" not in {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script>" in page.text


def test_the_same_runs_give_the_same_bytes(table_page):
    _, result, path = table_page
    before = path.read_bytes()
    report.write(result, path.parent)
    assert path.read_bytes() == before


def test_real_data_shows_no_warning_and_no_optimum(tmp_path):
    aucs = {"click": 0.66, "conversion": 0.7}
    for seed in (1, 2):
        run_dir = TABLE.run_dir(tmp_path, TABLE.rows[0], seed)
        write_run(run_dir, aucs, seed=seed, simulated=False, curves=False)
    report.write(aggregate(TABLE, tmp_path), tmp_path)
    page = Page(tmp_path / "report.html")
    assert "imulated" not in page.text
    assert "optimal AUC is" not in page.text


@pytest.fixture(scope="module")
def long_page(tmp_path_factory):
    """A report of ten models, one of them constant, with logloss."""
    folder = tmp_path_factory.mktemp("long")
    models = [Row(f"Model {number}", "dcrnn") for number in range(8)]
    rows = (TABLE.rows[0], *models, Row("Constant", "constant"))
    table = dataclasses.replace(TABLE, rows=rows, columns=("logloss", "auc"))
    for seed in (1, 2):
        for number, row in enumerate(rows):
            auc = 0.5 if row.model == "constant" else 0.6 + number / 100 + seed / 1000
            aucs = dict.fromkeys(table.tasks, auc)
            write_run(table.run_dir(folder, row, seed), aucs, seed=seed, model=row.model)
    report.write(aggregate(table, folder), folder)
    return Page(folder / "report.html")


def test_a_report_of_many_models_draws_differences_instead_of_sentences(long_page):
    page = long_page
    assert "paired seeds" not in page.text
    images = page.images()
    for task in TABLE.tasks:
        for metric in ("AUC", "logloss"):
            assert f"Test {metric} of {task}, difference to MMoE by model" in images
    of_one_seed = ("Spread of the scores", "Reliability")
    assert not [name for name in images if name.startswith(of_one_seed)]
    assert "Training, mean over seeds" in page.text


def test_pictures_leave_out_a_model_that_ranks_nothing(long_page):
    page = long_page
    assert page.cells.count("Constant") > 1
    # Letters are drawn as paths; Matplotlib notes the words in comments.
    assert "Constant" not in "".join(page.svgs())
    assert "Model 7" in "".join(page.svgs())


@pytest.fixture
def damaged_table(tmp_path):
    """A table of two models and two seeds, which the tests damage."""
    for seed in (1, 2):
        for row in TABLE.rows[:2]:
            aucs = {"click": 0.6 + seed / 100, "conversion": 0.7}
            write_run(TABLE.run_dir(tmp_path, row, seed), aucs, seed=seed, model=row.model)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "values"), [("metrics.jsonl", [1, 2]), ("curves.json", [1, 2]), ("result.json", [1])]
)
def test_a_damaged_run_is_named_and_the_rest_of_the_table_written(damaged_table, name, values):
    path = TABLE.run_dir(damaged_table, TABLE.rows[0], 2) / name
    path.write_text("{\n")
    result = aggregate(TABLE, damaged_table, seeds=[1, 2])
    mmoe = result.rows[0]
    assert list(mmoe.tasks["click"].primary.by_seed) == values
    assert [run.seed for run in mmoe.drawn] == [1]
    (failure,) = result.failures
    assert failure.startswith(f"MMoE: seed 2 failed ({path}")
    report.write(result, damaged_table)
    text = (damaged_table / "table0.md").read_text("utf-8")
    assert "**Incomplete.** Linear: seeds 1, 2 not run; MMoE: seed 2 failed (" in text
    assert (damaged_table / "table0.csv").exists()
    assert "MMoE: seed 2 failed" in Page(damaged_table / "report.html").text


def test_where_no_picture_can_be_drawn_the_numbers_are_written(damaged_table, monkeypatch):
    def fail(*_):
        raise RuntimeError("no font")

    monkeypatch.setattr(report.plots, "by_seed", fail)
    with pytest.raises(RuntimeError, match="no font"):
        report.write(aggregate(TABLE, damaged_table), damaged_table)
    assert {path.name for path in damaged_table.glob("table0.*")} == {"table0.csv", "table0.md"}
