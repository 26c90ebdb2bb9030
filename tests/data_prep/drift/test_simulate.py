"""The simulated log whose world drifts."""

import json

import numpy as np
import polars as pl
import pytest

from data_prep.drift import world
from data_prep.drift.simulate import Output, main, simulate
from data_prep.drift.world_settings import Settings


def correlation(drift, churn, days):
    """The correlation of an item's mean click logit on the first and on a later day."""
    settings = Settings(days=days + 1, rows_per_day=40_000, users=200, items=40, drift=drift)
    settings = Settings(**{**vars(settings), "churn": churn})
    first, *_, last = world.days(settings)
    means = []
    for day in (first, last):
        logits = np.log(day.like / (1 - day.like))
        means.append({i: logits[day.item == i].mean() for i in np.unique(day.item)})
    both = sorted(set(means[0]) & set(means[1]))
    return len(both), np.corrcoef([[mean[i] for i in both] for mean in means])[0, 1]


@pytest.mark.parametrize(("drift", "days", "expected"), [(0.0, 3, 1.0), (0.5, 2, 0.5)])
def test_items_drift_at_the_rate_that_is_set(drift, days, expected):
    items, found = correlation(drift, 0.0, days)
    assert items == 40
    assert found == pytest.approx(expected, abs=0.01 if drift == 0 else 0.3)


def test_items_are_replaced(tmp_path):
    items, _ = correlation(0.1, 0.5, 1)
    assert 8 < items < 32


def test_the_log_is_written_by_day_with_the_optimum_of_each(tmp_path):
    settings = Settings(days=3, rows_per_day=4000, users=50, items=20)
    optima = simulate(tmp_path / "log", settings)
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == [
        *(f"2026-01-0{day}.csv" for day in (1, 2, 3)),
        "drift.yaml",
        "simulation.json",
    ]
    frame = pl.read_csv(tmp_path / "log" / "2026-01-02.csv")
    assert frame.height == 4000
    assert frame.filter((pl.col("like") == 1) & (pl.col("click") == 0)).height == 0
    said = json.loads((tmp_path / "log" / "simulation.json").read_text("utf-8"))
    assert said["bayes_auc_by_day"] == optima
    assert all(0.6 < auc < 0.9 for day in optima.values() for auc in day.values())


def test_days_of_one_class_are_left_out_of_what_is_said(tmp_path, capsys):
    main(
        Output(str(tmp_path / "log")), Settings(days=2, rows_per_day=10, users=20, items=20, seed=3)
    )
    assert capsys.readouterr().out.rstrip().endswith("like n/a")
