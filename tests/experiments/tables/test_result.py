import csv
import dataclasses
import json
import math

import pytest

from dcrnn_tf.dataset.schema import DatasetError
from experiments.reports.words import plain
from experiments.tables import report
from experiments.tables.grids import grids
from experiments.tables.result import aggregate
from experiments.tables.sentences import verdicts
from experiments.tables.spec import Row, Setting, Table
from tests.experiments.run_folders import write_run

TABLE = Table(
    name="table0",
    title="Table 0",
    source="A paper",
    dataset="Ali-CCP",
    tasks=("click", "conversion"),
    columns=("best", "mean"),
    baseline="MMoE",
    rows=(
        Row("MMoE", "mmoe", paper={"click": {"best": 0.5991, "mean": 0.5962}}),
        Row("DCRNN+Ada", "dcrnn"),
        Row("Linear", "linear", deterministic=True),
    ),
    settings=(
        Setting("epochs", "config.epochs", 3),
        Setting("batch size", "config.batch_size", 1024),
        Setting("optimizer", "config.optimizer"),
        Setting("units", "config.settings.units", 64),
        Setting("nobody's", "config.settings.nothing", 1),
    ),
)
MMOE, DCRNN, LINEAR = TABLE.rows


def add(folder, row, seed, click, conversion=0.7, **more):
    aucs = {"click": click, "conversion": conversion}
    run_dir = TABLE.run_dir(folder, row, seed)
    return write_run(
        run_dir, aucs, seed=0 if row.deterministic else seed, model=row.model, curves=False, **more
    )


@pytest.fixture
def table_dir(tmp_path):
    """MMoE 0.69, 0.70, 0.70 and DCRNN 0.70, 0.72, 0.71 on click; a linear model of one run."""
    for seed, mmoe, dcrnn in ((1, 0.69, 0.70), (2, 0.70, 0.72), (3, 0.70, 0.71)):
        speed = {1: 10_000.0, 2: 30_000.0, 3: 14_000.0}[seed]
        add(tmp_path, MMOE, seed, mmoe, rows_per_second=speed, wall_seconds=10.0 * seed)
        add(tmp_path, DCRNN, seed, dcrnn, 0.7 + seed / 1000, settings={"units": 32})
    add(tmp_path, LINEAR, 1, 0.66, rows_per_second=None)
    return tmp_path


@pytest.fixture
def logloss_table(tmp_path_factory):
    """A table as of the DEPHN paper, and its result: MMoE 0.165, DCRNN lower by 0.001 to 0.002."""
    folder = tmp_path_factory.mktemp("logloss")
    paper = {"click": {"logloss": 0.161248, "auc": 0.620267}}
    table = dataclasses.replace(
        TABLE, columns=("logloss", "auc"), rows=(dataclasses.replace(MMOE, paper=paper), DCRNN)
    )
    for seed, loss in ((1, 0.164), (2, 0.163), (3, 0.164)):
        add(folder, MMOE, seed, 0.69, logloss=0.165)
        add(folder, DCRNN, seed, 0.69 + seed / 100, logloss=loss)
    return table, aggregate(table, folder)


def markdown(result, folder):
    return report.document(result, folder).markdown()


def write_csv(result, path):
    report.document(result, path.parent).write(path)


def cells(text, start):
    """The cells of the Markdown line that begins with `start`."""
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()]
    return next(line for line in lines if line[: len(start)] == start)


def test_a_rows_figures_are_those_of_its_runs(table_dir):
    mmoe, dcrnn, _ = aggregate(TABLE, table_dir).rows
    click = dcrnn.tasks["click"]
    auc = click.metrics["auc"]
    assert click.primary is auc
    assert auc.by_seed == {1: 0.70, 2: 0.72, 3: 0.71}
    assert (auc.summary.best, auc.summary.count) == (0.72, 3)
    assert auc.mean == auc.summary.mean == pytest.approx(0.71)
    assert auc.summary.std == pytest.approx(0.01)
    # Differences 0.01, 0.02, 0.01: t = 4 with 2 degrees of freedom, p = 1 - t / sqrt(t^2 + 2).
    assert auc.difference.mean == pytest.approx(0.04 / 3)
    assert auc.difference.p_value == pytest.approx(1 - 4 / math.sqrt(18))
    assert click.bayes_auc == 0.72
    assert click.gap == pytest.approx(0.01)
    assert click.attained == pytest.approx(0.21 / 0.22)
    assert click.metrics["logloss"].mean == pytest.approx((0.11 + 0.12 + 0.13) / 3)
    assert mmoe.tasks["click"].primary.difference is None
    assert mmoe.median("result.rows_per_second") == 14_000
    assert mmoe.median("result.wall_seconds") == 20
    assert mmoe.parameters("embedding") == 1_000_000


