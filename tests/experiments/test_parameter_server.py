"""A shard of the embedding table in the memory of another process."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.experiments.test_launch import lines, variables

ROOT = pathlib.Path(__file__).parents[2]
FLAGS = ["--model=mmoe", "--set=embedding_dim=8", "--epochs=1", "--batch_size=250", "--log_every=3"]


def train(folder, run_dir, *flags):
    command = [sys.executable, "-m", "experiments.train", f"--data_dir={folder}"]
    command += [f"--run_dir={run_dir}", *FLAGS, *flags]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def server():
    address = f"127.0.0.1:{random.SystemRandom().randrange(10_000, 32_000)}"
    command = [sys.executable, "-m", "experiments.parameter_server", f"--address={address}"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout.readline() == f"Serving at {address}.\n"
    yield process, address
    process.terminate()
    assert process.wait(timeout=30) in (143, -signal.SIGKILL)


@pytest.mark.slow
def test_a_table_on_two_machines_is_trained_to_the_same_bits(dataset_folder, tmp_path, server):
    process, address = server
    away = [
        "--set=table_shards=3",
        f"--parameter_servers={address}",
        "--table_devices=CPU:0,/job:ps/task:0",
    ]
    trainings = [
        train(dataset_folder, tmp_path / "whole"),
        train(dataset_folder, tmp_path / "away", *away),
    ]
    for training in trainings:
        _, errors = training.communicate(timeout=300)
        assert training.returncode == 0, errors
    assert lines(tmp_path / "away") == lines(tmp_path / "whole")
    mine, other = variables(tmp_path / "away"), variables(tmp_path / "whole")
    for before in ("model_", "momentum", "velocity"):
        (whole,) = (v for name, v in other.items() if before in name and re.search("table", name))
        shards = [v for name, v in sorted(mine.items()) if before in name and "table_" in name]
        assert [shard.shape[0] for shard in shards] == [24, 23, 23]
        rows = [shards[row % 3][row // 3] for row in range(70)]
        np.testing.assert_array_equal(rows, whole)

    command = [sys.executable, "-m", "experiments.evaluate", f"--run_dir={tmp_path / 'away'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)  # without the server
    result = json.loads((tmp_path / "whole" / "result.json").read_text())
    assert json.loads(done.stdout)["metrics"] == result["metrics"]["test"], done.stderr

    training = train(dataset_folder, tmp_path / "cut", *away, "--epochs=1000")
    deadline = time.monotonic() + 200
    while not (tmp_path / "cut" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    _, errors = training.communicate(timeout=300)
    assert training.returncode == 75
    assert errors.splitlines()[-1].startswith("Error: this process cannot go on, since another")
