"""What the figures of the DEPHN paper say, from made-up runs."""

import numpy as np
import pytest

from dcrnn_tf.system.errors import DatasetError
from experiments.dephn import tables
from experiments.dephn.figures import content as content
from experiments.reports import plots
from experiments.table_registry import TABLES
from experiments.tables.result import aggregate
from tests.experiments.run_folders import write_run


@pytest.fixture(autouse=True)
def style():
    with plots.styled():
        yield


@pytest.fixture
def results(tmp_path):
    """Three seeds of a few rows; with a virtual gradient DEPHN is 0.004 above without."""
    folders = {}
    for table in (tables.FIGURE_5_R, tables.FIGURE_5_UR):
        folders[table.name] = tmp_path / table.name
        means = {
            "MMoE": 0.70,
            "DEPHN without virtual gradient": 0.72,
            "DEPHN Pearson, h": 0.724,
            "DEPHN cosine, e": 0.66,
        }
        for row in table.rows:
            for seed in (1, 2, 3) if row.label in means else ():
                # MMoE wavers with the seed, DEPHN half as much.
                wave = {1: -0.002, 2: 0.0, 3: 0.002}[seed] / (1 if row.label == "MMoE" else 2)
                write_run(
                    table.run_dir(folders[table.name], row, seed),
                    dict.fromkeys(table.tasks, means[row.label] + wave),
                    seed=seed,
                    model=row.model,
                    settings=dict(row.settings),
                )
    table = tables.FIGURE_6
    folders[table.name] = tmp_path / table.name
    for row, auc in zip(table.rows, (0.8, 0.7, 0.75), strict=True):
        write_run(
            table.run_dir(folders[table.name], row, 1),
            dict.fromkeys(table.tasks, auc),
            model=row.model,
            settings=dict(row.settings),
        )
    return {name: aggregate(TABLES[name], folder) for name, folder in folders.items()}


def test_figure_5_counts_intervals_and_compares_with_and_without(results):
    shown = content.figure_5(results)
    words = " ".join(shown.sentences)
    # Two datasets of two tasks: h is above MMoE by 0.024, e below by 0.04, both beyond the waver.
    assert "Of 8 comparisons with MMoE, 4 have an interval above 0 and 4 one below." in words
    assert words.startswith("3 paired seeds.")
    # The larger of +0.004 and -0.06.
    assert "Criteo-R base 6.0e-02, Criteo-R related 6.0e-02, Criteo-UR base 6.0e-02" in words
    assert "Criteo-R" in shown.data
    assert "Criteo-UR" in shown.data


def test_figure_6_gives_the_difference_and_says_that_one_seed_has_no_interval(results):
    shown = content.figure_6(results)
    words = " ".join(shown.sentences)
    assert "MG minus TVG, AUC of base: -0.1000 (paired seeds: 1, no interval)." in words
    assert "MG, no softmax minus TVG, AUC of base: -0.0500 (paired" in words
    assert "TVG: mean of the last losses logged base 0.7000" in words
    curves = {line.get_label(): line for line in shown.figure.axes[0].lines}
    assert list(curves["TVG"].get_xdata()) == list(range(20, 301, 20))
    assert set(curves["MG"].get_ydata()) == {0.7}


def test_a_damaged_file_of_planted_confidences_is_named(tmp_path):
    path = tmp_path / "confidence_test.npy"
    np.save(path, np.arange(4.0))
    assert content.planted_confidence(path).tolist() == [0, 1, 2, 3]
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:20], b""):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"confidence_test\.npy cannot be read \("):
            content.planted_confidence(path)
    path.unlink()
    with pytest.raises(DatasetError, match=r"confidence_test\.npy cannot be read \("):
        content.planted_confidence(path)
