import pytest

from dcrnn_tf import models
from dcrnn_tf.schema import load_schema
from experiments.dcrnn_tables import TABLE_4

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
