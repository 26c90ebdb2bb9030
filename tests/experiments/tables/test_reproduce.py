import dataclasses
import pathlib
import subprocess
import sys

import pandas as pd
import pytest
from absl.testing import flagsaver

from dcrnn_tf import models
from dcrnn_tf.system import command_line
from experiments import reproduce
from experiments.dcrnn import tables as dcrnn_tables
from experiments.dephn import tables as dephn_tables
from tests.experiments.run_folders import write_run

ROOT = pathlib.Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--preset=small", "--data_dir=x"], "--preset is for simulated data"),
        (["--table=table9"], "table9"),
        (["--table=table4,table9"], "each must be one of table1, table2, table3_offline, table4"),
        (
            ["--table=dephn_table1,dephn_table2_wechat", "--data_dir=nowhere"],
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


def test_every_row_runs_with_the_same_seeds_and_settings(tmp_path):
    preset = dataclasses.replace(dcrnn_tables.TABLE_4.presets["smoke"], seeds=3)
    table = dcrnn_tables.TABLE_4
    runs = reproduce._runs(table, preset, tmp_path / "data", tmp_path / "table")
    assert len(runs) == 3 * 3 + 2
    by_row = {}
    for run in runs:
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
    runs = reproduce._runs(table, table.presets["smoke"], tmp_path / "data", tmp_path / "table")
    for run in runs:
        assert run.trains == ("--positive_weights=none" in run.command)
    assert "experiments.baselines.constant" in runs[-1].command
    private = next(run for run in runs if run.folder.parent.name == "mtphn_dnn_private")
    assert '--set=private_experts=["dnn"]' in private.command


def test_programs_are_told_from_models_by_name():
    assert not set(reproduce.PROGRAMS) & set(models.names())


@pytest.fixture
def flag_values():
    """The program's flags, at their defaults."""
    reproduce.FLAGS(["reproduce"])
    with flagsaver.flagsaver():
        yield reproduce.FLAGS


def test_tables_lie_side_by_side(flag_values):
    two = [dephn_tables.TABLE_2_ALI_CCP, dephn_tables.TABLE_2_WECHAT]
    assert reproduce._out_dirs(two, "smoke") == [
        pathlib.Path("runs/dephn_table2_ali_ccp-smoke"),
        pathlib.Path("runs/dephn_table2_wechat-smoke"),
    ]
    flag_values.out_dir = "here"
    assert reproduce._out_dirs(two[:1], "small") == [pathlib.Path("here")]
    assert reproduce._out_dirs(two, "small") == [
        pathlib.Path("here/dephn_table2_ali_ccp"),
        pathlib.Path("here/dephn_table2_wechat"),
    ]


def test_tables_of_several_datasets_take_a_folder_of_each(flag_values, tmp_path):
    ali_ccp, wechat = dephn_tables.TABLE_2_ALI_CCP, dephn_tables.TABLE_2_WECHAT
    assert reproduce._data_dirs([ali_ccp, wechat]) == [None, None]
    flag_values.data_dir = str(tmp_path)
    criteo = [dephn_tables.CRITEO_R, dephn_tables.CRITEO_UR]
    assert reproduce._data_dirs(criteo) == [tmp_path, tmp_path]
    (tmp_path / "ali_ccp").mkdir()
    with pytest.raises(command_line.UsageError, match="lacks wechat"):
        reproduce._data_dirs([ali_ccp, wechat])
    (tmp_path / "wechat").mkdir()
    assert reproduce._data_dirs([ali_ccp, wechat]) == [tmp_path / "ali_ccp", tmp_path / "wechat"]


def test_progress_of_a_run_passes_over_a_line_that_is_being_written(tmp_path):
    run = reproduce._Run([], tmp_path, trains=True)
    assert run.steps() == 0
    (tmp_path / "metrics.jsonl").write_text('{"step": 7}\n{"step": 1')
    assert run.steps() == 7


def test_a_preset_may_run_some_of_the_rows():
    table = dephn_tables.FIGURE_5_UR
    runs = reproduce._runs(table, table.presets["smoke"], pathlib.Path("d"), pathlib.Path("t"))
    assert [run.folder.parent.name for run in runs] == [
        "mmoe",
        "dephn_without_virtual_gradient",
        "dephn_pearson_h",
    ]
    assert len(reproduce._runs(table, table.presets["small"], runs[0].folder, runs[0].folder)) == 54


def test_the_papers_settings_are_those_of_the_real_data():
    assert dataclasses.asdict(dcrnn_tables.TABLE_4.presets["paper"]) == {
        "rows": 40_000_000,
        "epochs": 3,
        "seeds": 5,
        "batch_size": 1024,
        "learning_rate": 1e-4,
        "min_count": 10,
        "labels": (),
    }


def test_a_dataset_of_ones_own_brings_its_tasks(flag_values, dataset_folder, tmp_path, monkeypatch):
    def run_all(runs, *_):
        for run in runs:
            assert f"--data_dir={dataset_folder}" in run.command
            write_run(run.folder, {"click": 0.7, "conversion": 0.6}, simulated=False, curves=False)

    monkeypatch.setattr(reproduce, "_run_all", run_all)
    flag_values.seeds = 1
    out = tmp_path / "table"
    reproduce._reproduce(dcrnn_tables.TABLE_1, None, dataset_folder, out)
    table = pd.read_csv(out / "table1.csv")
    assert set(table["task"]) == {"click", "conversion"}  # rather than click and play
    assert set(table.loc[table["task"] == "conversion", "auc_mean"]) == {0.6}
    assert table["paper_auc_4"].isna().all()
    assert "0.6922" not in (out / "table1.md").read_text("utf-8")


def test_a_dataset_with_another_number_of_tasks_is_refused(flag_values, dataset_folder, tmp_path):
    table = dataclasses.replace(dcrnn_tables.TABLE_2, tasks=("a", "b", "c"))
    with pytest.raises(
        command_line.UsageError, match=r"on 3 tasks, .* has 2 \(click, conversion\)"
    ):
        reproduce._reproduce(table, None, dataset_folder, tmp_path / "table")
    assert not (tmp_path / "table").exists()


class Stopped(BaseException):
    pass


def test_interrupted_it_waits_until_its_runs_have_ended(flag_values, tmp_path, monkeypatch):
    """As trainings that write their checkpoint: the parent's end would kill them."""
    body = (
        "import pathlib, signal, sys, time\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "def end(*_):\n"
        "    time.sleep(0.3)\n"
        "    (folder / 'checkpoint').touch()\n"
        "    sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "(folder / 'ready').touch()\n"
        "time.sleep(60)\n"
    )
    folders = [tmp_path / "a", tmp_path / "b"]
    runs = []
    for folder in folders:
        folder.mkdir()
        runs.append(reproduce._Run([sys.executable, "-c", body, str(folder)], folder, False))
    flag_values.parallel_runs = 2

    def sleep(seconds):
        while not all((folder / "ready").exists() for folder in folders):
            pass
        raise Stopped

    monkeypatch.setattr(reproduce.time, "sleep", sleep)
    with pytest.raises(Stopped):
        reproduce._run_all(runs, 1, 1)
    assert [run.process.poll() for run in runs] == [143, 143]
    assert all((folder / "checkpoint").exists() for folder in folders)


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
