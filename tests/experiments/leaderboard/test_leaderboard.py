"""The leaderboard: who is on it, ranks and what tells them apart, its files."""

import dataclasses
import itertools
import pathlib
import subprocess
import sys

import pandas as pd
import pytest

from dcrnn_tf import metrics, models
from dcrnn_tf.dataset.schema import load_schema
from dcrnn_tf.system.errors import UserError
from experiments.leaderboard import __main__, files, redraw
from experiments.leaderboard.content import (
    cost_grid,
    further_metrics_grid,
    notes,
    ranking,
    ranking_grid,
    summary,
)
from experiments.leaderboard.table import LEADERBOARD, SMOKE_MODELS
from experiments.runs import latency
from experiments.tables import comparison_plots
from experiments.tables.comparison_plots import Dot, Panel
from experiments.tables.equal_size import of_equal_size, parameters
from experiments.tables.make import Settings
from experiments.tables.result import aggregate
from experiments.tables.spec import PROGRAMS, Row
from tests.experiments.run_folders import METRICS, write_run

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def schema(dataset_folder):
    return load_schema(dataset_folder)


def test_every_registered_model_is_on_it_once(schema):
    table = LEADERBOARD.complete(schema)
    assert table.tasks == ("click", "conversion")
    assert table.rows[0].label == "MMoE"
    found = [row.model for row in table.rows]
    assert sorted(found) == sorted({*models.names(), *PROGRAMS} - {"constant"})
    for row in table.rows:
        assert row.deterministic == (row.model in PROGRAMS)
        if row.matched_width is not None:
            assert row.matched_width in models.settings(row.model)
    assert set(SMOKE_MODELS) <= set(found)


def test_some_models_beside_the_baseline(schema):
    table = LEADERBOARD.complete(schema, ["snr", "ple"])
    assert [row.label for row in table.rows] == ["MMoE", "PLE", "SNR"]
    with pytest.raises(ValueError, match="leaderboard has no model plee; it has mmoe, "):
        LEADERBOARD.complete(schema, ["plee"])


@pytest.mark.slow
def test_widths_give_as_many_parameters_as_the_baseline_has(schema):
    table = LEADERBOARD.complete(schema, ["dnn", "shared_bottom"])
    broken = Row("Broken", "dcrnn", {"cell": "none"}, matched_width="units")
    fixed = Row("As it is", "dnn", {"hidden_units": [3]})
    far = Row("Far off", "mmoe", {"expert_units": [300, 300]}, matched_width="tower_units")
    table = dataclasses.replace(table, rows=(*table.rows, broken, fixed, far))
    matched, remarks = of_equal_size(table, schema)
    sizes = {row.label: parameters(schema, row.model, row.settings) for row in matched.rows[:3]}
    assert set(sizes) == {"MMoE", "DNN", "Shared bottom"}
    for size in sizes.values():
        assert size == pytest.approx(sizes["MMoE"], rel=0.02)
    assert [row.label for row in matched.rows[3:]] == ["As it is", "Far off"]
    assert matched.rows[3:] == (fixed, far)
    assert len(remarks) == 2
    assert remarks["Broken"].startswith("Broken is left out: model dcrnn: ")
    assert remarks["Far off"].startswith("Far off keeps its settings: model mmoe comes no nearer ")


@pytest.mark.slow
def test_all_models_come_within_some_percent(schema):
    table, remarks = of_equal_size(LEADERBOARD.complete(schema), schema)
    baseline = parameters(schema, table.rows[0].model, table.rows[0].settings)
    assert not [remark for remark in remarks.values() if "is left out" in remark]
    kept = set(remarks)
    for row in table.rows:
        if row.matched_width is not None and row.label not in kept:
            size = parameters(schema, row.model, row.settings)
            assert size == pytest.approx(baseline, rel=0.02), row.label


LINEAR = Row("Linear", "linear", deterministic=True)


def table_of(schema, *names):
    """The named models beside MMoE, and a linear one that no seed changes."""
    table = LEADERBOARD.complete(schema, names)
    return dataclasses.replace(table, rows=(*table.rows, LINEAR))


