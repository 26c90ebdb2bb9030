import dataclasses
import os
import pathlib
import subprocess
import sys
import time

import pytest

from dcrnn_tf.system import command_line
from experiments.tables import datasets
from experiments.tables.spec import Preset

PRESET = Preset(rows=5000, epochs=1, seeds=1, batch_size=64, learning_rate=1e-3)


@pytest.fixture
def calls(monkeypatch):
    """The programs that are called; each makes its output folder, as they do."""
    made = []

    def call(module, *arguments):
        pairs = (argument.removeprefix("--").partition("=") for argument in arguments)
        flags = {name: value for name, _, value in pairs}
        folder = pathlib.Path(flags["out_dir"])
        assert not folder.exists()
        folder.mkdir(parents=True)
        if module == "data_prep.criteo.simulate":
            (folder / "train.txt").touch()
        if module == "data_prep.ali_ccp.simulate":
            (folder / "sample_skeleton_train.csv").touch()
        if module == "data_prep.radio.simulate":
            (folder / "radio.yaml").touch()
        if module == "data_prep.criteo.relations":
            (folder / "criteo_r").mkdir()
            (folder / "criteo_ur").mkdir()
        made.append((module, flags))

    monkeypatch.setattr(datasets, "call", call)
    return made


def programs(calls):
    return [module.removeprefix("data_prep.") for module, _ in calls]


def test_simulated_ali_ccp(calls, tmp_path):
    folder = datasets.make("ali_ccp", PRESET, None, tmp_path)
    assert programs(calls) == ["ali_ccp.simulate", "ali_ccp"]
    (_, simulation), (_, preparation) = calls
    assert (simulation["train_rows"], simulation["test_rows"]) == ("5000", "3333")
    assert preparation == {
        "raw_dir": simulation["out_dir"],
        "out_dir": str(folder),
        "min_count": "10",
    }


@pytest.mark.parametrize("name", ["ali_ccp", "wechat", "criteo_r"])
def test_training_rows_for_validation_are_as_many_as_asked_for(calls, tmp_path, name):
    usual = datasets.make(name, PRESET, None, tmp_path)
    none = datasets.make(name, dataclasses.replace(PRESET, validation_fraction=0.0), None, tmp_path)
    assert none != usual
    preparations = [flags for module, flags in calls if "min_count" in flags]
    assert [flags.get("validation_fraction") for flags in preparations] == [None, "0"]


def test_simulated_wechat(calls, tmp_path):
    folder = datasets.make("wechat", PRESET, None, tmp_path)
    (_, simulation), (_, preparation) = calls
    assert programs(calls) == ["wechat.simulate", "wechat"]
    assert simulation["rows"] == "5000"
    assert preparation["raw_dir"] == simulation["out_dir"]
    assert preparation["out_dir"] == str(folder)


def test_both_criteos_come_of_one_simulation_and_one_call(calls, tmp_path):
    related = datasets.make("criteo_r", PRESET, None, tmp_path)
    unrelated = datasets.make("criteo_ur", PRESET, None, tmp_path)
    assert programs(calls) == ["criteo.simulate", "criteo", "criteo.relations"]
    (_, simulation), (_, preparation), (_, relations) = calls
    assert preparation["raw_dir"] == simulation["out_dir"]
    assert relations["data_dir"] == preparation["out_dir"]
    assert (relations["epochs"], relations["confidence_scale"]) == ("24", "auto")
    assert (related.name, unrelated.name) == ("criteo_r", "criteo_ur")
    assert str(related.parent) == str(unrelated.parent) == relations["out_dir"]


@pytest.mark.parametrize("name", datasets.SOURCES)
def test_what_is_there_is_not_made_again(calls, tmp_path, name):
    first = datasets.make(name, PRESET, None, tmp_path)
    done = len(calls)
    assert datasets.make(name, PRESET, None, tmp_path) == first
    assert len(calls) == done


def test_files_that_have_changed_are_prepared_anew(calls, tmp_path):
    file = tmp_path / "real" / "sample_skeleton_train.csv"
    file.parent.mkdir()
    file.write_text("1")
    first = datasets.make("ali_ccp", PRESET, tmp_path / "real", tmp_path)
    assert datasets.make("ali_ccp", PRESET, tmp_path / "real", tmp_path) == first
    file.write_text("12")
    assert datasets.make("ali_ccp", PRESET, tmp_path / "real", tmp_path) != first
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["ali_ccp", "wechat"])
def test_rows_of_real_data_are_drawn_when_they_are_prepared(calls, tmp_path, name):
    sample = datasets.make(name, PRESET, tmp_path / "real", tmp_path)
    whole = datasets.make(
        name, Preset(None, 1, 1, 64, 1e-3, min_count=3), tmp_path / "real", tmp_path
    )
    (_, drawn), (_, all_rows) = calls
    assert drawn["raw_dir"] == all_rows["raw_dir"] == str(tmp_path / "real")
    assert drawn["rows"] == "5000"
    assert "rows" not in all_rows
    assert all_rows["min_count"] == "3"
    assert sample != whole


