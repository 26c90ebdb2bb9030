"""Ali-CCP on Beam, against the preparation on one machine."""

import errno
import gzip
import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("apache_beam")

import apache_beam as beam

from data_prep.ali_ccp.preparation import prepare as prepare_alone
from data_prep.ali_ccp.preparation import summary
from data_prep.ali_ccp.settings import Settings
from data_prep.beam import counting, shuffle
from data_prep.beam.ali_ccp import reading
from data_prep.beam.ali_ccp.preparation import prepare
from data_prep.beam.stage import pipeline_options, replaced, run_stage
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.command_line import UsageError
from tests.data_prep.ali_ccp.test_preparation import chosen, damaged, log, made, raw  # noqa: F401
from tests.data_prep.beam.same import assert_same

BLOCK_BYTES = 3000  # the random log has about a hundred such blocks
TWO_WORKERS = "--direct_num_workers=2 --direct_running_mode=multi_processing"


def copied(folder, target, pack=False):
    target.mkdir()
    for path in folder.iterdir():
        if pack:
            (target / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        else:
            (target / path.name).write_bytes(path.read_bytes())
    return target


def with_bad_lines(folder):
    """Faults of many kinds, and a last line without line feed."""
    skeleton = (folder / "sample_skeleton_train.csv").read_bytes().splitlines()
    common = (folder / "common_features_train.csv").read_bytes().splitlines()
    damaged(folder, "sample_skeleton_train", 40, skeleton[39].replace(b",0000", b",zzzz"))
    damaged(folder, "sample_skeleton_train", 41, skeleton[40].replace(b",", b";", 1))
    damaged(folder, "sample_skeleton_train", 600, b"600,0,2,0,0,")
    damaged(folder, "common_features_train", 7, common[2])  # user 2 again, and 6 not at all
    damaged(folder, "common_features_test", 9, b"\xff,0,")
    with open(folder / "sample_skeleton_test.csv", "ab") as file:
        file.write(b"1,0,0,no line feed,0,")
    return folder


@pytest.mark.slow
def test_same_as_on_one_machine_bad_lines_and_all(log, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(reading, "PARTITION_BYTES", 40_000)
    monkeypatch.setattr(counting, "ROWS_PER_PARTITION", 300)
    monkeypatch.setattr(shuffle, "SHARD_ROWS", 128)
    plain = with_bad_lines(copied(log[0], tmp_path / "plain"))
    settings = Settings(
        max_values=3, min_count=2, validation_fraction=0.2, seed=9, max_bad_lines=200
    )
    alone = prepare_alone(plain, tmp_path / "alone", settings)
    assert len(alone.filters["bad_lines"]) == 5
    schema = prepare(plain, tmp_path / "beam", settings, block_bytes=BLOCK_BYTES)
    assert len(schema.split("train").shards) > 3
    assert_same(tmp_path / "alone", tmp_path / "beam", entities=False)
    assert summary(schema) == summary(alone)

    packed = copied(plain, tmp_path / "packed", pack=True)
    other = prepare(packed, tmp_path / "other", settings, block_bytes=BLOCK_BYTES)
    assert other.splits == schema.splits  # to the bit
    assert other.entities == schema.entities
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("alone", "beam", "other", "packed", "plain")
    ]


def test_settings_mean_the_same(log, tmp_path):  # noqa: F811
    settings = Settings(
        chosen("109_14", "205", "853", "508"),
        min_count=1,
        keep_feature_value=True,
        keep_conversions_without_click=True,
        rows=300,
        seed=3,
    )
    prepare_alone(log[0], tmp_path / "alone", settings)
    prepare(log[0], tmp_path / "beam", settings)
    assert_same(tmp_path / "alone", tmp_path / "beam")


@pytest.mark.parametrize(
    ("file", "line", "text"),
    [
        ("sample_skeleton_train", 4, b"4,0,0,c,0,"),
        ("common_features_train", 2, b"a,0,"),
        ("sample_skeleton_test", 1, b"1," + b"9" * 200),
        ("common_features_test", 1, None),
    ],
)
def test_a_bad_line_is_named_as_on_one_machine(raw, tmp_path, file, line, text):  # noqa: F811
    if text is None:
        (raw / f"{file}.csv").write_bytes(b"")
    else:
        damaged(raw, file, line, text)
    messages = []
    for prepare_somehow, how in ((prepare_alone, {}), (prepare, {"block_bytes": 150})):
        with pytest.raises(DatasetError) as error:
            prepare_somehow(raw, tmp_path / "out", made(), **how)
        messages.append(str(error.value))
    if b"99" not in (text or b""):  # one machine's blocks are of another size
        assert messages[0] == messages[1]
    assert f"{file}.csv" in messages[1]
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_a_damaged_gz_file_is_named(raw, tmp_path):  # noqa: F811
    path = raw / "sample_skeleton_train.csv"
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    path.with_name(path.name + ".gz").write_bytes(packed[:-10])
    with pytest.raises(DatasetError, match=r"csv\.gz, after line \d+: the \.gz file is truncated"):
        prepare(raw, tmp_path / "out", made(), block_bytes=50)


def test_a_file_that_the_system_does_not_give_is_named(raw, tmp_path, monkeypatch):  # noqa: F811
    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(reading, "read_block", broken)
    with pytest.raises(DatasetError, match=r"train\.csv cannot be read or written \(Input/output"):
        prepare(raw, tmp_path / "out", made())


# ---- killed, and on a full disk

KILL = """
import os, signal, sys
from data_prep.ali_ccp.settings import Settings
from data_prep.beam import shuffle
from data_prep.beam.ali_ccp.preparation import prepare
shuffle.write_shard = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
prepare(*sys.argv[1:], Settings(min_count=2))
"""


@pytest.mark.slow
def test_a_killed_preparation_leaves_no_dataset_and_is_taken_up(log, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "out"
    program = [sys.executable, "-c", KILL, str(log[0]), str(out)]
    killed = subprocess.run(program, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists()

    prepare(log[0], out, Settings(min_count=2))
    said = capsys.readouterr().out
    assert "out.work, left behind by a preparation that was interrupted" in said
    assert "Removing" in said
    assert "out.partial, left behind" in said
    assert "reading" not in said
    assert "counting" not in said
    prepare_alone(log[0], tmp_path / "alone", Settings(min_count=2))
    assert_same(tmp_path / "alone", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "out"]


def test_a_full_disk_is_named_and_nothing_left(tmp_path):
    def no_room(_):
        with replaced(tmp_path / "file") as partial:
            partial.write_text("half a file")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left") as error:
        run_stage(
            pipeline_options(""),
            tmp_path,
            lambda pipeline: {"one": pipeline | beam.Create([1]) | beam.Map(no_room)},
        )
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


# ---- options and program


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--direct_num_workers=two", "invalid int value: 'two'"),
        ("--no_such_option=1", "Beam has no option --no_such_option"),
        ("--runner=Nothing", "Unexpected pipeline runner: Nothing"),
        ("stray", "'stray' belongs to no option"),
        ("'", "No closing quotation"),
    ],
)
def test_a_mistake_in_the_options_is_named(text, message):
    with pytest.raises(UsageError, match=message):
        pipeline_options(text)


def run(*arguments):
    command = [sys.executable, "-m", "data_prep.beam.ali_ccp", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_program_prepares_and_says_so(raw, tmp_path):  # noqa: F811
    done = run(
        *(f"--raw_dir={raw}", f"--out_dir={tmp_path / 'out'}", "--fields=205,210"),
        *("--min_count=1", "--validation_fraction=0", "--beam_options=--runner=DirectRunner"),
    )
    assert done.returncode == 0, done.stderr
    assert "3/3 writing" in done.stdout
    assert "train split: 3 rows, 2 clicks, 1 conversions" in done.stdout
    schema = prepare_alone(raw, tmp_path / "alone", made(fields=chosen("205", "210")))
    assert schema.entities == {}  # without fields of users
    assert_same(tmp_path / "alone", tmp_path / "out")


def test_a_missing_file_gets_one_sentence(raw, tmp_path):  # noqa: F811
    (raw / "common_features_test.csv").unlink()
    done = run(f"--raw_dir={raw}", f"--out_dir={tmp_path / 'out'}")
    assert done.returncode == 1
    sentences = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(sentences) == 1
    assert "neither common_features_test.csv nor common_features_test.csv.gz" in sentences[0]
    assert "Traceback" not in done.stderr


def test_without_beam_the_program_says_what_to_install(raw, tmp_path):  # noqa: F811
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'apache_beam' else find(name, *a)\n"
        "sys.argv[0] = 'data_prep.beam.ali_ccp'\n"
        "import runpy; runpy.run_module('data_prep.beam.ali_ccp', run_name='__main__')\n"
    )
    command = [sys.executable, "-c", code, f"--raw_dir={raw}", f"--out_dir={tmp_path / 'out'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Error: Apache Beam is not installed; install it with pip install" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_two_worker_processes_write_the_same_bits(log, tmp_path):  # noqa: F811
    settings = Settings(min_count=2)
    one = prepare(log[0], tmp_path / "one", settings, block_bytes=BLOCK_BYTES)
    options = pipeline_options(TWO_WORKERS)
    two = prepare(log[0], tmp_path / "two", settings, options, block_bytes=BLOCK_BYTES)
    assert one.fingerprint == two.fingerprint