def fill(folder, table, aucs, seeds=3, **more):
    """Runs whose AUC of click are `aucs`, `{label: AUC of each seed}`."""
    for row in table.rows:
        for seed, auc in enumerate(aucs[row.label][:seeds], start=1):
            where = table.run_dir(folder, row, seed)
            given = {"click": auc, "conversion": 0.6 + seed / 100}
            speed = None if row.deterministic else 12000.0
            write_run(where, given, seed=seed, model=row.model, rows_per_second=speed, **more)
    return aggregate(table, folder)


AUCS = {
    "MMoE": [0.700, 0.712, 0.704],
    "PLE": [0.722, 0.731, 0.725],
    "DNN": [0.721, 0.733, 0.7235],
    "Linear": [0.710],
}


def test_ranks_and_what_tells_them_apart(schema, tmp_path):
    result = fill(tmp_path, table_of(schema, "ple", "dnn"), AUCS)
    found = ranking(result, "click")
    assert [(one.rank, one.row.row.label, one.resolved) for one in found] == [
        (1, "PLE", None),
        (2, "DNN", False),
        (3, "Linear", True),
        (4, "MMoE", True),
    ]
    # Seed by seed: -0.001, 0.002, -0.0015.
    assert found[1].to_first.mean == pytest.approx(-0.0005 / 3)
    assert found[2].to_first.mean == pytest.approx(0.710 - 0.726)
    assert found[3].to_first.pairs == 3
    words = summary(result, "click")
    assert words.startswith(
        "click: the highest mean AUC is that of PLE, 0.7260 (95 % interval 0.71"
    )
    assert words.endswith("not told apart from it by these seeds: DNN.")
    lines = ranking_grid(result, "click").cells
    assert [line[:3] for line in lines] == [
        ("1", "PLE", "first"),
        ("2", "DNN", "no"),
        ("3", "Linear", "yes"),
        ("4", "MMoE", "yes"),
    ]
    assert lines[2][4] == "the same for every seed"
    assert all(len(line) == len(ranking_grid(result, "click").header) for line in lines)


def test_a_metric_that_is_better_when_low_ranks_its_lowest_mean_first(
    schema, tmp_path, monkeypatch
):
    monkeypatch.setitem(metrics.PRIMARIES, "binary", "logloss")
    table = LEADERBOARD.complete(schema, ["ple", "dnn"])
    losses = {"MMoE": [0.161, 0.171], "PLE": [0.16, 0.162], "DNN": [0.25, 0.251]}
    for row in table.rows:
        for seed, loss in enumerate(losses[row.label], start=1):
            where = table.run_dir(tmp_path, row, seed)
            write_run(
                where, {"click": 0.7, "conversion": 0.6}, seed=seed, model=row.model, logloss=loss
            )
    result = aggregate(table, tmp_path)
    ranked = ranking(result, "click")
    assert [(one.rank, one.row.row.label, one.resolved) for one in ranked] == [
        (1, "PLE", None),
        (2, "MMoE", False),  # by 0.001 and 0.009, which two seeds do not resolve
        (3, "DNN", True),  # by 0.090 and 0.089
    ]
    assert ranked[1].to_first.mean == pytest.approx(0.005)
    assert summary(result, "click").startswith("click: the lowest mean logloss is that of PLE, ")
    assert "paired difference lies above 0; the first was chosen" in " ".join(notes(result))


def test_metrics_that_do_not_rank_have_a_grid_of_their_own(schema, tmp_path):
    result = fill(tmp_path, table_of(schema, "ple", "dnn"), AUCS)
    grid, ranks = further_metrics_grid(result, "click"), ranking_grid(result, "click")
    further = [metric for metric in metrics.printed() if metric.name != "auc"]
    assert grid.header == ("", "model", *(metric.label for metric in further))
    assert [line[:2] for line in grid.cells] == [line[:2] for line in ranks.cells]
    # Every metric has the same value in all runs but logloss: 0.11, 0.12, 0.13, by seed.
    values = METRICS | {"logloss": 0.12}
    assert grid.cells[0][2:] == tuple(format(values[m.name], m.form) for m in further)
    assert not set(ranks.header) & {metric.label for metric in further}


