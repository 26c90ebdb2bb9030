"""The report of a run, from made-up runs."""

import json

import pytest

from dcrnn_tf.dataset.schema import DatasetError
from experiments.runs.pages import report
from experiments.runs.pages.curves import read_metrics
from experiments.runs.run import load_run
from tests.experiments.page import Page
from tests.experiments.run_folders import write_run


def test_run_report(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.6612}, seed=4, settings={"units": 64})
    page = Page(report.write(run_dir))
    assert "mmoe on ali_ccp, seed 4" in page.text
    assert "Simulated data" in page.text
    start = page.cells.index("test")
    assert page.cells[start : start + 5] == ["test", "click", "0.6612", "0.7200", "0.14000"]
    assert page.cells[page.cells.index("mmoe: units") + 1] == "64"
    assert "7.8" in page.text
    assert len(page.images()) == 5
    assert "Reliability of mmoe, click" in page.images()


def test_run_report_has_metrics_by_group_beside_what_they_leave_out(tmp_path):
    groups = {"grouped_by": "user", "groups": 1900, "groups_of_one_class": 1200}
    run_dir = write_run(tmp_path / "run", {"click": 0.66}, values={"gauc": 0.6123, **groups})
    page = Page(report.write(run_dir))
    start = [n for n, cell in enumerate(page.cells) if cell == "validation"][1]
    assert page.cells[start : start + 3] == ["validation", "click", "0.6123"]
    assert page.cells[page.cells.index("user") :][:3] == ["user", "1,900", "1,200"]


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
    page = Page(report.write(run_dir))
    assert page.text.index("Scores") < page.text.index("Inside the model")
    assert "Means over a sample of the test split, ± the standard deviation." in page.text
    images = page.images()
    assert {"Heat map of gate", "Heat map of selection"} < set(images)
    assert {"gamma_mean, over steps", "gamma_max, over steps"} < set(images)
    before = run_dir.joinpath("report.html").read_bytes()
    assert report.write(run_dir).read_bytes() == before


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
    page = Page(report.write(run_dir))
    sentence = "after is derived from the predictions of the tasks and measured on clicks."
    assert page.text.count(sentence) == 1
    assert "conversion is derived" not in page.text
    start = page.cells.index("after")
    assert page.cells[start : start + 2] == ["after", "0.5500"]
    assert "validation AUC, after, over epochs" in page.images()


def test_run_report_says_where_all_examples_are_alike(tmp_path):
    routes = {"rows": ["click"], "columns": ["a"], "mean": [[0.0]], "std": None}
    run_dir = write_run(tmp_path / "run", {"click": 0.66}, explanation={"routes": routes})
    page = Page(report.write(run_dir))
    assert "The same for every example." in page.text
    assert "Heat map of routes" in page.images()


def test_a_damaged_explanation_is_named(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.66}, explanation={})
    assert "Inside the model" not in Page(report.write(run_dir)).text
    (run_dir / "explanation.json").write_text("{")
    with pytest.raises(DatasetError, match=r"explanation.json is not JSON"):
        report.write(run_dir)


def test_report_of_an_unfinished_run_shows_how_far_it_came(tmp_path):
    run_dir = write_run(tmp_path / "run", {"click": 0.66}, finished=False)
    with open(run_dir / "metrics.jsonl", "a") as file:
        file.write('{"kind": "tra')  # killed here
    page = Page(report.write(run_dir))
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
        report.write(tmp_path)
