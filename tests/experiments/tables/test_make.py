"""Tables made in process: which data, folders and rows; what ends them; what is not repeated."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pandas as pd
import pytest

from dcrnn_tf.system import command_line
from dcrnn_tf.system.errors import UserError
from experiments.dcrnn import tables as dcrnn_tables
from experiments.dephn import tables as dephn_tables
from experiments.runs import processes
from experiments.tables import make, runs
from experiments.tables.make import Settings
from experiments.tables.spec import Row
from tests.experiments.run_folders import write_run

ROOT = pathlib.Path(__file__).parents[3]


def test_real_data_have_a_preset_of_their_own():
    assert [Settings().size, Settings("smoke").size, Settings(raw_dir="x").size] == [
        *("small", "smoke", "paper"),
    ]
    with pytest.raises(command_line.UsageError, match="--preset is for simulated data"):
        Settings("small", raw_dir="x")
    prepared = Settings(data_dir="x")
    assert (prepared.size, prepared.folder, Settings().folder) == ("paper", "x", None)
    with pytest.raises(command_line.UsageError, match="--raw_dir=x and --data_dir=y are two"):
        Settings(raw_dir="x", data_dir="y")


def test_raw_files_given_as_a_prepared_dataset_are_taken_with_a_notice(
    dataset_folder, tmp_path, monkeypatch, capsys
):
    made = []

    def record(table, settings, raw_dir, out_dir):
        made.append(raw_dir)
        return SimpleNamespace(table=table, failures=[]), out_dir / "report.html"

    monkeypatch.setattr(make, "_make", record)
    notices = []
    for settings in (
        Settings(data_dir=str(tmp_path)),
        Settings(data_dir=str(dataset_folder)),
        Settings(raw_dir=str(tmp_path)),
    ):
        make.make(dcrnn_tables.TABLE_1, settings, tmp_path / "out")
        notices.append(capsys.readouterr().err)
    assert made == [tmp_path, dataset_folder, tmp_path]
    assert notices == [
        f"{tmp_path} is no prepared dataset: folders of raw files are now given as --raw_dir; "
        "--data_dir still works.\n",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Settings(raw_dir="x"), "is for simulated data alone; leave --raw_dir out"),
        (Settings("smoke"), "has no preset smoke; it has small"),
    ],
)
def test_a_preset_that_the_table_lacks_is_refused(settings, sentence, tmp_path):
    table = dcrnn_tables.TABLE_1
    table = dataclasses.replace(table, presets={"small": table.presets["small"]})
    with pytest.raises(command_line.UsageError, match=f"--table=table1 {sentence}"):
        make.make(table, settings, tmp_path / "table")
    assert not any(tmp_path.iterdir())


def test_tables_lie_side_by_side(monkeypatch, capsys):
    made = []

    def record(table, settings, raw_dir, out_dir):
        made.append(out_dir)
        return SimpleNamespace(table=table, failures=[]), out_dir / "report.html"

    monkeypatch.setattr(make, "_make", record)
    two = [dephn_tables.TABLE_2_ALI_CCP, dephn_tables.TABLE_2_WECHAT]
    make.make(two[0], Settings("small"), "here")
    assert made == [pathlib.Path("here")]
    for preset, ending in (("small", ""), ("smoke", "-smoke")):
        made.clear()
        make.make_all(two, Settings(preset), "here")
        assert made == [pathlib.Path("here", table.name + ending) for table in two]
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "Report: here/dephn_table2_ali_ccp-smoke/report.html (0.0 minutes)",
        "Report: here/dephn_table2_wechat-smoke/report.html (0.0 minutes)",
    ]


def test_tables_of_several_datasets_take_a_folder_of_each(tmp_path):
    ali_ccp, wechat = dephn_tables.TABLE_2_ALI_CCP, dephn_tables.TABLE_2_WECHAT
    assert make._raw_dirs([ali_ccp, wechat], None) == [None, None]
    folder = str(tmp_path)
    criteo = [dephn_tables.CRITEO_R, dephn_tables.CRITEO_UR]
    assert make._raw_dirs(criteo, folder) == [tmp_path, tmp_path]
    (tmp_path / "ali_ccp").mkdir()
    with pytest.raises(command_line.UsageError, match="lacks wechat"):
        make._raw_dirs([ali_ccp, wechat], folder)
    (tmp_path / "wechat").mkdir()
    folders = [tmp_path / "ali_ccp", tmp_path / "wechat"]
    assert make._raw_dirs([ali_ccp, wechat], folder) == folders


@pytest.fixture
def run_all(dataset_folder, monkeypatch):
    """Takes the place of the runs' processes: every run has the same AUC."""

    def write(planned, *_):
        for run in planned:
            assert f"--data_dir={dataset_folder}" in run.command
            write_run(run.folder, {"click": 0.7, "conversion": 0.6}, simulated=False, curves=False)
        return {}

    monkeypatch.setattr(processes, "run_all", write)
    monkeypatch.setattr(runs, "check_models", lambda *_: None)


