"""Several processes that train together, as a user starts them."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.training.trainer import TrainingSettings
from tests.conftest import write_dataset
from tests.dcrnn_tf.distribution.test_distribution import assert_same_figures
from tests.dcrnn_tf.training.test_trainer import make_trainer

ROOT = pathlib.Path(__file__).parents[2]
# 53 steps; the last one of each epoch has one row, which leaves one of two workers without any.
ROWS = {"train": 3329, "validation": 300, "test": 700}
SETTINGS = TrainingSettings(
    epochs=1, batch_size=64, learning_rate=1e-3, log_every=7, checkpoint_every=10
)
FLAGS = [
    "--model=shared_bottom",
    "--set=embedding_dim=8",
    "--batch_size=64",
    "--learning_rate=0.001",
    "--log_every=7",
    "--checkpoint_every=10",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "tiny", ROWS)


def start(folder, run_dir, *flags, launch=("--workers=2", "--hang_seconds=60")):
    command = [sys.executable, "-m", "experiments.launch", *launch, "--"]
    command += [f"--data_dir={folder}", f"--run_dir={run_dir}", *FLAGS, *flags]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def variables(run_dir):
    newest = max((run_dir / "checkpoints").glob("step_*"))
    reader = tf.train.load_checkpoint(str(newest / "variables"))
    names = [n for n in reader.get_variable_to_shape_map() if n.startswith(("model", "table", "o"))]
    return {name: reader.get_tensor(name) for name in names}


def lines(run_dir):
    content = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if key != "rows_per_second"}
        for line in content
    ]


@pytest.mark.slow
def test_two_processes_train_as_one_does(folder, tmp_path):
    # FM has no rectifier, whose input may lie on the other side of zero in a sum of other order.
    process = start(folder, tmp_path / "two", "--epochs=1", "--model=fm")
    alone = make_trainer(PreparedDataset(folder), tmp_path / "one", SETTINGS, "fm")
    alone.train()
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "test click: AUC" in output

    mine, other = variables(tmp_path / "two"), variables(tmp_path / "one")
    assert mine.keys() == other.keys()
    for name in other:
        np.testing.assert_allclose(mine[name], other[name], rtol=0, atol=1e-6, err_msg=name)
    assert [line["step"] for line in lines(tmp_path / "two")] == [7, 14, 21, 28, 35, 42, 49, 53]
    for ours, theirs in zip(lines(tmp_path / "two"), lines(tmp_path / "one"), strict=True):
        if ours["kind"] == "train":
            assert ours["losses"] == pytest.approx(theirs["losses"], rel=1e-6)
        for task in ours.get("metrics", {}):
            assert_same_figures(ours["metrics"][task], theirs["metrics"][task])

    # One process that reads their checkpoint finds what they have found, to the bit.
    step = alone.restore()
    again = make_trainer(PreparedDataset(folder), tmp_path / "two", SETTINGS, "fm")
    assert again.restore() == step == 53
    figures = json.loads((tmp_path / "two" / "result.json").read_text())["metrics"]["test"]
    assert again.evaluate("test") == figures


def wait_for_step(process, run_dir, step):
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if (run_dir / "metrics.jsonl").exists():
            steps = [line["step"] for line in lines(run_dir)]
            if steps and steps[-1] >= step:
                return
        time.sleep(0.002)
    raise AssertionError("it ended before it could be stopped")


def workers_of(process):
    """Process numbers of the workers, in their order."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(number) for number in children.read_text().split()]


@pytest.fixture(scope="module")
def undisturbed(folder, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "undisturbed"
    process = start(folder, run_dir, "--epochs=4")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return run_dir


@pytest.mark.slow
@pytest.mark.parametrize("worker", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_after_a_death_or_a_hang_it_ends_with_the_same_bits(
    folder, undisturbed, tmp_path, worker, number
):
    run_dir = tmp_path / "run"
    process = start(folder, run_dir, "--epochs=4", launch=("--workers=2", "--hang_seconds=40"))
    wait_for_step(process, run_dir, random.randrange(10, 150))
    os.kill(workers_of(process)[worker], number)
    output, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    if number == signal.SIGKILL:
        assert f"Worker {worker} was ended by SIGKILL" in output
    else:  # TensorFlow may find out before the supervisor does
        assert "not got on for 40 seconds" in output or "lost another one" in output
    assert "(restart 1 of 3)" in output
    assert "Going on from the checkpoint of step" in output
    assert "Traceback" not in errors
    assert lines(run_dir) == lines(undisturbed)
    mine, other = variables(run_dir), variables(undisturbed)
    for name in other:
        np.testing.assert_array_equal(mine[name], other[name])


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_leaves_a_checkpoint_and_one_line(
    folder, undisturbed, tmp_path, number, code
):
    run_dir = tmp_path / "run"
    process = start(folder, run_dir, "--epochs=4")
    wait_for_step(process, run_dir, 30)
    process.send_signal(number)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == code
    newest = int(max((run_dir / "checkpoints").glob("step_*")).name[5:])
    assert newest % 10 == 0 or newest % 53 == 0
    assert errors.splitlines()[-1].endswith(
        f"at step {newest}, of which there is a checkpoint; the same command goes on from it."
    )
    assert "Traceback" not in errors
    process = start(folder, run_dir, "--epochs=4")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert lines(run_dir) == lines(undisturbed)
    mine, other = variables(run_dir), variables(undisturbed)
    for name in other:
        np.testing.assert_array_equal(mine[name], other[name])


@pytest.mark.slow
def test_a_mistake_is_told_once(folder, tmp_path):
    process = start(folder, tmp_path / "run", "--set=colour=red")
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    assert sum(line.startswith("Error: ") for line in errors.splitlines()) == 1
    assert "has no setting colour" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("program", "flags", "sentence"),
    [
        ("launch", ["--", "--strategy=none"], "--strategy=none is set by experiments.launch"),
        ("launch", ["--workers=0"], "workers"),
        ("launch", ["stray"], "unexpected argument 'stray'"),
        (
            "train",
            ["--data_dir=d", "--run_dir=r", "--strategy=mirrored", "--jit_compile"],
            "--strategy=mirrored does not go with --jit_compile",
        ),
    ],
)
def test_bad_flags_get_one_sentence(program, flags, sentence):
    done = subprocess.run(
        [sys.executable, "-m", f"experiments.{program}", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert sentence in last
    assert "Traceback" not in done.stderr
