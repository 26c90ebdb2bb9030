"""The same seed gives the same bits, for each model of the registry.

That the initial weights follow the seed is in `test_models.py`; that a run which was interrupted
ends with the same bits is in `test_training.py`.
"""

import concurrent.futures
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.training.losses import multi_task_losses
from tests.dcrnn_tf.models.neighbours import neighbours_slow

ROOT = pathlib.Path(__file__).parents[3]
TASKS = ("click", "conversion")


@pytest.fixture(scope="module")
def batches(dataset_folder):
    dataset = PreparedDataset(dataset_folder)
    return dataset.schema, list(dataset.batches("train", 64, seed=1).take(3))


@pytest.mark.parametrize("name", neighbours_slow(models.names()))
def test_three_steps_from_the_same_start_give_the_same_bits(name, batches):
    schema, steps = batches
    losses = multi_task_losses(dict.fromkeys(TASKS, 3.0))
    keras.utils.set_random_seed(5)
    model = models.build(name, schema, embedding_dim=4)
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(model.trainable_variables)
    start = [variable.numpy() for variable in model.variables]  # the states of noise too
    runs = []
    for _ in range(2):
        for variable, value in zip(model.variables, start, strict=True):
            variable.assign(value)
        for features, labels in steps:
            with tf.GradientTape() as tape:
                logits = model.training_logits(features, labels)
                loss = sum(losses[task](labels[task], logits[task]) for task in TASKS)
                loss += sum(model.losses)
            gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
            optimizer.apply(gradients, model.trainable_variables)
        runs.append([variable.numpy() for variable in model.variables])
    assert not all(map(np.array_equal, start, runs[0]))
    for variable, first, second in zip(model.variables, *runs, strict=True):
        assert first.tobytes() == second.tobytes(), variable.path


def train(name, dataset_folder, run_dir):
    """Trains in a process of its own; the lines of metrics and the final weights."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "experiments.train", f"--model={name}"),
            *(f"--data_dir={dataset_folder}", f"--run_dir={run_dir}", "--set=embedding_dim=8"),
            *("--batch_size=256", "--epochs=2", "--log_every=1", "--learning_rate=0.01"),
            "--positive_weights=none",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("rows_per_second", None)
    newest = max((run_dir / "checkpoints").iterdir())
    reader = tf.train.load_checkpoint(str(newest / "variables"))
    names = [n for n in reader.get_variable_to_shape_map() if n.startswith(("model", "table"))]
    return lines, {name: reader.get_tensor(name).tobytes() for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("name", models.names())
def test_processes_side_by_side_give_the_same_bits(name, dataset_folder, tmp_path):
    """Three at a time, so that threads are late in any order."""
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda n: train(name, dataset_folder, tmp_path / str(n)), range(3)))
    (lines, weights), *others = runs
    assert len(lines) > 20
    assert len(weights) > 3
    for other_lines, other_weights in others:
        assert other_lines == lines
        assert other_weights == weights
