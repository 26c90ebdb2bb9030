"""A model day by day: which days each way learns, and the page of what came of it."""

import dataclasses
import datetime
import json
import pathlib

import pytest

from data_prep.drift.simulate import DECLARATION, simulate
from data_prep.drift.world_settings import Settings as WorldSettings
from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.yaml_json import read_yaml
from dcrnn_tf.dataset.schema import load_schema
from dcrnn_tf.system.errors import DatasetError, UsageError
from dcrnn_tf.training.settings import TrainingSettings
from experiments.daily import page, walk
from experiments.daily.__main__ import main
from experiments.daily.settings import Settings
from experiments.runs import run_folder

DAYS = [datetime.date(2026, 1, day) for day in (4, 5, 6)]


def spans(policy):
    declaration = parse_declaration(read_yaml(DECLARATION), pathlib.Path("drift.yaml"))
    found = []
    for step in walk.steps(policy, DAYS, 2, pathlib.Path("daily")):
        split = walk.declaration_of(declaration, step).content["split"]
        found.append((split.get("train_from", ""), split["train_until"], split["test_until"]))
    return [[moment[-2:] for moment in span] for span in found]


def test_each_way_learns_its_days_and_is_tested_on_the_next():
    first = ["", "04", "05"]
    assert spans("full") == [first, ["", "05", "06"], ["", "06", "07"]]
    assert spans("warm") == [first, ["04", "05", "06"], ["05", "06", "07"]]
    assert spans("window") == [first, ["03", "05", "06"], ["04", "06", "07"]]


def record(policy, day, auc):
    cost = dict.fromkeys(("preparation_seconds", "training_seconds", "processor_seconds"), 2.0)
    values = {"auc": auc, "calibration": 1.0, "rows": 5, "positives": 2}
    counts = {"learned_rows": 1000, "steps": 3, "simulated": True}
    return {"policy": policy, "day": day, **counts, **cost, "metrics": {"click": values}}


def test_the_page_has_means_without_the_first_day_and_every_day():
    records = [
        *(record("full", f"2026-01-0{day}", auc) for day, auc in ((4, 0.5), (5, 0.7), (6, 0.8))),
        *(record("warm", f"2026-01-0{day}", auc) for day, auc in ((4, 0.5), (5, 0.6), (6, 0.72))),
    ]
    settings = Settings("drift.yaml", "daily", "2026-01-04", "2026-01-06")
    optima = {"2026-01-04": {"click": 0.9}, "2026-01-05": {"click": 0.9}}
    document = page.document(settings, records, optima)
    text = document.markdown()
    assert text.startswith("**Simulated data.**")
    means = [line for line in text.splitlines() if line.startswith(("| full", "| warm"))]
    assert [line.split("|")[2].strip() for line in means[:2]] == ["0.7500", "0.6600"]
    # -0.1 and -0.08: the mean and 12.706 standard errors, which are 0.01.
    assert "| warm start         | click: AUC         |    -0.0900 | -0.2171 to +0.0371 |" in text
    lines = document.csv().splitlines()
    assert len(lines) == 7
    assert lines[1].startswith("2026-01-04,full retraining,0.5,")


def test_days_that_are_none_are_refused():
    for first, last, message in (
        ("soon", "2026-01-05", "--first_day=soon must be a day"),
        ("2026-01-05", "2026-01-04", "--last_day=2026-01-04 is before"),
    ):
        with pytest.raises(UsageError, match=message):
            main(Settings("drift.yaml", "daily", first, last), TrainingSettings())


def test_a_declaration_without_times_is_refused(tmp_path):
    declaration = {
        "name": "x",
        "split": {"by": "fraction", "files": "x.csv", "test_fraction": 0.5},
        "fields": {"a": {"kind": "numeric"}},
        "tasks": {"click": {}},
    }
    (tmp_path / "x.json").write_text(json.dumps(declaration), encoding="utf-8")
    settings = Settings(str(tmp_path / "x.json"), str(tmp_path / "out"), "2026-01-04", "2026-01-05")
    with pytest.raises(DatasetError, match="days need the column of times"):
        main(settings, TrainingSettings())


@pytest.mark.slow
def test_a_walk_through_a_drifting_log(tmp_path, capsys):
    world = WorldSettings(days=6, rows_per_day=1500, users=60, items=40, drift=0.3, churn=0.1)
    simulate(tmp_path / "log", world)
    small = {"embedding_dim": 4, "expert_units": [8], "tower_units": [4]}
    settings = Settings(
        *(str(tmp_path / "log" / "drift.yaml"), str(tmp_path / "daily")),
        *("2026-01-04", "2026-01-05"),
        raw_dir=str(tmp_path / "log"),
        model="mmoe",
        set=small,
        forget_after=2,
    )
    training = TrainingSettings(epochs=1, batch_size=128, learning_rate=0.01)
    main(settings, training)
    folder = tmp_path / "daily"
    runs = sorted(p.parent.relative_to(folder).as_posix() for p in folder.rglob("result.json"))
    assert runs == ["first/run", *(f"{way}/2026-01-05/run" for way in ("full", "warm", "window"))]
    warm = run_folder.read(folder / "warm" / "2026-01-05" / "run", run_folder.RUN_FILE)
    assert warm["dataset"]["rows"] == {"train": 1500, "test": 1500}
    assert warm["init_from"]["run_dir"] == str(folder / "first" / "run")
    schema = load_schema(folder / "warm" / "2026-01-05" / "data")  # what the next day extends
    assert schema.filters["extends"]["ids"]["user"]["kept"] > 40
    assert not (folder / "full" / "2026-01-05" / "data").exists()
    capsys.readouterr()
    main(settings, training)  # nothing is left to be done, but for the page
    assert "learning" not in capsys.readouterr().out
    with pytest.raises(DatasetError, match="other settings"):
        main(settings, TrainingSettings(epochs=2))
    assert (folder / "daily.csv").read_text("utf-8").count("\n") == 7


@pytest.mark.slow
def test_a_way_and_a_day_may_be_added(tmp_path):
    world = WorldSettings(days=6, rows_per_day=300, users=60, items=40)
    simulate(tmp_path / "log", world)
    training = TrainingSettings(epochs=1, batch_size=128)
    settings = Settings(
        *(str(tmp_path / "log" / "drift.yaml"), str(tmp_path / "daily")),
        *("2026-01-04", "2026-01-04"),
        raw_dir=str(tmp_path / "log"),
        policies=("full",),
        model="mmoe",
        set={"embedding_dim": 4, "expert_units": [8], "tower_units": [4]},
    )
    main(settings, training)
    added = dataclasses.replace(settings, last_day="2026-01-05", policies=("full", "warm"))
    main(added, training)
    lines = (tmp_path / "daily" / "daily.csv").read_text("utf-8").splitlines()[1:]
    assert [line.split(",")[:2] for line in lines] == [
        [day, way]
        for way in ("full retraining", "warm start")
        for day in ("2026-01-04", "2026-01-05")
    ]
