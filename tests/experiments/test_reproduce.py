import dataclasses
import pathlib
import subprocess
import sys

import pandas as pd
import pytest

from experiments import dcrnn_tables, reproduce

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--preset=small", "--data_dir=x"], "--preset is for simulated data"),
        (["--table=table9"], "table9"),
        (["--seeds=0"], "seeds"),
        (["--sedes=2"], "Unknown command line flag 'sedes'"),
    ],
)
def test_bad_flags_get_one_sentence(flags, sentence):
    command = [sys.executable, "-m", "experiments.reproduce", *flags]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert sentence in last
    assert "Traceback" not in done.stderr


def test_every_row_runs_with_the_same_seeds_and_settings(tmp_path):
    preset = dataclasses.replace(dcrnn_tables.TABLE_4.presets["smoke"], seeds=3)
    table = dcrnn_tables.TABLE_4
    runs = reproduce._runs(table, preset, tmp_path / "data", tmp_path / "table")
    assert len(runs) == 3 * 3 + 1
    by_row = {}
    for run in runs:
        by_row.setdefault(run.folder.parent.name, []).append(run)
    assert len(by_row.pop("logistic_regression")) == 1

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


def test_progress_of_a_run_passes_over_a_line_that_is_being_written(tmp_path):
    run = reproduce._Run([], tmp_path, trains=True)
    assert run.steps() == 0
    (tmp_path / "metrics.jsonl").write_text('{"step": 7}\n{"step": 1')
    assert run.steps() == 7


def test_the_papers_settings_are_those_of_the_real_data():
    assert dataclasses.asdict(dcrnn_tables.TABLE_4.presets["paper"]) == {
        "rows": 40_000_000,
        "epochs": 3,
        "seeds": 5,
        "batch_size": 1024,
        "learning_rate": 1e-4,
        "min_count": 10,
    }


@pytest.mark.slow
def test_a_second_run_from_scratch_gives_the_same_table(tmp_path):
    tables = []
    for name in ("first", "second"):
        command = [sys.executable, "-m", "experiments.reproduce", "--preset=smoke", "--seeds=1"]
        command += [f"--work_dir={tmp_path}/{name}/data", f"--out_dir={tmp_path}/{name}/table"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr
        table = pd.read_csv(tmp_path / name / "table" / "table4.csv")
        tables.append(table.drop(columns=["rows_per_second", "wall_seconds"]))
    assert len(tables[0]) == 8
    pd.testing.assert_frame_equal(*tables, check_exact=True)
