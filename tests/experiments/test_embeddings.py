"""Vectors of ids and of rows: those of the embedding table, whatever the file's form."""

import numpy as np
import polars as pl
import pytest

from dcrnn_tf.dataset.vocabulary import load_vocabularies
from dcrnn_tf.system.errors import DatasetError, UsageError
from experiments import embeddings
from experiments.embeddings import Settings
from experiments.runs import trained_runs


@pytest.fixture
def loaded(run, monkeypatch):
    monkeypatch.setattr(trained_runs, "load_chosen", lambda *_: run)
    return run


def table_rows(run, field, rows) -> np.ndarray:
    table = run.model.embedding.table.numpy()
    return table[np.asarray(rows) + run.model.embedding.offsets[field]]


@pytest.mark.parametrize("field", ["user", "seen", "tags", "city"])
def test_each_id_has_its_row_of_the_table(shop, loaded, tmp_path, field, monkeypatch):
    monkeypatch.setattr(embeddings, "ROWS", 7)
    for name in ("v.parquet", "v.npz"):
        given = Settings(run_dir=str(shop / "run"), fields=(field,), out=str(tmp_path / name))
        embeddings.main(given)
    fields = [f for f in loaded.dataset.schema.fields if f.name == field]
    vocabulary = load_vocabularies(shop / "prepared", fields)[field]
    found = pl.read_parquet(tmp_path / "v.parquet")
    assert found["id"].to_list() == vocabulary.ids.tolist()
    assert found["count"].to_list() == vocabulary.counts.tolist()
    expected = table_rows(loaded, field, 2 + np.arange(len(vocabulary.ids)))
    np.testing.assert_array_equal(np.array(found["vector"].to_list(), np.float32), expected)
    arrays = np.load(tmp_path / "v.npz")
    np.testing.assert_array_equal(arrays["vector"], expected)
    assert arrays["id"].tolist() == vocabulary.ids.tolist()


def test_rows_of_files_have_their_fields_end_to_end(shop, loaded, tmp_path):
    rows = pl.DataFrame({"user": [3, 39, 99], "at": [1_700_000_000] * 3, "name": ["a", "b", "c"]})
    rows.write_parquet(tmp_path / "users.parquet")
    (tmp_path / "users.csv").write_bytes((shop / "users.csv").read_bytes())
    given = {
        "run_dir": str(shop / "run"),
        "fields": ("city", "user"),
        "files": ("users.parquet",),
        "raw_dir": str(tmp_path),
    }
    embeddings.main(Settings(**given, keys=("name",), out=str(tmp_path / "v.parquet")))
    found = pl.read_parquet(tmp_path / "v.parquet")
    assert found["name"].to_list() == ["a", "b", "c"]
    ids = load_vocabularies(shop / "prepared", loaded.dataset.schema.fields)
    user = ids["user"].ids.tolist()
    city = ids["city"].ids.tolist()  # of user 3 it is rome; the others are in no joined file
    expected = np.hstack(
        [
            table_rows(loaded, "city", [2 + city.index("rome"), 0, 0]),
            table_rows(loaded, "user", [2 + user.index("3"), 2 + user.index("39"), 1]),
        ]
    )
    np.testing.assert_array_equal(np.array(found["vector"].to_list(), np.float32), expected)


def test_mistakes_get_one_sentence(shop, loaded, tmp_path):
    def ask(out="v.parquet", **given):
        embeddings.main(Settings(run_dir=str(shop / "run"), out=str(tmp_path / out), **given))

    with pytest.raises(UsageError, match="the field is one of numbers, of which no list exists"):
        ask(fields=("price",))
    with pytest.raises(UsageError, match="names 2 fields, which takes --files"):
        ask(fields=("user", "city"))
    with pytest.raises(DatasetError, match="has no field usr"):
        ask(fields=("usr",))
    with pytest.raises(UsageError, match=r"must end in \.parquet or \.npz"):
        ask(fields=("user",), out="v.csv")
