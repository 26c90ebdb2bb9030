"""The made log of the benchmark can be prepared, in each of its forms."""

import pytest

from benchmarks.own_log import made_log
from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.preparation import prepare


@pytest.mark.parametrize("form", [(False, False), (True, True)])
def test_the_log_is_prepared(tmp_path, monkeypatch, form):
    monkeypatch.setattr(made_log, "USERS", 300)
    monkeypatch.setattr(made_log, "ITEMS", 200)
    monkeypatch.setattr(made_log, "CHUNK_ROWS", 900)
    made_log.write(tmp_path / "logs", 2000)
    assert len(list((tmp_path / "logs").glob("log_*.csv"))) == 3
    declaration = parse_declaration(made_log.declaration(*form), tmp_path / "films.json")
    schema = prepare(declaration, tmp_path / "logs", tmp_path / "out")
    assert sum(split.rows for split in schema.splits.values()) == 2000
    assert sorted(schema.entities) == (["items", "users"] if form[0] else [])
    assert 0 < schema.filters["joins"]["users"]["unmatched"] < 200
    assert 200 < schema.splits["train"].positives["watched"] < 1500
    assert ("seen" in {field.name for field in schema.fields}) == form[1]
