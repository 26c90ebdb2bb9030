"""Parts of batches, sums over replicas, and two replicas in one process beside none."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.batch_parts import BatchParts
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.distribution import distribution
from dcrnn_tf.distribution.distribution import Distribution, DistributionError
from dcrnn_tf.distribution.heartbeat import Heartbeat
from dcrnn_tf.system.errors import WorkerLostError

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


def test_parts_are_the_batches(dataset):
    """The prices tell the rows apart; 3,000 rows leave a last batch of 184."""
    whole = [f["price"].numpy() for f, _ in dataset.batches("train", 256, seed=2)]
    parts = []
    for numbers in ((0, 2), (1,)):
        batches = dataset.batches("train", 256, seed=2, parts=BatchParts(numbers, 3))
        for step, (features, labels, shares) in enumerate(batches):
            for number, f, own, share in zip(numbers, features, labels, shares, strict=True):
                rows = f["price"].numpy()
                assert float(share) == pytest.approx(len(rows) / len(whole[step]), rel=1e-6)
                assert len(own["click"]) == len(f["user_row"]) == len(rows)
                assert len(np.unique(f["user_row"])) == len(f["age"])  # its own users alone
                parts.append((step, number, rows))
        assert len(batches) == len(whole)
    parts.sort(key=lambda part: part[:2])
    assert [len(rows) for _, _, rows in parts[:3]] == [85, 85, 86]
    found = np.concatenate([rows for _, _, rows in parts])
    np.testing.assert_array_equal(found, np.concatenate(whole))


def test_a_part_without_rows_gets_one_that_does_not_count(dataset):
    *_, last = dataset.batches("train", 1499, parts=BatchParts((0, 1, 2, 3), 4))
    features, labels, shares = last  # of two rows
    assert [float(share) for share in shares] == [0.0, 0.5, 0.0, 0.5]
    assert [len(part["price"]) for part in features] == [1, 1, 1, 1]
    assert [float(part["click"][0]) < 0 for part in labels] == [True, False, True, False]
    assert float(features[0]["price"][0]) == float(features[1]["price"][0])


def test_every_nth_batch(dataset):
    whole = [f["price"].numpy() for f, _ in dataset.batches("test", 64)]
    for n in range(3):
        some = dataset.batches("test", 64, every=(n, 3))
        assert len(some) == len(whole[n::3])
        for mine, other in zip(some, whole[n::3], strict=True):
            np.testing.assert_array_equal(mine[0]["price"], other)
    assert len(dataset.batches("test", 700, every=(1, 2))) == 0
    skipped = dataset.batches("test", 64, skip=2, every=(1, 2))
    assert [f["price"].numpy()[0] for f, _ in skipped] == [prices[0] for prices in whole[3::2]]


def test_gradients_are_weighed_and_repeated_rows_summed():
    slices = tf.IndexedSlices(
        tf.constant([[1.0, 2.0], [10.0, 20.0], [5.0, 5.0]]), tf.constant([7, 3, 7]), (9, 2)
    )
    table, dense, none = distribution.weigh([slices, tf.constant([4.0]), None], tf.constant(0.25))
    np.testing.assert_array_equal(table.indices, [7, 3])
    np.testing.assert_array_equal(table.values, [[1.5, 1.75], [2.5, 5.0]])
    np.testing.assert_array_equal(dense, [1.0])
    assert none is None


@pytest.mark.parametrize(
    "config",
    [
        None,
        "{",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": -1}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": true}}',
        '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": ["a:1"], "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_wrong_cluster_is_refused(monkeypatch, config):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(DistributionError, match=r"needs the environment variable TF_CONFIG, such"):
        distribution.build("multi_worker")


def test_a_lost_worker_is_named():
    several = Distribution()
    several.workers = 2
    with (
        pytest.raises(WorkerLostError, match=r"another one does not answer \(gone\)"),
        several.naming_lost_workers(),
    ):
        raise tf.errors.UnavailableError(None, None, "gone")
    of_keras = TypeError("AbortedError.__init__() missing 2 required positional arguments")
    of_keras.__context__ = tf.errors.AbortedError(None, None, "gone")
    with pytest.raises(WorkerLostError), several.naming_lost_workers():
        raise of_keras
    with pytest.raises(TypeError), several.naming_lost_workers():
        raise TypeError("a mistake")
    with pytest.raises(tf.errors.UnavailableError), Distribution().naming_lost_workers():
        raise tf.errors.UnavailableError(None, None, "gone")


def test_one_process_agrees_with_itself():
    alone = Distribution()
    assert (alone.replicas, alone.workers, alone.is_chief, alone.parts) == (1, 1, True, None)
    assert alone.agreed(15, step=3) == 15
    assert alone.agreed(None) is None


def test_a_heart_beats_once_a_second_at_most(tmp_path, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("dcrnn_tf.distribution.heartbeat.time.monotonic", lambda: now)
    heartbeat = Heartbeat(tmp_path / "beat")
    heartbeat.beat()
    os.utime(tmp_path / "beat", (1, 1))
    now += 0.5
    heartbeat.beat()
    assert (tmp_path / "beat").stat().st_mtime == 1
    now += 0.6
    heartbeat.beat()
    assert (tmp_path / "beat").stat().st_mtime > 1e9


def assert_same_figures(figures, others):
    """Equal but for rounding, which may exchange neighbours, or make two logits one: a pair a time.

    Of 60 positives and 440 negatives a pair is 4e-5 of the AUC; at rank 169 it moved the area under
    the precision-recall curve by 1e-5.
    """
    figures, others = dict(figures), dict(others)
    for name in ("auc", "average_precision"):
        assert figures.pop(name) == pytest.approx(others.pop(name), abs=1e-4)
    texts = [name for name, value in figures.items() if isinstance(value, str)]
    assert [figures.pop(name) for name in texts] == [others.pop(name) for name in texts]
    assert figures == pytest.approx(others, rel=1e-5)


# One strategy a process, and more than one processor device only before TensorFlow starts.
MIRRORED = """
import json, pathlib, sys
from dcrnn_tf.system import command_line
command_line.use_threads(0)
import keras, numpy as np, tensorflow as tf
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.distribution.distribution import Distribution
from dcrnn_tf.training import losses
from dcrnn_tf.training.trainer import Trainer, TrainingSettings

