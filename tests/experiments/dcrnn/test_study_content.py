"""What the study of DCRNN's claims says, from made-up runs."""

import csv

import pytest

from experiments.dcrnn.study import content as content
from experiments.dcrnn.study import tables as study
from experiments.reports import plots
from experiments.reports.document import Document, Section
from experiments.tables.result import aggregate
from experiments.tables.statistics import PairedDifference
from tests.experiments.run_folders import write_run


@pytest.fixture(autouse=True)
def style():
    with plots.styled():
        yield


def results_of(table, folder, aucs, parameters=None):
    """The result of three seeds of each row in `aucs`, `{label: AUC of both tasks}`, by its name.

    The seed moves all alike; an AUC of None is not defined.
    """
    baselines = {table.baseline} | {row.baseline for row in table.rows}
    for row in table.rows:
        for seed, wave in ((1, -0.002), (2, 0.0), (3, 0.002)):
            if row.label in aucs:
                # Half as much for a baseline, so that differences have a spread.
                share = 0.5 if row.label in baselines else 1
                auc = aucs[row.label] and aucs[row.label] + wave * share
                write_run(
                    table.run_dir(folder, row, seed),
                    dict.fromkeys(table.tasks, auc),
                    seed=seed,
                    model=row.model,
                    settings=dict(row.settings),
                    other_parameters=(parameters or {}).get(row.label, 300_000),
                )
    return {table.name: aggregate(table, folder)}


def difference(low, high):
    return PairedDifference(3, (low + high) / 2, (low, high), 0.1)


@pytest.mark.parametrize(
    ("intervals", "sign", "word"),
    [
        ([(0.1, 0.2), (0.1, 0.3)], +1, "holds here. Of 2 comparisons 2 speak for it, 0 against"),
        ([(-0.2, -0.1)], -1, "holds here"),
        ([(-0.2, -0.1)], +1, "contradicted. Of 1 comparisons 0 speak for it, 1 against"),
        ([(0.1, 0.2), (-0.1, 0.3)], +1, "holds in part"),
        ([(0.1, 0.2), (-0.1, 0.3)], -1, "contradicted in part, nowhere shown"),
        ([(-0.1, 0.2)], +1, "not shown here"),
        ([(0.1, 0.2), (-0.3, -0.1)], +1, "mixed"),
    ],
)
def test_verdict_counts_the_intervals_on_either_side(intervals, sign, word):
    found = {"click": {str(number): difference(*ends) for number, ends in enumerate(intervals)}}
    assert f"Verdict: {word}" in content.verdict("it helps", found, sign)


def test_verdict_without_intervals_is_unknown():
    found = {"click": {"one": PairedDifference(1, 0.1, None, None), "none": None}}
    assert "unknown" in content.verdict("it helps", found, +1)


def test_sharing_compares_hard_and_soft_with_partial_at_each_correlation(tmp_path):
    results = {}
    partial, hard, soft = (row.label for row in study.SHARING["0"].rows)
    for correlation, table in study.SHARING.items():
        loss = 0.1 if correlation == "0" else 0.0
        aucs = {partial: 0.7, hard: 0.7 - loss, soft: 0.69}
        results |= results_of(table, tmp_path / table.name, aucs)
    shown = content.sharing(results)
    # Two tasks: hard is far below partial at correlation 0 alone; soft is 0.01 below, and
    # differences waver by 0.001 with the seed: intervals reach 4.303 / sqrt(3) 0.001 = 0.0025.
    assert "holds in part. Of 12 comparisons 8 speak for it, 0 against it" in shown.sentences[0]
    names = [tick.get_text() for tick in shown.figure.axes[0].get_yticklabels()]
    assert names[:2] == [f"{hard}, correlation 0", f"{soft}, correlation 0"]
    dots = [line.get_xdata()[0] for line in shown.figure.axes[0].lines if line.get_marker() == "o"]
    assert dots[:2] == pytest.approx([-0.1, -0.01])
    assert "Mean test AUC, correlation 0, click: partial, I 2 0.7000, hard, I 0 0.6000" in " ".join(
        shown.sentences
    )


def test_crossing_leaves_recurrent_rows_out_of_the_verdict(tmp_path):
    aucs = {"BiLSTM": 0.7, "simple RNN": 0.6, "DCN": 0.72, "CIN": 0.73}
    shown = content.crossing(results_of(study.CROSSING, tmp_path, aucs))
    # Two tasks: DCN and CIN are above BiLSTM, and the simple RNN below does not count.
    assert "contradicted. Of 4 comparisons 0 speak for it, 4 against it" in shown.sentences[0]
    assert "from +0.0200 to +0.0300" in shown.sentences[0]
    names = [tick.get_text() for tick in shown.figure.axes[0].get_yticklabels()]
    assert "simple RNN" in names


def test_size_draws_no_model_whose_auc_is_not_defined(tmp_path):
    aucs = {"MMoE 128-64": 0.7, "MMoE 16-8": None, "DCRNN 8": 0.72}
    sizes = {"MMoE 128-64": 400_000, "MMoE 16-8": 50_000, "DCRNN 8": 30_000}
    shown = content.size(results_of(study.SIZE, tmp_path, aucs, sizes))
    drawn = [line.get_xdata() for line in shown.figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert [list(x) for x in drawn] == [[400_000], [30_000]]


def test_size_compares_smaller_models_alone_with_the_largest_mmoe(tmp_path):
    results = results_of(
        study.SIZE,
        tmp_path,
        {"MMoE 128-64": 0.7, "MMoE 16-8": 0.65, "DCRNN 8": 0.72, "DCRNN 128": 0.75},
        {"MMoE 128-64": 400_000, "MMoE 16-8": 50_000, "DCRNN 8": 30_000, "DCRNN 128": 900_000},
    )
    shown = content.size(results)
    # Of each task: DCRNN 8 alone is smaller than the largest MMoE, and alone has one of its size.
    for sentence in shown.sentences[:2]:
        assert "holds here. Of 2 comparisons 2 speak for it" in sentence
    lines = {line.get_label(): line for line in shown.figure.axes[0].lines}
    assert list(lines["DCRNN"].get_xdata()) == [30_000, 900_000]
    assert list(lines["DCRNN"].get_ydata()) == pytest.approx([0.72, 0.75])
    assert list(lines["MMoE"].get_xdata()) == [50_000, 400_000]


def test_the_file_of_differences_has_a_line_for_each_comparison():
    found = {"study_size": {"click": {"A": difference(0.1, 0.3), "B": None}}}
    text = Document("Study", Section("", []), data=content.records(found)).csv()
    lines = list(csv.DictReader(text.splitlines()))
    assert len(lines) == 1
    assert lines[0]["comparison"] == "A"
    assert float(lines[0]["mean"]) == pytest.approx(0.2)
    assert (float(lines[0]["low"]), float(lines[0]["high"])) == (0.1, 0.3)
