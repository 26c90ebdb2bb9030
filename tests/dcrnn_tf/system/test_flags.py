"""Flags made from dataclasses: values, refusals, former names, files of values."""

import dataclasses
import json
import sys
from collections.abc import Mapping

import pytest
from absl import flags as absl_flags

from dcrnn_tf.system import command_line
from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.system.settings import changes, check, given, required, rules, setting


@dataclasses.dataclass(frozen=True)
class Settings:
    raw_dir: str = required("Folder of the raw files.", former="data_dir")
    out_dir: str = required("Folder of the result.")
    rows: int | None = setting(None, "Number of rows; all by default.", lower=1)
    share: float = setting(0.25, "Share of the rows.", lower=0.0, upper=0.9)
    form: str = setting("log", "Form of the numbers.", choices=("log", "standard"))
    days: tuple[int, ...] = setting((), "Days to use.", noun="days, such as 13,14")
    names: tuple[str, ...] | None = setting(None, "Names of the fields.")
    keep: bool = setting(True, "Whether rows are kept.")
    set: Mapping[str, object] = setting({}, "A setting as NAME=VALUE.")
    made: int = dataclasses.field(default=7)  # no setting of a user's


GIVEN = ("--raw_dir=a", "--out_dir=b")


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a program with these flags; returns its settings, or its exit code and last line."""

    def program(*arguments, translate=None):
        read = []
        monkeypatch.setattr(sys, "argv", ["program", *arguments])
        before = set(absl_flags.FLAGS)
        with pytest.raises(SystemExit) as end:
            command_line.run(read.append, Settings, translate=translate)
        for name in set(absl_flags.FLAGS) - before:
            delattr(absl_flags.FLAGS, name)
        errors = capsys.readouterr().err
        if read:
            return read[0], errors
        assert end.value.code == 1
        (line,) = errors.splitlines()
        return line

    return program


def test_what_is_not_given_has_its_default(run):
    settings, errors = run(*GIVEN)
    assert settings == Settings("a", "b")
    assert (settings.days, settings.set, settings.made, errors) == ((), {}, 7, "")


def test_values_have_the_types_of_their_fields(run):
    settings, _ = run(
        *GIVEN,
        *("--rows=5", "--share=0.5", "--form=standard", "--days=13,14", "--names=x, y"),
        *("--nokeep", "--set=units=[8, 4]", "--set=rate=1e-5", "--set=cell=lstm", "--set=no=true"),
    )
    assert dataclasses.asdict(settings) == {
        "raw_dir": "a",
        "out_dir": "b",
        "rows": 5,
        "share": 0.5,
        "form": "standard",
        "days": (13, 14),
        "names": ("x", "y"),
        "keep": False,
        "set": {"units": [8, 4], "rate": 1e-5, "cell": "lstm", "no": True},
        "made": 7,
    }


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ((), "--raw_dir and --out_dir must be given"),
        (("--raw_dir=a",), "--out_dir must be given"),
        ((*GIVEN, "--rows=0"), "--rows=0 must be an integer of at least 1"),
        ((*GIVEN, "--rows=1.5"), "--rows=1.5 must be an integer of at least 1"),
        ((*GIVEN, "--share=0.95"), "--share=0.95 must be a finite number from 0 to 0.9"),
        ((*GIVEN, "--share=nan"), "--share=nan must be a finite number from 0 to 0.9"),
        ((*GIVEN, "--form=lin"), "--form=lin must be one of log, standard"),
        ((*GIVEN, "--days=13,x"), "--days=13,x must be days, such as 13,14"),
        ((*GIVEN, "--keep=perhaps"), "--keep=perhaps must be true or false"),
        ((*GIVEN, "--set=units"), "--set=units must be NAME=VALUE, such as units=64"),
        ((*GIVEN, "--set=a=2020-13-01"), "--set=a=2020-13-01 has a value that cannot be read"),
        ((*GIVEN, "--set=a=1", "--set=a=2"), "--set=a=... is given twice"),
        ((*GIVEN, "--made=1"), "Unknown command line flag 'made'"),
    ],
)
def test_other_values_are_refused_in_one_sentence(run, flags, sentence):
    assert run(*flags).startswith(f"Error: {sentence}")


def test_a_former_name_is_understood_with_a_notice(run):
    settings, errors = run("--data_dir=a", "--out_dir=b")
    assert settings.raw_dir == "a"
    assert errors == "--data_dir is now called --raw_dir; the former name still works.\n"
    settings, _ = run("--data_dir=a", "--raw_dir=a", "--out_dir=b")
    assert settings.raw_dir == "a"
    assert run("--data_dir=c", *GIVEN) == (
        "Error: --raw_dir=a and its former name --data_dir=c differ; give --raw_dir alone"
    )


def test_help_says_what_each_flag_means_and_takes(run, capsys, monkeypatch):
    printed = []
    monkeypatch.setattr("absl.app.usage", lambda *_, **__: printed.append(absl_flags.FLAGS))
    monkeypatch.setattr(sys, "argv", ["program", *GIVEN])

    def main(_):
        printed.append(absl_flags.FLAGS.main_module_help())

    before = set(absl_flags.FLAGS)
    with pytest.raises(SystemExit):
        command_line.run(main, Settings)
    for name in set(absl_flags.FLAGS) - before:
        delattr(absl_flags.FLAGS, name)
    (text,) = printed
    words = " ".join(text.split())
    assert "--out_dir: Folder of the result. --raw_dir" in words
    assert "--share: Share of the rows. (default: '0.25') (a finite number from 0 to 0.9)" in words
    assert "--[no]keep: Whether rows are kept. (default: 'true')" in words
    assert "--data_dir: Former name of --raw_dir." in words
    assert "made" not in words


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return f"--config={path}"


def test_a_file_gives_what_the_command_line_leaves_out(run, tmp_path):
    config = write(
        tmp_path / "config.yaml",
        "raw_dir: from_file\nrows: 7\nshare: 1e-1\ndays: [13, 14]\nnames: [101, x]\nkeep: false\n"
        "set: {units: 8, cell: lstm}\n",
    )
    settings, _ = run(config, "--out_dir=b", "--rows=9", "--set=units=4", "--set=rate=0.5")
    assert settings == Settings(
        "from_file",
        "b",
        rows=9,
        share=0.1,
        days=(13, 14),
        names=("101", "x"),
        keep=False,
        set={"units": 4, "cell": "lstm", "rate": 0.5},
    )


def test_numbers_of_a_json_file_are_exact(run, tmp_path):
    config = write(tmp_path / "config.json", {"share": 1e-05, "rows": None, "set": {"a": 1e-05}})
    settings, _ = run(config, *GIVEN)
    assert (settings.share, settings.rows, settings.set) == (1e-05, None, {"a": 1e-05})


def test_a_file_may_use_former_names(run, tmp_path):
    settings, errors = run(write(tmp_path / "c.json", {"data_dir": "a"}), "--out_dir=b")
    assert settings.raw_dir == "a"
    assert "--data_dir is now called --raw_dir" in errors
    settings, _ = run(write(tmp_path / "c.json", {"data_dir": "c"}), *GIVEN)
    assert settings.raw_dir == "a"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"row": 5}, "{path}: 'row' is not a flag; did you mean 'rows'?"),
        ({"rows": 0}, "{path}: rows: 0 must be an integer of at least 1"),
        ({"rows": True}, "{path}: rows: True must be an integer of at least 1"),
        ({"share": None}, "{path}: share: None must be a finite number from 0 to 0.9"),
        ({"raw_dir": 5}, "{path}: raw_dir: 5 must be a text"),
        ({"names": {"a": 1}}, "{path}: names: {{'a': 1}} must be a comma-separated list"),
        ({"set": [1]}, "{path}: set: [1] must be NAME=VALUE"),
        ([1], "--config={path} must be a JSON or YAML file that maps flags to values"),
        ("a: [", "--config={path} must be a JSON or YAML file that maps flags to values"),
        ("", "--config={path} must be a JSON or YAML file that maps flags to values"),
    ],
)
def test_files_that_cannot_be_are_refused_in_one_sentence(run, tmp_path, content, sentence):
    path = tmp_path / "config.json"
    sentence = f"Error: {sentence.format(path=path)}"
    assert run(write(path, content), *GIVEN).startswith(sentence)


def test_a_missing_file_and_one_that_is_no_text(run, tmp_path):
    path = tmp_path / "config.json"
    assert run(f"--config={path}", *GIVEN) == (
        f"Error: {path} cannot be read or written (No such file or directory)"
    )
    path.write_bytes(b"\xff\xfe")
    assert "must be a JSON or YAML file" in run(f"--config={path}", *GIVEN)


def test_a_program_may_translate_its_file(run, tmp_path):
    config = write(tmp_path / "config.json", {"settings": {"units": 8}})
    settings, _ = run(config, *GIVEN, translate=lambda content: {"set": content["settings"]})
    assert settings.set == {"units": 8}


def test_settings_made_in_python_are_checked_too():
    check(Settings("a", "b", rows=1, share=0.9))
    with pytest.raises(UsageError, match=r"--share=0\.95 must be a finite number"):
        check(Settings("a", "b", share=0.95))
    with pytest.raises(UsageError, match="--rows=0 must be an integer of at least 1"):
        check(Settings("a", "b", rows=0))


def test_changes_of_a_preset():
    preset = Settings("a", "b", share=0.5)
    few = changes(Settings, "rows", "share")
    assert list(rules(few)) == ["rows", "share"]
    assert few() == few(rows=None, share=None)
    changed = dataclasses.replace(preset, **given(few(rows=3)))
    assert changed == Settings("a", "b", rows=3, share=0.5)
    with pytest.raises(UsageError, match="--rows=0 must be an integer of at least 1"):
        check(few(rows=0))
