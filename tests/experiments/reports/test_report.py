import base64
import dataclasses
import html.parser
import json
import re
import xml.etree.ElementTree

import pytest

from dcrnn_tf.dataset.schema import DatasetError
from experiments.reports import plots
from experiments.runs import report as run_report
from experiments.runs.curves import read_metrics
from experiments.runs.run import load_run
from experiments.tables import report as table_report
from experiments.tables.result import aggregate
from experiments.tables.spec import Row, Table
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
    table_report.write(result, folder)
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
    table_report.write(result, path.parent)
    assert path.read_bytes() == before


def test_real_data_shows_no_warning_and_no_optimum(tmp_path):
    aucs = {"click": 0.66, "conversion": 0.7}
    for seed in (1, 2):
        run_dir = TABLE.run_dir(tmp_path, TABLE.rows[0], seed)
        write_run(run_dir, aucs, seed=seed, simulated=False, curves=False)
    table_report.write(aggregate(TABLE, tmp_path), tmp_path)
    page = Page(tmp_path / "report.html")
    assert "imulated" not in page.text
    assert "optimal AUC is" not in page.text


def test_run_report(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.6612}, seed=4, settings={"units": 64})
    page = Page(run_report.write(run_dir))
    assert "mmoe on ali_ccp, seed 4" in page.text
    assert "Simulated data" in page.text
    start = page.cells.index("test")
    assert page.cells[start : start + 5] == ["test", "click", "0.6612", "0.7200", "0.14000"]
    assert page.cells[page.cells.index("mmoe: units") + 1] == "64"
    assert "7.8" in page.text
    assert len(page.images()) == 4


def test_run_report_shows_what_the_model_says_of_itself(tmp_path):
    gate = {
        "rows": ["click", "conversion"],
        "columns": ["<b>x</b>", "$y^2$", "z"],
        "mean": [[0.125, 0.75, 0.125], [0.5, 0.0, 0.5]],
        "std": [[0.0625, 0.25, 0.3], [0.1, 0.0, 0.1]],
    }
    selection = {
        "rows": [f"field_{i}" for i in range(23)],
        "columns": [f"dim_{i}" for i in range(32)],
        "mean": [[(i - j) / 9 for j in range(32)] for i in range(23)],
        "std": None,
    }
    run_dir = write_run(
        tmp_path / "run",
        {"click": 0.66},
        statistics={"gamma_mean": 1.25, "gamma_max": 2.0},
        explanation={"gate": gate, "selection": selection},
    )
    page = Page(run_report.write(run_dir))
    assert page.text.index("Scores") < page.text.index("Inside the model")
    assert "Means over a sample of the test split, ± the standard deviation." in page.text
    images = page.images()
    assert {"Heat map of gate", "Heat map of selection"} < set(images)
    assert {"gamma_mean, over steps", "gamma_max, over steps"} < set(images)
    before = run_dir.joinpath("report.html").read_bytes()
    assert run_report.write(run_dir).read_bytes() == before


def test_run_report_has_outputs_derived_from_the_tasks(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.66, "conversion": 0.7, "after": 0.55})
    result, record = (
        json.loads((run_dir / name).read_text()) for name in ("result.json", "run.json")
    )
    del record["positive_weights"]["after"]
    for tasks in result["metrics"].values():
        tasks["after"]["population"] = "clicks"
    (run_dir / "result.json").write_text(json.dumps(result))
    (run_dir / "run.json").write_text(json.dumps(record))
    page = Page(run_report.write(run_dir))
    sentence = "after is derived from the predictions of the tasks and measured on clicks."
    assert page.text.count(sentence) == 1
    assert "conversion is derived" not in page.text
    start = page.cells.index("after")
    assert page.cells[start : start + 2] == ["after", "0.5500"]
    assert "validation AUC, after, over epochs" in page.images()


def test_run_report_says_where_all_examples_are_alike(tmp_path):
    routes = {"rows": ["click"], "columns": ["a"], "mean": [[0.0]], "std": None}
    run_dir = write_run(tmp_path / "run", {"click": 0.66}, explanation={"routes": routes})
    page = Page(run_report.write(run_dir))
    assert "The same for every example." in page.text
    assert "Heat map of routes" in page.images()


def test_a_damaged_explanation_is_named(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.66}, explanation={})
    assert "Inside the model" not in Page(run_report.write(run_dir)).text
    (run_dir / "explanation.json").write_text("{")
    with pytest.raises(DatasetError, match=r"explanation.json is not JSON"):
        run_report.write(run_dir)


def words_of(picture):
    """What a picture says, read from its comments: Matplotlib draws text as outlines."""
    svg = base64.b64decode(picture.image.partition(",")[2]).decode()
    return [comment.strip() for comment in re.findall(r"<!--(.*?)-->", svg, re.DOTALL)]


def test_heat_map_says_values_where_there_is_room():
    picture = plots.heat_map("gate", [[0.125, 0.75, 0.0]], ["click"], ["a", "b", "c"])
    assert {"gate", "click", "a", "b", "c", "0.12", "0.75", "0.00"} <= set(words_of(picture))
    spread = plots.heat_map("gate", [[0.25, 0.0]], ["click"], ["a", "b"], [[0.125, 0.0]])
    words = words_of(spread)
    assert "0.25\n±0.12" in words or {"0.25", "±0.12"} <= set(words)
    assert "0" in words  # nothing there, and nothing varies
    small = words_of(plots.heat_map("x", [[-0.0012, 0.00034]], ["r"], ["a", "b"]))
    assert {"-0.0012", "0.0003"} <= set(small)
    large = words_of(plots.heat_map("x", [[1234.5, 2.0]], ["r"], ["a", "b"]))
    assert {"1234", "2"} <= set(large)


def test_a_large_heat_map_keeps_its_labels_apart():
    names = [f"dim_{i}" for i in range(200)]
    words = words_of(plots.heat_map("large", [[i / 200 for i in range(200)]], ["row"], names))
    labels = [word for word in words if word.startswith("dim_")]
    assert labels[0] == "dim_0"
    assert 20 < len(labels) < 100
    assert not [word for word in words if re.fullmatch(r"0\.\d\d\d", word)]


def test_report_of_an_unfinished_run_shows_how_far_it_came(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.66}, finished=False)
    with open(run_dir / "metrics.jsonl", "a") as file:
        file.write('{"kind": "tra')  # killed here
    page = Page(run_report.write(run_dir))
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
        run_report.write(tmp_path)


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
    table_report.write(aggregate(table, folder), folder)
    return Page(folder / "report.html")


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