def test_a_deterministic_row_is_one_run_compared_with_every_seed(table_dir):
    result = aggregate(TABLE, table_dir, seeds=[1, 2, 3])
    linear = result.rows[2]
    assert linear.missing == ()
    auc = linear.tasks["click"].metrics["auc"]
    assert (auc.summary.count, auc.summary.interval) == (1, None)
    assert auc.difference.pairs == 3
    assert auc.difference.mean == pytest.approx(0.66 - (0.69 + 0.70 + 0.70) / 3)
    assert linear.median("result.rows_per_second") is None


def test_what_lacks_is_said(table_dir):
    add(table_dir, MMOE, 4, 0.99, finished=False)
    result = aggregate(TABLE, table_dir, seeds=[1, 2, 3, 4, 5])
    assert (result.rows[0].missing, result.rows[0].unfinished) == ((5,), (4,))
    assert result.rows[0].tasks["click"].primary.summary.best == 0.70
    text = markdown(result, table_dir)
    assert (
        "**Incomplete.** MMoE: seed 5 not run, seed 4 not finished; "
        "DCRNN+Ada: seeds 4, 5 not run." in text
    )


def test_seeds_are_those_found_when_none_are_given(table_dir):
    add(table_dir, MMOE, 7, 0.7)
    result = aggregate(TABLE, table_dir)
    assert result.seeds == (1, 2, 3, 7)
    assert result.rows[1].missing == (7,)


def test_only_the_seeds_asked_for_count(table_dir):
    result = aggregate(TABLE, table_dir, seeds=[1, 3])
    assert result.rows[1].tasks["click"].primary.by_seed == {1: 0.70, 3: 0.71}


def test_a_row_without_runs_stands_in_the_table_without_figures(tmp_path):
    add(tmp_path, MMOE, 1, 0.6)
    result = aggregate(TABLE, tmp_path)
    text = markdown(result, tmp_path)
    assert cells(text, ["DCRNN+Ada"])[1:] == ["n/a"] * 8
    assert "DCRNN+Ada, click: not compared, no seed has an AUC here and of MMoE." in text


def test_a_table_without_the_baselines_runs_compares_nothing(tmp_path):
    add(tmp_path, DCRNN, 1, 0.6)
    result = aggregate(TABLE, tmp_path)
    assert result.rows[1].tasks["click"].primary.difference is None
    assert result.rows[1].tasks["click"].primary.summary.mean == 0.6


def test_a_single_seed_has_neither_interval_nor_test(tmp_path):
    add(tmp_path, MMOE, 1, 0.6)
    add(tmp_path, DCRNN, 1, 0.61)
    result = aggregate(TABLE, tmp_path)
    assert verdicts(result)[0] == (
        "DCRNN+Ada",
        "click: +0.0100 against MMoE (1 seed: no interval, no test)",
    )
    text = markdown(result, tmp_path)
    row = cells(text, ["DCRNN+Ada", "click", "1"])
    assert row[3:] == ["0.6100", "n/a", "n/a", "+0.0100", "n/a", "n/a"]
    assert "nan" not in text.lower()


def test_a_split_of_one_class_has_no_auc(tmp_path):
    of_other_kinds = {"xauc": None, "macro_auc": None}
    for seed in (1, 2):
        add(tmp_path, MMOE, seed, 0.6, None, values=of_other_kinds)
        add(tmp_path, DCRNN, seed, 0.6 + seed / 100, None, values=of_other_kinds)
    result = aggregate(TABLE, tmp_path)
    assert result.rows[1].tasks["conversion"].primary.summary is None
    assert cells(markdown(result, tmp_path), ["DCRNN+Ada"])[1:5] == [
        "0.6200",
        "0.6150",
        "n/a",
        "n/a",
    ]


