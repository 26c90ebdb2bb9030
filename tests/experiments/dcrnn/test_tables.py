import dataclasses

import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import load_schema
from experiments.dcrnn.tables import TABLE_1, TABLE_2, TABLE_3_OFFLINE, TABLE_4
from tests.often import often

WIDTH = 5 * 32  # five fields, embedding size 32
TOWER_TAIL = (64 * 32 + 32) + (32 + 1)


@pytest.fixture(scope="module")
def sizes(dataset_folder):
    """`{row label: parameters outside the embeddings}` of the rows that a seed changes."""
    schema = load_schema(dataset_folder)
    rows = [row for row in TABLE_4.rows if not row.deterministic]
    built = {row.label: models.build(row.model, schema, **row.settings) for row in rows}
    return {label: model.parameter_counts()["other"] for label, model in built.items()}


def test_the_networks_of_table_4_have_the_papers_shape(sizes):
    expert = (WIDTH * 128 + 128) + (128 * 64 + 64)
    mmoe = 8 * expert + 2 * (WIDTH * 8) + 2 * ((64 * 64 + 64) + TOWER_TAIL)
    lstm = 4 * (WIDTH * 64 + 64 * 64 + 64)
    dcrnn = 2 * (2 * lstm) + 2 * ((128 * 64 + 64) + TOWER_TAIL)
    assert sizes["DCRNN+BiLSTM"] - sizes["MMoE"] == dcrnn - mmoe


def test_adaptation_adds_a_vector_for_each_step_of_the_whole_sequence(sizes):
    steps = 3 + (2 - 1) * 1  # S = L + (n - 1) I
    assert sizes["DCRNN+BiLSTM+Ada"] - sizes["DCRNN+BiLSTM"] == steps * WIDTH


CELLS = ("GRU", "BiGRU", "LSTM", "BiLSTM")


def settings(table):
    return {row.label: row.settings for row in table.rows}


def test_table_1_compares_the_cells_with_mmoe():
    labels = [f"DCRNN+{cell}+Ada" for cell in CELLS]
    assert list(settings(TABLE_1)) == ["MMoE", *labels, "Logistic regression", "Boosted trees"]
    assert [TABLE_1.baseline_of(row) for row in TABLE_1.rows] == [None, *["MMoE"] * 6]
    assert settings(TABLE_1)["MMoE"] == settings(TABLE_4)["MMoE"]
    for cell, label in zip(CELLS, labels, strict=True):
        chosen = settings(TABLE_1)[label]
        name = cell.removeprefix("Bi").lower()
        assert (chosen["cell"], chosen["bidirectional"]) == (name, "Bi" in cell)
        assert (chosen["subsequence_length"], chosen["interval"]) == (5, 2)


def test_table_2_compares_each_cell_with_itself_without_adaptation():
    rows = {row.label: row for row in TABLE_2.rows}
    assert set(rows) == {f"DCRNN+{cell}{ada}" for cell in CELLS for ada in ("", "+Ada")}
    for cell in CELLS:
        plain, adapted = rows[f"DCRNN+{cell}"], rows[f"DCRNN+{cell}+Ada"]
        assert TABLE_2.baseline_of(plain) is None
        assert TABLE_2.baseline_of(adapted) == plain.label
        assert adapted.settings == {**plain.settings, "adaptation": True}
        assert plain.settings["adaptation"] is False
        assert adapted.settings == settings(TABLE_1)[adapted.label]


def test_published_figures_of_radio():
    paper = {row.label: row.paper for row in (*TABLE_1.rows, *TABLE_2.rows)}
    for label, click, play in (
        ("MMoE", 0.6922, 0.6721),
        ("DCRNN+GRU", 0.6943, 0.6977),
        ("DCRNN+BiGRU", 0.6952, 0.6748),
        ("DCRNN+BiLSTM+Ada", 0.6995, 0.6804),
        ("DCRNN+LSTM+Ada", 0.6972, 0.6949),
    ):
        assert paper[label] == {"click": {"auc_4": click}, "play": {"auc_4": play}}
    assert paper["Logistic regression"] is paper["Boosted trees"] is None


@pytest.mark.parametrize(
    "row", often(TABLE_2.rows, lambda row: "bi" in row.slug), ids=lambda row: row.slug
)
def test_radios_models_read_seven_steps_of_which_two_tasks_share_three(dataset_folder, row):
    model = models.build(row.model, load_schema(dataset_folder), **row.settings)
    counts = model.parameter_counts()["other"]
    plain = models.build(
        row.model, load_schema(dataset_folder), **{**row.settings, "adaptation": False}
    ).parameter_counts()["other"]
    assert counts - plain == (7 * WIDTH if row.settings["adaptation"] else 0)


@pytest.mark.parametrize(
    "table", [TABLE_1, TABLE_2, TABLE_3_OFFLINE, TABLE_4], ids=lambda table: table.name
)
def test_smoke_forms_run_rows_with_their_baselines(table):
    labels = table.presets["smoke"].labels
    by_label = {row.label: row for row in table.rows}
    for label in labels:
        assert table.baseline_of(by_label[label]) in (None, *labels)


def test_the_papers_settings_are_those_of_the_real_data():
    assert dataclasses.asdict(TABLE_4.presets["paper"]) == {
        "rows": 40_000_000,
        "epochs": 3,
        "seeds": 5,
        "batch_size": 1024,
        "learning_rate": 1e-4,
        "min_count": 10,
        "labels": (),
        "validation_fraction": None,
    }
