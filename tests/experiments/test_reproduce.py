"""The program that reproduces tables: its flags, and the same table from scratch."""

import pathlib
import subprocess
import sys

import pandas as pd
import pytest

from experiments import reproduce
from experiments.reproduce import Settings
from experiments.tables import make

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--preset=small", "--raw_dir=x"], "--preset is for simulated data"),
        (["--preset=small", "--data_dir=x"], "--preset is for simulated data"),
        (["--raw_dir=a", "--data_dir=b"], "--raw_dir=a and --data_dir=b are two datasets"),
        (["--table=table9"], "table9"),
        (["--table=table4,table9"], "each must be one of table1, table2, table3_offline, table4"),
        (
            ["--table=dephn_table1,dephn_table2_wechat", "--raw_dir=nowhere"],
            "must hold a folder of each, and lacks ali_ccp and wechat",
        ),
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


def test_tables_have_a_folder_each_unless_one_is_given_for_one(monkeypatch):
    made = []
    monkeypatch.setattr(make, "make", lambda table, _, out_dir: made.append((table.name, out_dir)))
    monkeypatch.setattr(
        make, "make_all", lambda tables, _, folder: made.append(([t.name for t in tables], folder))
    )
    for chosen in (
        Settings(("table1",)),
        Settings(("table1",), "here"),
        Settings(("table2", "table1", "table2"), "here"),
    ):
        reproduce.main(chosen, make.Settings())
    assert made == [(["table1"], "runs"), ("table1", "here"), (["table2", "table1"], "here")]


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
    assert len(tables[0]) == 10
    pd.testing.assert_frame_equal(*tables, check_exact=True)
