import json

import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import load_schema
from experiments.dephn.tables import CRITEO_UR, FIGURE_5_R, TABLE_1, TABLE_2_ALI_CCP, TABLE_2_WECHAT
from experiments.table_registry import TABLES
from experiments.tables import datasets
from experiments.tables.spec import PROGRAMS
from tests.often import often

DEPHN_TABLES = [table for name, table in TABLES.items() if name.startswith("dephn_")]

TRAINED = {
    (row.model, json.dumps(row.settings))
    for table in DEPHN_TABLES
    for row in table.rows
    if row.model not in PROGRAMS
}


def row(table, label):
    return next(row for row in table.rows if row.label == label)


@pytest.mark.parametrize(
    ("model", "settings"), often(sorted(TRAINED), lambda trained: trained[0] == "phn")
)
def test_the_models_of_the_tables_can_be_built(dataset_folder, model, settings):
    models.build(model, load_schema(dataset_folder), **json.loads(settings))


def test_rows_are_those_of_the_paper():
    assert [row.label for row in TABLE_1.rows] == [
        *("DNN", "W&D", "DCN", "FINT", "MMoE", "PLE", "SNR"),
        *("MTPHN, all public", "MTPHN, DNN private", "MTPHN, DNN public"),
        "Constant",
    ]
    for table in (TABLE_2_ALI_CCP, TABLE_2_WECHAT):
        assert [row.label for row in table.rows] == [
            *("DNN", "W&D", "DCN", "FINT", "NFM", "xDeepFM"),
            *("MMoE", "PLE", "SNR", "MTPHN", "DEPHN"),
            "Constant",
        ]


def test_published_figures_stand_under_their_tasks():
    assert row(TABLE_1, "MTPHN, DNN private").paper == {
        "click": {"logloss": 0.161870, "auc": 0.624355},
        "conversion": {"logloss": 0.002062, "auc": 0.649029},
    }
    assert row(TABLE_2_ALI_CCP, "DEPHN").paper["conversion"] == {
        "logloss": 0.002045,
        "auc": 0.663543,
    }
    assert row(TABLE_2_WECHAT, "xDeepFM").paper == {
        "read_comment": {"logloss": 0.093896, "auc": 0.925278},
        "like": {"logloss": 0.090316, "auc": 0.832673},
        "click_avatar": {"logloss": 0.036780, "auc": 0.840571},
    }


def test_both_tables_print_the_same_of_a_row_that_they_share():
    shared = {row.label: row for row in TABLE_2_ALI_CCP.rows}
    for label in ("DNN", "W&D", "DCN", "FINT", "MMoE", "PLE", "SNR"):
        assert row(TABLE_1, label) == shared[label]
    best = row(TABLE_1, "MTPHN, DNN public")
    assert (best.settings, best.paper) == (shared["MTPHN"].settings, shared["MTPHN"].paper)


@pytest.mark.parametrize("table", DEPHN_TABLES, ids=lambda table: table.name)
def test_rows_share_the_embedding_size_and_losses_have_no_weights(table):
    sizes = {row.settings.get("embedding_dim") for row in table.rows if not row.deterministic}
    assert sizes == {16}
    assert table.run_flags == {"positive_weights": "none"}
    assert table.data in datasets.SOURCES
    assert {"small", "smoke", "paper"} == set(table.presets)


def test_the_virtual_gradient_is_the_only_difference_of_the_row_without_it():
    with_it, without = row(CRITEO_UR, "DEPHN"), row(CRITEO_UR, "DEPHN without virtual gradient")
    assert with_it.settings == {
        "virtual_gradient": "root_sum",
        "correlation": "pearson",
        "embedding_dim": 16,
    }
    assert without.settings == {**with_it.settings, "virtual_gradient": None}
    assert (CRITEO_UR.tasks, CRITEO_UR.published) == (("base", "unrelated"), False)


def test_figure_5_has_each_function_with_each_correlation():
    baseline, plain, *variants = FIGURE_5_R.rows
    assert baseline.label == FIGURE_5_R.baseline
    assert plain.settings == row(CRITEO_UR, "DEPHN without virtual gradient").settings
    pairs = {(r.settings["virtual_gradient"], r.settings["correlation"]) for r in variants}
    assert len(pairs) == len(variants) == 16
    assert row(FIGURE_5_R, "DEPHN Pearson, h").settings == row(CRITEO_UR, "DEPHN").settings


@pytest.mark.parametrize("table", DEPHN_TABLES, ids=lambda table: table.name)
def test_presets_name_rows_that_exist_and_the_baseline(table):
    for preset in table.presets.values():
        assert set(preset.labels) <= {row.label for row in table.rows}
        assert not preset.labels or table.baseline in preset.labels