def test_two_that_no_seed_changes_are_not_called_alike(schema, tmp_path):
    table = table_of(schema, "ple")
    table = dataclasses.replace(
        table, rows=(*table.rows, dataclasses.replace(LINEAR, label="Best"))
    )
    result = fill(tmp_path, table, AUCS | {"Best": [0.8]})
    found = {place.row.row.label: place for place in ranking(result, "click")}
    assert found["Linear"].to_first.mean == pytest.approx(0.71 - 0.8)
    assert {label: place.told_apart for label, place in found.items()} == {
        "Best": "first",
        "PLE": "yes",
        "Linear": "n/a",
        "MMoE": "yes",
    }
    assert summary(result, "click").endswith("; no seed changes it or Linear.")


def test_a_model_far_below_does_not_press_the_others_together(schema, tmp_path):
    """It is a triangle at the edge, with its value."""
    far = {"Cross-stitch": [0.3, 0.31, 0.32]}
    table = table_of(schema, "ple", "dnn", "cross_stitch")
    axes = comparison_plots.dots(comparison_plots.panels(fill(tmp_path, table, AUCS | far))).axes[0]
    low, high = axes.get_xlim()
    assert 0.65 < low < 0.7
    assert high < 0.76
    (marker,) = [line for line in axes.lines if line.get_marker() == "<"]
    assert low < marker.get_xdata()[0] < 0.7
    assert [text.get_text().strip() for text in axes.texts] == ["0.3100"]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["PLE", "DNN", "Linear", "MMoE", "Cross-stitch"]


def test_against_cost_the_pareto_front_alone_has_names(schema, tmp_path):
    table = table_of(schema, "ple", "dnn")
    seconds = {"MMoE": 50.0, "DNN": 70.0, "PLE": 90.0, "Linear": 2.0}
    for row in table.rows:
        for seed, auc in enumerate(AUCS[row.label], start=1):
            where = table.run_dir(tmp_path, row, seed)
            values = {"click": auc, "conversion": 0.6 + seed / 100}
            cost = seconds[row.label]
            write_run(where, values, seed=seed, model=row.model, wall_seconds=cost)
    panels = comparison_plots.panels(aggregate(table, tmp_path), "result.wall_seconds")
    names = comparison_plots.pareto(panels, "s").axes[0].texts
    # MMoE costs more than the linear one, and is worse.
    assert [text.get_text() for text in names] == ["PLE", "DNN", "Linear"]
    # A name is on the left of its point and no two are on one line.
    boxes = [text.get_window_extent() for text in names]
    points = [text.axes.transData.transform(text.xy) for text in names]
    assert all(box.x1 < x for box, (x, _) in zip(boxes, points, strict=True))
    assert all(above.y0 >= below.y1 for above, below in itertools.pairwise(boxes))


def test_against_cost_a_far_point_of_the_front_is_shown_and_costs_have_few_ticks(schema):
    far = {"Trees": (0.9, 5.0), "Linear": (0.5, 2.0), "MMoE": (0.71, 60.0), "PLE": (0.7, 150.0)}
    dots = [Dot(name, auc, None, cost) for name, (auc, cost) in far.items()]
    panel = Panel("click", metrics.get("auc"), dots)
    (axes,) = comparison_plots.pareto([panel], "s").axes
    assert axes.get_title() == "click"  # nothing is left out
    assert axes.get_xticks().tolist() == [10, 100]
    near = [Dot(f"near {n}", 0.7 + n / 1000, None, 100.0 + n) for n in range(20)]
    hidden = Panel("click", panel.metric, [*dots, *near, Dot("FM", 0.4, None, 300.0)])
    (axes,) = comparison_plots.pareto([hidden], "s").axes
    assert axes.get_title() == "click (1 far off, not shown)"


