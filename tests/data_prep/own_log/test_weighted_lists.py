"""Lists whose ids carry weights."""

import pathlib

import numpy as np
import polars as pl
import pytest

from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.lists.weighted import weighted_lists
from data_prep.own_log.preparation import prepare
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset.encodings import VALUE, Ids
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.layers import FieldEmbedding

FIELD = {"kind": "multi_categorical", "weights": ":", "min_count": 1, "max_values": 2}
CELLS = ["a:0.5;b:0.2", "b", "", "a:1;c:0;b:9"]


def declaration(**changes):
    content = {
        "name": "shop",
        "split": {"by": "file", "train": "train.csv", "test": "test.csv"},
        "fields": {"liked": FIELD | changes},
        "tasks": {"click": {}},
    }
    return parse_declaration(content, pathlib.Path("shop.yaml"))


def write(folder, cells=CELLS):
    rows = pl.DataFrame({"liked": cells, "click": [row % 2 for row in range(len(cells))]})
    for name in ("train", "test"):
        rows.write_csv(folder / f"{name}.csv")


@pytest.mark.parametrize(
    ("cell", "pairs"),
    [
        ("a:0.5;b:0.2", [("a", 0.5), ("b", 0.2)]),
        (" a : 5e-1 ; b", [("a", 0.5), ("b", 1.0)]),
        ("x:y:2", [("x:y", 2.0)]),  # the last mark counts
        ("['a:1', 'b:2']", [("a", 1.0), ("b", 2.0)]),
        ("-:3;:4;;a:1", [("a", 1.0)]),  # what is missing is left out
        ("", []),
        ("a:", [("a", None)]),
        ("a:x;b:-1;c:nan;d:inf;e:1e39", [(i, None) for i in "abcde"]),
    ],
)
def test_cells(cell, pairs):
    encoding = Ids(("-", ""), VALUE, separator=";", max_values=9, weight_mark=":")
    (found,) = weighted_lists(pl.Series([cell]), encoding).to_list()
    assert [(pair["id"], pair["weight"]) for pair in found] == pairs


def test_weights_are_prepared_read_and_used(tmp_path):
    write(tmp_path)
    prepare(declaration(), tmp_path, tmp_path / "prepared")
    dataset = PreparedDataset(tmp_path / "prepared")
    (field,) = dataset.schema.fields
    assert field.weighted
    # a and b are met twice and thrice in lists that are cut to two values, c once.
    assert dataset.vocabularies()["liked"].tolist() == ["a", "b", "c"]
    rows = RowEncoder(tmp_path / "prepared")(pl.DataFrame({"liked": CELLS}))
    assert rows["liked"].tolist() == [[2, 3], [3, 0], [0, 0], [2, 4]]
    expected = np.array([[0.5, 0.2], [1, 0], [0, 0], [1, 0]], np.float32)
    np.testing.assert_array_equal(rows["liked_weight"], expected)
    ((features, _),) = dataset.batches("test", 9)
    on_disk = sorted(zip(*(f.numpy().tolist() for f in features.values()), strict=True))
    assert on_disk == sorted(zip(rows["liked"].tolist(), expected.tolist(), strict=True))
    layer = FieldEmbedding([field], 3)
    embedded = layer(rows)[:, 0]
    a, b = layer.table.numpy()[2:4]
    np.testing.assert_allclose(embedded[0], (0.5 * a + 0.2 * b) / 0.7, rtol=1e-5)
    np.testing.assert_allclose(embedded[3], a, rtol=1e-5)


def test_what_is_no_weight_stops_the_preparation_and_the_encoder(tmp_path):
    write(tmp_path)
    prepare(declaration(), tmp_path, tmp_path / "prepared")
    write(tmp_path, ["a:0.5", "a:1;b:much", "a:-1", "b"])
    said = "'a:1;b:much', expected a number from 0 after each ':'"
    with pytest.raises(DatasetError, match=f"train.csv, line 3: field liked: .*{said}"):
        prepare(declaration(), tmp_path, tmp_path / "again")
    schema = prepare(declaration(), tmp_path, tmp_path / "again", max_bad_rows=9)
    assert schema.filters["bad_rows"] == {"not a weight": 4}
    with pytest.raises(DatasetError, match=f"field liked: .*{said[:12]}.* in row 1 .counted"):
        RowEncoder(tmp_path / "prepared")(pl.DataFrame({"liked": ["a:0.5", "a:1;b:much"]}))


def test_weights_belong_to_lists():
    with pytest.raises(DatasetError, match="'weights' is not a key of a categorical field"):
        declaration(kind="categorical")