def test_the_verdict_carries_its_interval(table_dir):
    (_, click), (_, conversion), *_ = verdicts(aggregate(TABLE, table_dir))
    assert click == (
        "click: +0.0133 against MMoE (95 % interval -0.0010 to 0.0277, p = 0.057, "
        "3 paired seeds); the interval holds 0, no difference is shown"
    )
    # 0.701, 0.702, 0.703 against 0.700: mean 0.002, standard error 0.001 / sqrt(3), t = 3.46.
    assert conversion == (
        "conversion: +0.0020 against MMoE (95 % interval -0.0005 to 0.0045, p = 0.074, "
        "3 paired seeds); the interval holds 0, no difference is shown"
    )


def test_the_verdict_of_a_clear_difference(tmp_path):
    for seed, gain in ((1, 0.010), (2, 0.011), (3, 0.010), (4, 0.011)):
        add(tmp_path, MMOE, seed, 0.6)
        add(tmp_path, DCRNN, seed, 0.6 + gain)
    (_, click), *_ = verdicts(aggregate(TABLE, tmp_path))
    # Mean 0.0105, standard error 0.001 / sqrt(3) / 2 = 0.000289; t(0.975, 3) = 3.1824.
    assert click == (
        "click: +0.0105 against MMoE (95 % interval 0.0096 to 0.0114, p < 0.001, 4 paired seeds)"
    )


def test_markdown_has_the_papers_form(table_dir):
    text = markdown(aggregate(TABLE, table_dir), table_dir)
    assert text.startswith("**Simulated data, not Ali-CCP.** ")
    header = cells(text, ["model"])
    assert header == [
        "model",
        *("click best", "click mean", "conversion best", "conversion mean"),
        *("paper: click best", "paper: click mean"),
        *("paper: conversion best", "paper: conversion mean"),
    ]
    assert cells(text, ["MMoE"]) == [
        *("MMoE", "0.7000", "0.6967", "0.7000", "0.7000"),
        *("0.5991", "0.5962", "n/a", "n/a"),
    ]


def test_real_data_is_not_called_simulated(tmp_path):
    add(tmp_path, MMOE, 1, 0.6, simulated=False)
    result = aggregate(TABLE, tmp_path)
    text = markdown(result, tmp_path)
    assert "imulated" not in text
    assert "Bayes-optimal AUC is" not in text
    assert result.rows[0].tasks["click"].gap is None


def test_planted_labels_are_called_so(tmp_path):
    run_dir = add(tmp_path, MMOE, 1, 0.6)
    record = json.loads((run_dir / "run.json").read_text())
    record["dataset"]["simulation"]["labels"] = "labels planted on real features"
    (run_dir / "run.json").write_text(json.dumps(record))
    text = markdown(aggregate(TABLE, tmp_path), tmp_path)
    assert text.startswith("**Labels planted on real features.** ")


def test_settings_stand_beside_the_papers(table_dir):
    settings = grids(aggregate(TABLE, table_dir))[-1]
    assert settings.cells == (
        ("epochs", "3", "3", ""),
        ("batch size", "1,024", "512", "differs"),
        ("optimizer", "not given", "adam", ""),
        ("units", "64", "32", "differs"),
        ("nobody's", "1", "n/a", ""),
        ("seeds", "not given", "1, 2, 3", ""),
    )


def test_settings_that_differ_between_rows_name_the_rows(tmp_path):
    add(tmp_path, MMOE, 1, 0.6)
    add(tmp_path, DCRNN, 1, 0.6, batch_size=1024)
    lines = {line[0]: line[2] for line in grids(aggregate(TABLE, tmp_path))[-1].cells}
    assert lines["batch size"] == "512 (MMoE); 1,024 (DCRNN+Ada)"
    assert lines["epochs"] == "3"


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (None, "not given"),
        (True, "yes"),
        (40_000_000, "40,000,000"),
        (1e-4, "0.0001"),
        ([128, 64], "128, 64"),
        ({"click": 24.0}, "click 24"),
        ("auto", "auto"),
    ],
)
def test_how_settings_are_printed(value, printed):
    assert plain(value) == printed