def test_a_board_is_drawn_anew_from_its_csv_file(schema, tmp_path):
    result = fill(tmp_path, table_of(schema, "ple", "dnn"), AUCS)
    files.write_numbers(tmp_path, result, {})
    panels, baseline = redraw.read(tmp_path / "leaderboard.csv")
    assert baseline == "MMoE"
    expected = comparison_plots.panels(result, "result.wall_seconds")
    for panel, there in zip(panels, expected, strict=True):
        assert (panel.task, panel.metric) == (there.task, there.metric)
        shown = {dot.label: dot for dot in panel.dots}
        for dot in there.dots:
            assert shown[dot.label].mean == pytest.approx(dot.mean, abs=1e-4)
            assert shown[dot.label].cost == dot.cost
            assert (shown[dot.label].interval is None) == (dot.interval is None)
    (tmp_path / "other.csv").write_text("task,row\nclick,MMoE\n")
    with pytest.raises(
        UserError, match=r"other\.csv is no leaderboard\.csv, with the columns task"
    ):
        redraw.read(tmp_path / "other.csv")


def test_one_seed_gives_no_ranks(schema, tmp_path):
    result = fill(tmp_path, table_of(schema, "ple", "dnn"), AUCS, seeds=1)
    assert {one.rank for one in ranking(result, "click")} == {None}
    assert summary(result, "click") == (
        "click: no ranks, since no model has an interval; give more seeds."
    )
    assert {line[2] for line in ranking_grid(result, "click").cells} == {"no rank"}


def test_what_seeds_do_not_compare_is_not_called_told_apart(schema, tmp_path):
    table = LEADERBOARD.complete(schema, ["ple", "dnn", "snr"])
    for row in table.rows:
        aucs = {"PLE": {1: 0.8, 2: 0.81}, "MMoE": {1: 0.7, 2: 0.72}, "DNN": {1: 0.6}}
        aucs["SNR"] = {2: 0.7, 3: 0.71}  # one seed in common with the first
        for seed, auc in aucs[row.label].items():
            where = table.run_dir(tmp_path, row, seed)
            write_run(where, {"click": auc, "conversion": 0.6}, seed=seed, model=row.model)
    words = summary(aggregate(table, tmp_path), "click")
    assert "told apart" not in words
    assert words.endswith("; too few seeds to compare it with SNR, DNN.")


def test_a_first_that_is_told_apart_from_all(schema, tmp_path):
    result = fill(tmp_path, LEADERBOARD.complete(schema, ["ple"]), AUCS)
    words = summary(result, "click")
    assert "; MMoE minus it is -0.0207 (95 % interval -0.02" in words
    assert words.endswith("; every other model is told apart from it.")


def test_cost(schema, tmp_path):
    result = fill(tmp_path, table_of(schema, "ple"), AUCS, other_parameters=250_000)
    grid = cost_grid(result, {"PLE": {1: 0.5, 4096: 12.345}})
    assert grid.header[-2:] == ("call of 1 rows (ms)", "call of 4,096 rows (ms)")
    mmoe, ple, _ = grid.cells
    assert ple[:4] == ("PLE", "250,000", "1.00", "1,000,000")
    assert ple[-2:] == ("0.50", "12.35")
    assert mmoe[-2:] == ("n/a", "n/a")


def test_models_of_another_size_are_named(schema, tmp_path):
    table = table_of(schema, "ple", "dnn")
    fill(tmp_path, table, AUCS)
    wide = table.run_dir(tmp_path, table.rows[1], 1) / "run.json"
    wide.write_text(wide.read_text().replace('"other": 300000', '"other": 606001'))
    words = [note for note in notes(aggregate(table, tmp_path)) if "No width" in note]
    assert len(words) == 1
    assert words[0].endswith(f": {table.rows[1].label} (2.02 times).")


