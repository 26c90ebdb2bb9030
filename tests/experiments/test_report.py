import base64
import dataclasses
import html.parser
import re
import xml.etree.ElementTree

import pytest

from dcrnn_tf.schema import DatasetError
from experiments.report import read_metrics, render_run_report, render_table_report
from experiments.table_specs import Row, Table
from experiments.tables import aggregate, load_run
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


class Page(html.parser.HTMLParser):
    """What a reader gets of a page: tags with attributes, cells, text."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text()
        self.tags, self.cells, self.text = [], [], ""
        self._in_cell = False
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._in_cell = tag in ("td", "th")

    def handle_endtag(self, tag):
        self._in_cell = False

    def handle_data(self, data):
        self.text += data
        if self._in_cell:
            self.cells.append(data)

    def svgs(self):
        """The pictures' sources."""
        sources = [attributes["src"] for tag, attributes in self.tags if tag == "img"]
        return [base64.b64decode(source.partition(",")[2]).decode() for source in sources]

    def images(self):
        """`{description: SVG root}`; an image from anywhere but the page itself fails."""
        prefix = "data:image/svg+xml;base64,"
        found = {}
        for tag, attributes in self.tags:
            if tag == "img":
                assert attributes["src"].startswith(prefix)
                svg = base64.b64decode(attributes["src"].removeprefix(prefix))
                found[attributes["alt"]] = xml.etree.ElementTree.fromstring(svg)
        return found


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
    path = render_table_report(result, folder / "report.html")
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
    assert render_table_report(result, path).read_bytes() == before


def test_real_data_shows_no_warning_and_no_optimum(tmp_path):
    aucs = {"click": 0.66, "conversion": 0.7}
    for seed in (1, 2):
        run_dir = TABLE.run_dir(tmp_path, TABLE.rows[0], seed)
        write_run(run_dir, aucs, seed=seed, simulated=False, curves=False)
    page = Page(render_table_report(aggregate(TABLE, tmp_path), tmp_path / "report.html"))
    assert "imulated" not in page.text
    assert "optimal AUC is" not in page.text


def test_run_report(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.6612}, seed=4, settings={"units": 64})
    page = Page(render_run_report(run_dir))
    assert "mmoe on ali_ccp, seed 4" in page.text
    assert "Simulated data" in page.text
    start = page.cells.index("test")
    assert page.cells[start : start + 5] == ["test", "click", "0.6612", "0.7200", "0.14000"]
    assert page.cells[page.cells.index("mmoe: units") + 1] == "64"
    assert "7.8" in page.text
    assert len(page.images()) == 4


def test_report_of_an_unfinished_run_shows_how_far_it_came(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.66}, finished=False)
    with open(run_dir / "metrics.jsonl", "a") as file:
        file.write('{"kind": "tra')  # killed here
    page = Page(render_run_report(run_dir))
    assert "This run is not finished" in page.text
    assert "training loss, sum over tasks, over steps" in page.images()


def test_a_damaged_line_of_metrics_is_named(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.66})
    lines = (run_dir / "metrics.jsonl").read_text().split("\n")
    lines[2] = lines[2][:-5]
    (run_dir / "metrics.jsonl").write_text("\n".join(lines))
    with pytest.raises(DatasetError, match=r"metrics.jsonl, line 3, is not JSON"):
        read_metrics(load_run(run_dir))


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="is this a run folder"):
        render_run_report(tmp_path)


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
    return Page(render_table_report(aggregate(table, folder), folder / "report.html"))


def test_a_report_of_many_models_draws_differences_instead_of_sentences(long_page):
    page = long_page
    assert "paired seeds" not in page.text
    images = page.images()
    for task in TABLE.tasks:
        for metric in ("AUC", "logloss"):
            assert f"Test {metric} of {task}, difference to MMoE by model" in images
    assert not [name for name in images if name.startswith("Spread of the scores")]
    assert "Training, mean over seeds" in page.text


def test_pictures_leave_out_a_model_that_ranks_nothing(long_page):
    page = long_page
    assert page.cells.count("Constant") > 1
    # Letters are drawn as paths; Matplotlib notes the words in comments.
    assert "Constant" not in "".join(page.svgs())
    assert "Model 7" in "".join(page.svgs())