dataset = PreparedDataset(sys.argv[1])
weights = losses.positive_weights(dataset.schema)

def train(name, replicas, model, optimizer, settings, more=None):
    run = pathlib.Path(sys.argv[2], name)
    keras.utils.set_random_seed(1)
    chosen = TrainingSettings(
        epochs=2, batch_size=130, learning_rate=1e-3, log_every=5, embedding_optimizer=optimizer,
        **(more or {}),
    )
    with replicas.scope():
        built = models.build(model, dataset.schema, embedding_dim=8, **settings)
        trainer = Trainer(
            built, dataset, chosen, weights, run, distribution=replicas
        )
        trainer.train()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return trainer, lines

mirrored = Distribution(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1", "CPU:2"]))
found = []
for case in json.loads(sys.argv[3]):
    name = f"{len(found)}_"
    one, lines = train(name + "one", Distribution(), *case)
    three, others = train(name + "three", mirrored, *case)
    found.append({
        "steps": [one.steps, three.steps],
        "difference": max(
            float(np.abs(a.numpy() - b.numpy()).max())
            for a, b in zip(one._state().values(), three._state().values())
            if a.dtype.is_floating and a.shape.rank
        ),
        "apart": max(
            float(np.abs(copy.numpy() - v.value.values[0].numpy()).max())
            for v in three.model.variables for copy in v.value.values
        ),
        "lines": [lines, others],
    })
features, labels, shares = next(iter(three._batches()))
features[2]["price"] *= float("nan")  # of the last replica, whose finding the first one shares
with mirrored.scope():
    three.train_step(features, labels, shares)
found.append(three._step.guard.finding())
print(json.dumps(found))
"""
# Small, so that no ReLU's input lies within rounding of zero, where its gradient jumps. At its full
# width SNR has one such input in these steps, 1.4e-8 where the median is 0.05, and differs after.
OPTIONS = {
    "schedule": "cosine",
    "warmup": 5,
    "embedding_l2": 0.01,
    "dense_l2": 0.01,
    "embedding_weight_decay": 0.1,
    "weight_decay": 0.1,
    "clip_norm": 0.2,
    "clip_value": 0.05,
}
CASES = [
    ("mmoe", "adam_deferred", {"num_experts": 2, "expert_units": [8]}, OPTIONS),
    (
        "mmoe",
        "lazy_adam",
        {"num_experts": 2, "expert_units": [8], "normalization": "layer"},
        OPTIONS | {"weight_average": 0.9, "monitor": "validation/mean/auc", "evaluate_every": 10},
    ),
    ("mmoe", "lazy_adam", {"num_experts": 2, "expert_units": [8]}),
    ("mmoe", "adam_deferred", {"num_experts": 2, "expert_units": [8]}),
    ("dephn", "adagrad", {"expert_units": [8], "correlation_momentum": 0.5}),
    ("snr", "adam", {"num_subnetworks": 3, "level_units": [8, 8], "tower_units": [8]}),
]


@pytest.mark.slow
def test_three_replicas_train_as_one_does(dataset_folder, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, dataset_folder, tmp_path, json.dumps(CASES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *runs, finding = json.loads(done.stdout)
    assert finding.startswith("at step 49 ")
    assert "is not finite" in finding
    for (model, *_), found in zip(CASES, runs, strict=True):
        assert found["steps"] == [48, 48], model  # of 130 rows, and a last one of 10
        assert found["difference"] < 1e-6, model
        assert found["apart"] == 0, model
        for one, three in zip(*found["lines"], strict=True):
            for kind in ("losses", "statistics"):
                assert three.get(kind, {}) == pytest.approx(one.get(kind, {}), rel=1e-5), model
            for task in one.get("metrics", {}):
                assert_same_figures(three["metrics"][task], one["metrics"][task])
