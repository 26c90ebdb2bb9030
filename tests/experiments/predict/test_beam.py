"""Scores in a pipeline: those of the program, with the same rows left out."""

import polars as pl
import pytest

pytest.importorskip("apache_beam")

from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.system.errors import DatasetError
from experiments.predict.beam import ScoreBatch, ScoreRows
from experiments.runs import trained_runs
from tests.scored_shop import raw_rows


@pytest.fixture
def loaded(run, monkeypatch):
    monkeypatch.setattr(trained_runs, "load_chosen", lambda *_: run)
    return run


def rows_with_lists() -> list[dict]:
    rows = raw_rows().head(40).with_columns(seen=pl.lit(["i1", "i2", "unheard"]))
    return rows.drop("click", "buy", "colour", "spent", "day").to_dicts()


def expected(run, shop, rows) -> pl.DataFrame:
    """Scores by way of the encoder of single rows, which looks users up as well."""
    encoder = RowEncoder(shop / "prepared", raw_dir=shop)
    found = run.probabilities(encoder(pl.DataFrame(rows)))
    return pl.DataFrame({name: found[name] for name in ("click", "buy_per_exposure", "spent")})


def assert_same(scored, frame) -> None:
    for row, wanted in zip(scored, frame.iter_rows(named=True), strict=True):
        for name, value in wanted.items():
            assert row[name] == pytest.approx(value, rel=1e-5)


def test_a_batch_has_the_scores_of_its_rows(shop, loaded):
    rows = rows_with_lists()
    step = ScoreBatch(str(shop / "run"), ("order",), str(shop), None, "best", 16)
    step.setup()
    scored = list(step.process([*rows, {**rows[0], "price": "dear"}]))
    assert [row["order"] for row in scored] == [row["order"] for row in rows]
    assert_same(scored, expected(loaded, shop, rows))
    with pytest.raises(DatasetError, match=r"no row of a batch has 'price' .field price."):
        list(step.process([{k: v for k, v in row.items() if k != "price"} for row in rows]))


@pytest.mark.slow
def test_a_pipeline_has_the_scores_of_its_rows(shop, loaded):
    import apache_beam
    from apache_beam.testing import test_pipeline, util

    rows = rows_with_lists()
    wanted = expected(loaded, shop, rows)
    orders = [row["order"] for row in rows]

    def check(scored) -> None:
        by_order = {row["order"]: row for row in scored}
        assert_same([by_order[order] for order in orders], wanted)

    with test_pipeline.TestPipeline() as pipeline:
        scored = (
            pipeline
            | apache_beam.Create(rows)
            | ScoreRows(str(shop / "run"), ["order"], str(shop), batch_size=16)
        )
        util.assert_that(scored, check)