def test_csv_has_a_line_per_row_and_task(table_dir):
    write_csv(aggregate(TABLE, table_dir), table_dir / "table.csv")
    with open(table_dir / "table.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["row"], line["task"]) for line in lines] == [
        (row, task) for row in ("MMoE", "DCRNN+Ada", "Linear") for task in TABLE.tasks
    ]
    line = lines[2]
    assert float(line["auc_mean"]) == pytest.approx(0.71)
    assert float(line["difference_low"]) == pytest.approx(0.04 / 3 - 4.30265273 * 0.01 / 3)
    assert (line["pairs"], line["simulated"], line["fingerprint"]) == ("3", "True", "f00d")
    assert lines[0]["paper_best"] == "0.5991"
    assert (lines[0]["difference"], lines[4]["auc_low"], lines[4]["rows_per_second"]) == (
        "",
        "",
        "",
    )


def test_the_same_runs_give_the_same_bytes(table_dir):
    contents = []
    for name in ("a.csv", "b.csv"):
        result = aggregate(TABLE, table_dir)
        write_csv(result, table_dir / name)
        contents.append(((table_dir / name).read_bytes(), markdown(result, table_dir)))
    assert contents[0] == contents[1]


def test_markdown_takes_data_literally(tmp_path):
    add(tmp_path, MMOE, 1, 0.6, name="a|b <b>*c*</b>\nd")
    assert r"Dataset a\|b \<b>\*c\*\</b> d, fingerprint" in markdown(
        aggregate(TABLE, tmp_path), tmp_path
    )


def test_no_finished_run_is_an_error(tmp_path):
    add(tmp_path, MMOE, 1, 0.6, finished=False)
    with pytest.raises(DatasetError, match="has no finished run of table0"):
        aggregate(TABLE, tmp_path)


def test_runs_on_different_data_are_not_compared(table_dir):
    add(table_dir, DCRNN, 4, 0.7, settings={"units": 32}, fingerprint="beef")
    with pytest.raises(DatasetError, match=r"seed_4 and .*seed_1 were made on different data"):
        aggregate(TABLE, table_dir)


def test_seeds_of_a_row_differ_in_nothing_else(table_dir):
    add(table_dir, DCRNN, 4, 0.7, settings={"units": 32}, learning_rate=0.5)
    with pytest.raises(DatasetError, match=r"seed_4 and .* differ in learning_rate, not in their"):
        aggregate(TABLE, table_dir)


def test_the_logloss_is_compared_as_the_auc_is(logloss_table):
    mmoe, dcrnn = (row.tasks["click"].metrics["logloss"] for row in logloss_table[1].rows)
    assert mmoe.difference is None
    assert dcrnn.mean == pytest.approx(0.491 / 3)
    assert dcrnn.summary.best == 0.163
    # Differences -0.001, -0.002, -0.001: t = -4 with 2 degrees of freedom.
    assert dcrnn.difference.mean == pytest.approx(-0.004 / 3)
    assert dcrnn.difference.p_value == pytest.approx(1 - 4 / math.sqrt(18))


def test_a_table_of_logloss_prints_six_decimals(logloss_table, tmp_path):
    text = markdown(logloss_table[1], tmp_path)
    assert cells(text, ["model"])[:5] == [
        *("model", "click logloss", "click AUC", "conversion logloss", "conversion AUC"),
    ]
    assert cells(text, ["MMoE"]) == [
        *("MMoE", "0.165000", "0.690000", "0.165000", "0.700000"),
        *("0.161248", "0.620267", "n/a", "n/a"),
    ]
    assert "## Intervals and tests of logloss" in text


def test_a_table_of_logloss_has_verdicts_on_both(logloss_table):
    (_, auc), (_, logloss), *others = verdicts(logloss_table[1])
    assert auc.startswith("click: AUC +0.0200 against MMoE (95 % interval ")
    assert logloss == (
        "click: logloss -0.001333 against MMoE (95 % interval -0.002768 to 0.000101, p = 0.057, "
        "3 paired seeds); the interval holds 0, no difference is shown"
    )
    assert len(others) == 2


def test_only_a_table_of_logloss_has_its_difference_in_the_csv(logloss_table, table_dir):
    result = logloss_table[1]
    write_csv(result, table_dir / "logloss.csv")
    write_csv(aggregate(TABLE, table_dir, [1, 2, 3]), table_dir / "auc.csv")
    with open(table_dir / "logloss.csv", newline="") as file:
        line = list(csv.DictReader(file))[2]
    assert float(line["logloss_difference"]) == pytest.approx(-0.004 / 3)
    assert float(line["logloss_high"]) > float(line["logloss"]) > float(line["logloss_low"])
    assert (line["paper_auc"], line["pairs"]) == ("", "3")
    assert "logloss_difference" not in (table_dir / "auc.csv").read_text()