def test_files(schema, tmp_path):
    table = table_of(schema, "ple", "dnn")
    result = fill(tmp_path / "runs" / "leaderboard", table, AUCS)
    result = dataclasses.replace(result, left_out=("AITM is left out: <b>no</b> chain.",))
    files.write(tmp_path, result, {"PLE": {1: 0.5}})
    assert {path.name for path in tmp_path.iterdir()} == {
        *("runs", "leaderboard.csv", "leaderboard.md", "report.html"),
        *("quality_cost.png", "quality_cost.svg", "models.png", "models.svg"),
    }
    lines = pd.read_csv(tmp_path / "leaderboard.csv")
    assert len(lines) == 2 * 4
    click = lines[lines["task"] == "click"].set_index("row")
    assert list(click["rank"]) == [1, 2, 3, 4]
    assert click["told_apart_from_first"].to_dict() == pytest.approx(
        {"PLE": float("nan"), "DNN": False, "Linear": True, "MMoE": True}, nan_ok=True
    )
    assert click.loc["PLE", "difference"] == pytest.approx(0.726 - 2.116 / 3)
    assert click.loc["PLE", "call_1_ms"] == 0.5
    text = (tmp_path / "leaderboard.md").read_text("utf-8")
    assert text.startswith("**Simulated data, not Ali-CCP.**")
    assert r"AITM is left out: \<b>no\</b> chain." in text
    html = (tmp_path / "report.html").read_text("utf-8")
    assert "Simulated data" in html
    assert "&lt;b&gt;no&lt;/b&gt; chain" in html
    assert 'href="runs/leaderboard/report.html"' in html
    assert "DNN" in (tmp_path / "models.svg").read_text("utf-8")


def test_calls_are_timed_once(schema, tmp_path, monkeypatch):
    result = fill(tmp_path, table_of(schema, "ple"), AUCS)
    measured = []
    monkeypatch.setattr(
        latency, "measure", lambda folder: measured.append(folder) or {1: 0.25, 4096: 8.0}
    )
    for _ in range(2):
        times = {row.row.label: __main__._latency(tmp_path, row) for row in result.rows}
        assert times == {"MMoE": {1: 0.25, 4096: 8.0}, "PLE": {1: 0.25, 4096: 8.0}, "Linear": {}}
    assert [folder.parent.name for folder in measured] == ["mmoe", "ple"]


def test_the_median_of_calls():
    calls = []
    assert latency.median_seconds(lambda: calls.append(1), 0.0) >= 0
    assert len(calls) == 4  # the first is not timed


def run(*flags):
    command = [sys.executable, "-m", "experiments.leaderboard", *flags]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--preset=small", "--data_dir=x"], "--preset is for simulated data"),
        (["--seeds=0"], "seeds"),
    ],
)
def test_bad_flags_get_one_sentence(given, sentence):
    done = run(*given)
    assert done.returncode == 1
    assert sentence in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_dataset_of_ones_own(dataset_folder, tmp_path):
    given = [f"--data_dir={dataset_folder}", f"--out_dir={tmp_path / 'board'}", "--seeds=2"]
    done = run(*given, "--models=plee")
    assert done.returncode == 1
    assert "leaderboard has no model plee; it has mmoe, " in done.stderr.strip().splitlines()[-1]
    done = run(*given, "--models=shared_bottom,dnn")
    assert done.returncode == 0, done.stderr
    lines = pd.read_csv(tmp_path / "board" / "leaderboard.csv")
    assert len(lines) == 2 * 3
    assert (lines[["call_1_ms", "call_4096_ms", "processor_seconds"]] > 0).all(axis=None)
    assert (lines["of_baselines"] - 1).abs().max() < 0.02
    again = run(*given, "--models=shared_bottom,dnn")
    assert again.returncode == 0, again.stderr
    pd.testing.assert_frame_equal(lines, pd.read_csv(tmp_path / "board" / "leaderboard.csv"))


def test_each_dataset_has_a_folder_of_its_own():
    for settings, folder in (
        (Settings(), "runs/leaderboard"),
        (Settings("smoke"), "runs/leaderboard-smoke"),
        (Settings(raw_dir="data/logs/"), "runs/leaderboard-logs"),
        (Settings(data_dir="data/logs/"), "runs/leaderboard-logs"),
    ):
        assert __main__._default_folder(settings).as_posix() == folder