def test_a_dataset_of_ones_own_brings_its_tasks(run_all, dataset_folder, tmp_path):
    out = tmp_path / "table"
    result = make.make(dcrnn_tables.TABLE_1, Settings(raw_dir=dataset_folder, seeds=1), out)
    table = pd.read_csv(out / "table1.csv")
    assert set(table["task"]) == {"click", "conversion"}  # rather than click and play
    assert set(table.loc[table["task"] == "conversion", "auc_mean"]) == {0.6}
    assert table["paper_auc_4"].isna().all()
    assert "0.6922" not in (out / "table1.md").read_text("utf-8")
    assert (result.folder, result.seeds, result.left_out) == (out, (1,), ())
    assert result.table.tasks == ("click", "conversion")


def test_a_model_that_the_dataset_cannot_have_is_left_out_and_says_why(
    run_all, dataset_folder, tmp_path, capsys
):
    table = dataclasses.replace(
        dcrnn_tables.TABLE_1,
        rows=(
            Row("MMoE", "mmoe", {"expert_units": [16]}),
            Row("Broken", "dcrnn", {"cell": "none"}, matched_width="units"),
            Row("Far off", "mmoe", {"expert_units": [300, 300]}, matched_width="tower_units"),
        ),
    )
    result = make.make(table, Settings(raw_dir=dataset_folder, seeds=1), tmp_path / "table")
    assert [row.row.label for row in result.rows] == ["MMoE", "Far off"]
    (sentence,) = result.left_out
    assert sentence.startswith("Broken is left out: model dcrnn: ")
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert sentence == f"{first}."
    assert second.startswith("Far off keeps its settings: ")