def test_a_table_without_published_figures_has_no_columns_for_them(tmp_path):
    table = dataclasses.replace(TABLE, rows=(dataclasses.replace(MMOE, paper=None), DCRNN))
    add(tmp_path, MMOE, 1, 0.6)
    text = markdown(aggregate(table, tmp_path), tmp_path)
    assert "paper:" not in text
    assert "published" not in text.lower()
    assert "After: A paper." in text


def test_a_column_that_no_table_has_is_refused():
    with pytest.raises(ValueError, match="table0: no column is called median"):
        dataclasses.replace(TABLE, columns=("best", "median"))


def test_a_row_may_be_compared_with_another_row_than_the_tables_baseline(tmp_path):
    plain, adapted = Row("GRU", "dcrnn"), Row("GRU+Ada", "dcrnn", baseline="GRU")
    table = dataclasses.replace(TABLE, baseline=None, rows=(plain, adapted, DCRNN))
    for seed, without, with_it in ((1, 0.70, 0.71), (2, 0.71, 0.73)):
        add(tmp_path, plain, seed, without)
        add(tmp_path, adapted, seed, with_it)
        add(tmp_path, DCRNN, seed, 0.5)
    result = aggregate(table, tmp_path)
    first, second, third = (row.tasks["click"].primary.difference for row in result.rows)
    assert (first, third) == (None, None)
    assert (second.mean, second.pairs) == (pytest.approx(0.015), 2)
    assert [label for label, _ in verdicts(result)] == ["GRU+Ada"] * 2
    assert verdicts(result)[0][1].startswith("click: +0.0150 against GRU (95 % interval")
    text = markdown(result, tmp_path)
    assert "## Against its baseline" in text
    assert "minus its baseline" in text
    assert cells(text, ["GRU+Ada, minus GRU", "click", "2"])[6] == "+0.0150"
    assert cells(text, ["GRU", "click", "2"])[6:] == ["n/a"] * 3
    write_csv(result, tmp_path / "table.csv")
    with open(tmp_path / "table.csv", encoding="utf-8") as file:
        baselines = {line["row"]: line["baseline"] for line in csv.DictReader(file)}
    assert baselines == {"GRU": "", "GRU+Ada": "GRU", "DCRNN+Ada": ""}
    both = dataclasses.replace(table, baseline="DCRNN+Ada")
    assert [both.baseline_of(row) for row in both.rows] == ["DCRNN+Ada", "GRU", None]
    assert both.compared_with == "its baseline"
    named = ["GRU, minus DCRNN+Ada", "GRU+Ada, minus GRU", "DCRNN+Ada"]
    assert [both.compared(row) for row in both.rows] == named
    with pytest.raises(ValueError, match="the baseline 'LSTM' is no row"):
        dataclasses.replace(table, rows=(plain, dataclasses.replace(adapted, baseline="LSTM")))


def test_other_tasks_than_the_papers_have_no_published_figures():
    assert TABLE.of_tasks(["conversion", "click"]) is TABLE
    other = TABLE.of_tasks(["open", "buy"])
    assert other.tasks == ("open", "buy")
    assert TABLE.published
    assert not other.published
    assert TABLE.unpublished().tasks == TABLE.tasks
    assert not TABLE.unpublished().published
    with pytest.raises(ValueError, match=r"on 2 tasks, and the dataset has 3 \(a, b, c\)"):
        TABLE.of_tasks(["a", "b", "c"])


def test_rows_have_folders_of_their_own():
    assert TABLE.run_dir("t", DCRNN, 3).as_posix() == "t/runs/dcrnn_ada/seed_3"
    with pytest.raises(ValueError, match="two rows share a folder's name: mmoe, mmoe"):
        dataclasses.replace(TABLE, rows=(MMOE, Row("MMoE ", "mmoe")))
    with pytest.raises(ValueError, match="the baseline 'PLE' is no row"):
        dataclasses.replace(TABLE, baseline="PLE")