def test_rows_of_real_criteo_are_refused(calls, tmp_path):
    with pytest.raises(command_line.UsageError, match="--rows is not for the real Criteo"):
        datasets.make("criteo_ur", PRESET, tmp_path, tmp_path)


def test_another_min_count_or_another_folder_is_another_dataset(calls, tmp_path):
    rare = Preset(5000, 1, 1, 64, 1e-3, min_count=2)
    folders = [
        datasets.make("wechat", PRESET, None, tmp_path),
        datasets.make("wechat", rare, None, tmp_path),
        datasets.make("wechat", PRESET, tmp_path / "a", tmp_path),
        datasets.make("wechat", PRESET, tmp_path / "b", tmp_path),
    ]
    assert len(set(folders)) == 4
    assert programs(calls).count("wechat.simulate") == 1


def test_simulated_radio_is_prepared_by_its_declaration(calls, tmp_path):
    folder = datasets.make("radio", PRESET, None, tmp_path)
    (_, simulation), (_, preparation) = calls
    assert programs(calls) == ["radio.simulate", "own_log"]
    assert simulation == {"out_dir": str(tmp_path / "simulated_radio-5000"), "rows": "5000"}
    assert preparation == {
        "declaration": f"{simulation['out_dir']}/radio.yaml",
        "raw_dir": simulation["out_dir"],
        "out_dir": str(folder),
    }


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("radio_correlation_0", {"nochained": "", "task_correlation": "0"}),
        ("radio_correlation_0.5", {"nochained": "", "task_correlation": "0.5"}),
        ("radio_correlation_0.9", {"nochained": "", "task_correlation": "0.9"}),
        ("radio_noise_0", {"feature_noise": "0"}),
        ("radio_noise_1", {"feature_noise": "1"}),
        ("radio_noise_3", {"feature_noise": "3"}),
    ],
)
def test_variants_of_radio_have_their_flags_and_folders(calls, tmp_path, name, flags):
    plain = datasets.make("radio", PRESET, None, tmp_path)
    variant = datasets.make(name, PRESET, None, tmp_path)
    (_, simulation), _ = calls[2:]
    assert (
        simulation == {"out_dir": str(tmp_path / f"simulated_{name}-5000"), "rows": "5000"} | flags
    )
    assert plain != variant


def test_an_own_log_is_prepared_by_the_declaration_beside_it(calls, tmp_path):
    raw = tmp_path / "own"
    raw.mkdir()
    preset = Preset(None, 1, 1, 64, 1e-3)
    with pytest.raises(command_line.UsageError, match=r"one declaration .* found none"):
        datasets.make("radio", preset, raw, tmp_path)
    (raw / "shop.yaml").touch()
    folder = datasets.make("radio", preset, raw, tmp_path)
    assert calls == [
        (
            "data_prep.own_log",
            {
                "declaration": str(raw / "shop.yaml"),
                "raw_dir": str(raw),
                "out_dir": str(folder),
            },
        )
    ]
    datasets.make("radio", dataclasses.replace(preset, min_count=2), raw, tmp_path)
    assert calls[1][1]["min_count"] == "2"
    no_validation = dataclasses.replace(preset, validation_fraction=0.0)
    assert datasets.make("radio", no_validation, raw, tmp_path) != folder
    assert calls[2][1]["validation_fraction"] == "0"
    (raw / "two.yaml").touch()
    with pytest.raises(command_line.UsageError, match=r"found shop\.yaml, two\.yaml"):
        datasets.make("radio", dataclasses.replace(preset, min_count=3), raw, tmp_path)


def test_an_own_dataset_that_is_prepared_is_used_as_it_is(calls, tmp_path):
    (tmp_path / "schema.json").touch()
    preset = Preset(None, 1, 1, 64, 1e-3)
    assert datasets.make("radio", preset, tmp_path) == tmp_path
    assert not calls
    with pytest.raises(command_line.UsageError, match="is a prepared dataset; prepare it anew"):
        datasets.make("radio", dataclasses.replace(preset, validation_fraction=0.0), tmp_path)


def test_rows_of_an_own_log_are_refused(calls, tmp_path):
    with pytest.raises(command_line.UsageError, match="--rows is not for a log of your own"):
        datasets.make("radio", PRESET, tmp_path, tmp_path)


def test_a_program_that_fails_ends_this_one(tmp_path):
    with pytest.raises(SystemExit) as end:
        datasets.call("data_prep.ali_ccp", f"--raw_dir={tmp_path}", f"--out_dir={tmp_path / 'x'}")
    assert end.value.code == 1


def test_terminated_it_ends_the_program_that_it_has_started(tmp_path):
    """A signal to the parent alone; the child says the one line."""
    (tmp_path / "child.py").write_text(
        "import pathlib, time\n"
        "from dcrnn_tf.system import command_line\n"
        "def main():\n"
        "    try:\n"
        "        pathlib.Path('ready').touch()\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        pathlib.Path('cleaned').touch()\n"
        "command_line.run(main)\n"
    )
    script = (
        "from dcrnn_tf.system import command_line\n"
        "from experiments.tables import datasets\n"
        "command_line.run(lambda: datasets.call('child'))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[3])},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert (tmp_path / "cleaned").exists()
    assert errors.strip() == "Terminated; the same command takes it up again or starts it over."