def test_models_that_cannot_be_built_are_refused_before_the_first_run(
    dataset_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(processes, "run_all", lambda *_: pytest.fail("a run begins"))
    rows = (
        Row("MMoE", "mmoe"),
        Row("Constant", "constant", deterministic=True),
        Row("Slim", "dcrnn", {"units": 0}),
        Row("Odd", "mmoe", {"colour": "red"}),
    )
    table = dataclasses.replace(dcrnn_tables.TABLE_1, rows=rows)
    with pytest.raises(UserError) as refusal:
        make.make(table, Settings(raw_dir=dataset_folder, seeds=1), tmp_path / "table")
    sentence = str(refusal.value)
    assert sentence.startswith(
        f"{dataset_folder} does not suit 2 of the 4 models of table1: "
        "Slim: model dcrnn: units=0 must be a whole number from 1; "
        "Odd: model mmoe has no setting colour; it has "
    )
    assert sentence.endswith("; choose the others by --models, or another dataset")


def test_a_dataset_with_another_number_of_tasks_is_refused(dataset_folder, tmp_path):
    table = dataclasses.replace(dcrnn_tables.TABLE_2, tasks=("a", "b", "c"))
    with pytest.raises(
        command_line.UsageError, match=r"on 3 tasks, .* has 2 \(click, conversion\)"
    ):
        make.make(table, Settings(raw_dir=dataset_folder), tmp_path / "table")
    assert not (tmp_path / "table").exists()


# A table of three rows, made by a program of this test: `b` waits for the file `go`, and `c` fails
# where there is a file `fail`.
MAKE = """
from dcrnn_tf.system import command_line
from experiments.tables import make, spec

spec.PROGRAMS["fake"] = spec.Program("fake", "Fake")
table = spec.Table(
    name="fakes",
    title="Fakes",
    source="a test",
    dataset="Fakes",
    tasks=("click", "conversion"),
    columns=("mean",),
    baseline="a",
    rows=tuple(spec.Row(label, "fake") for label in "abc"),
    data="any",
    presets={"paper": spec.Preset(None, epochs=1, seeds=1, batch_size=8, learning_rate=0.1)},
)
settings = make.Settings(raw_dir=DATASET, parallel_runs=PARALLEL)
command_line.run(lambda: print(len(make.make(table, settings, "table").runs), "runs"))
"""
FAKE = """
import json, os, pathlib, sys, time
from tests.experiments.run_folders import write_run

folder = pathlib.Path(sys.argv[2].removeprefix("--run_dir="))
name = folder.parent.name
with open("started", "a") as file:
    file.write(f"{name} {os.getpid()}\\n")
if name == "c" and pathlib.Path("fail").exists():
    time.sleep(1)
    sys.exit("It hailed.")
while name == "b" and not pathlib.Path("go").exists():
    time.sleep(0.02)
write_run(folder, {"click": 0.7, "conversion": 0.6})
record = json.loads((folder / "run.json").read_text())
record["command"] = " ".join(["python", *sys.orig_argv[1:]])
(folder / "run.json").write_text(json.dumps(record))
"""


@pytest.fixture
def start(dataset_folder, tmp_path):
    """Starts the program that makes the table, in `tmp_path`."""
    (tmp_path / "fake.py").write_text(FAKE)

    def start(parallel: int = 1) -> subprocess.Popen:
        text = MAKE.replace("DATASET", repr(str(dataset_folder))).replace("PARALLEL", str(parallel))
        return subprocess.Popen(
            [sys.executable, "-c", text],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def started(folder: pathlib.Path) -> list[tuple[str, int]]:
    """Names and process numbers of the runs that were started."""
    path = folder / "started"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def wait_until(condition) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        status = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, -9),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_ended_by_a_signal_it_is_taken_up_and_repeats_no_finished_run(
    start, tmp_path, number, code
):
    process = start()
    wait_until(lambda: [name for name, _ in started(tmp_path)] == ["a", "b"])
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    if number != signal.SIGKILL:
        words = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Terminated"}[number]
        last = errors.rstrip().splitlines()[-1]
        assert last == f"{words}; the same command takes it up again or starts it over."
    assert "Traceback" not in errors
    wait_until(lambda: is_gone(started(tmp_path)[-1][1]))  # no run outlives the program
    first = tmp_path / "table" / "runs" / "a" / "seed_1" / "result.json"
    before = first.stat()

    (tmp_path / "go").touch()
    output, errors = start().communicate(timeout=120)
    assert output.endswith("3 runs\n"), errors
    assert [name for name, _ in started(tmp_path)] == ["a", "b", "b", "c"]
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    output, errors = start().communicate(timeout=120)
    assert output.endswith("3 runs\n"), errors
    assert len(started(tmp_path)) == 4


def test_a_run_that_fails_leaves_a_table_of_the_others(start, tmp_path):
    (tmp_path / "fail").touch()
    process = start(parallel=3)
    wait_until(lambda: len(started(tmp_path)) == 3 and is_gone(dict(started(tmp_path))["c"]))
    (tmp_path / "go").touch()  # `b` goes on all the same
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    reason = "c: seed 1 failed (It hailed. (see table/runs/c/seed_1.log))"
    assert errors.rstrip().splitlines()[-1] == (
        f"Error: {reason}; everything else is written, and the same command makes what is missing"
    )
    assert f"**Incomplete.** {reason}." in (tmp_path / "table" / "fakes.md").read_text()
    table = pd.read_csv(tmp_path / "table" / "fakes.csv").set_index(["row", "task"])
    assert table["auc_mean"].xs("click", level="task").fillna(0).to_dict() == {
        **{"a": 0.7, "b": 0.7, "c": 0.0},
    }
    # What failed is made, and nothing else is made again.
    (tmp_path / "fail").unlink()
    output, errors = start(parallel=3).communicate(timeout=120)
    assert output.endswith("3 runs\n"), errors
    assert sorted(name for name, _ in started(tmp_path)) == ["a", "b", "c", "c"]


def test_a_finished_run_of_another_command_is_refused(start, tmp_path):
    (tmp_path / "go").touch()
    output, errors = start().communicate(timeout=120)
    assert output.endswith("3 runs\n"), errors
    path = tmp_path / "table" / "runs" / "b" / "seed_1" / "run.json"
    path.write_text(path.read_text().replace("-m fake", "-m fake --seed=2"))
    process = start()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.rstrip().splitlines()[-1] == (
        "Error: table/runs/b/seed_1 was made with other settings than the table has now; remove "
        "that folder, or choose another --out_dir"
    )


LOADED = """
import sys
from dcrnn_tf.system import command_line
from experiments.runs import processes

def run_all(*_):
    heavy = ("tensorflow", "keras", "matplotlib", "scipy", "pandas", "polars")
    sys.exit(f"loaded: {[name for name in heavy if name in sys.modules]}")

processes.run_all = run_all
sys.argv = ["program", *ARGUMENTS]
import runpy
runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "table"),
    [
        ("experiments.reproduce", "table1"),
        ("experiments.dcrnn.online", "table3_offline"),
        ("experiments.dcrnn.study", "study_sharing_0"),
        ("experiments.dephn.figures", "dephn_figure3"),
    ],
)
def test_beside_its_runs_a_program_takes_little_memory(program, table, dataset_folder, tmp_path):
    """The libraries that are needed later are loaded later."""
    patch = (
        "from experiments.tables import datasets\n"
        f"datasets.make = lambda *_: {str(dataset_folder)!r}\n"
    )
    if program != "experiments.reproduce":  # one program checks its models, for all
        patch += "from experiments.tables import runs\nruns.check_models = lambda *_: None\n"
    arguments = [f"--out_dir={tmp_path}", "--preset=smoke"]
    arguments += ["--table=table1"] if program == "experiments.reproduce" else []
    text = LOADED.replace("ARGUMENTS", repr(arguments)).replace("PROGRAM", repr(program))
    done = subprocess.run(
        [sys.executable, "-c", patch + text], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stderr.rstrip().endswith("loaded: []"), done.stderr
