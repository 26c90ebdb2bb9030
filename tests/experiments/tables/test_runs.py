"""The runs that make a table."""

import dataclasses
import json
import pathlib

from dcrnn_tf import models
from dcrnn_tf.system import code_identity
from experiments.dcrnn import tables as dcrnn_tables
from experiments.dephn import tables as dephn_tables
from experiments.tables import runs
from experiments.tables.spec import PROGRAMS
from tests.experiments.run_folders import write_run


def test_every_row_runs_with_the_same_seeds_and_settings(tmp_path):
    preset = dataclasses.replace(dcrnn_tables.TABLE_4.presets["smoke"], seeds=3)
    table = dcrnn_tables.TABLE_4
    planned = runs.planned(table, preset, tmp_path / "data", tmp_path / "table")
    assert len(planned) == 3 * 3 + 2
    by_row = {}
    for run in planned:
        by_row.setdefault(run.folder.parent.name, []).append(run)
    for program in ("logistic_regression", "boosted_trees"):
        assert len(by_row.pop(program)) == 1

    def common(run):
        return {part for part in run.command if not part.startswith(("--set", "--model", "--run"))}

    first, *others = by_row.values()
    for row in others:
        for mine, other in zip(first, row, strict=True):
            assert common(mine) == common(other)
    assert {part for run in first for part in run.command if part.startswith("--seed=")} == {
        "--seed=1",
        "--seed=2",
        "--seed=3",
    }


def test_a_tables_own_flags_reach_its_runs_and_not_its_programs(tmp_path):
    table = dephn_tables.TABLE_1
    planned = runs.planned(table, table.presets["smoke"], tmp_path / "data", tmp_path / "table")
    for run in planned:
        assert run.trains == ("--positive_weights=none" in run.command)
    assert "experiments.baselines.constant" in planned[-1].command
    private = next(run for run in planned if run.folder.parent.name == "mtphn_dnn_private")
    assert '--set=private_experts=["dnn"]' in private.command


def test_programs_are_told_from_models_by_name():
    assert not set(PROGRAMS) & set(models.names())


def test_a_preset_may_run_some_of_the_rows():
    table = dephn_tables.FIGURE_5_UR
    planned = runs.planned(table, table.presets["smoke"], pathlib.Path("d"), pathlib.Path("t"))
    assert [run.folder.parent.name for run in planned] == [
        "mmoe",
        "dephn_without_virtual_gradient",
        "dephn_pearson_h",
    ]
    assert (
        len(runs.planned(table, table.presets["small"], planned[0].folder, planned[0].folder)) == 54
    )


def test_finished_runs_of_other_code_stay_and_are_told(tmp_path, capsys, monkeypatch):
    table = dcrnn_tables.TABLE_4
    planned = runs.planned(table, table.presets["smoke"], tmp_path / "data", tmp_path / "table")
    folder = write_run(planned[0].folder, {"click": 0.7})
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"command": " ".join(planned[0].command)}))
    monkeypatch.setattr(code_identity, "identity", lambda: {"digest": "c0de"})
    runs.check_finished(planned)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(code_identity, "identity", lambda: {"digest": "other"})
    runs.check_finished(planned)
    assert capsys.readouterr().out == (
        f"1 of {len(planned)} runs were made by other code than this and stay as they are; remove "
        f"{tmp_path / 'table' / 'runs'} to make all runs again.\n"
    )
