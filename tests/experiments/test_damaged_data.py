"""A flipped byte in a shard, met by every program that reads batches: one sentence, exit code 1."""

import shutil

import numpy as np
import pytest

from data_prep.storage.writer import DatasetWriter
from dcrnn_tf.dataset.schema import CATEGORICAL, Field, Task
from tests.damage import flip_byte
from tests.survival.programs import ForkServer

TRAINING = ("--model=shared_bottom", "--set=embedding_dim=2", "--epochs=1", "--batch_size=256")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def server(folder):
    with ForkServer(folder) as server:
        yield server


def damaged_copy(whole, folder, split):
    copy = shutil.copytree(whole, folder)
    (path,) = copy.glob(f"*-{split}.tfrecord-*")
    flip_byte(path)
    return copy


def assert_names(ended, dataset, split):
    *_, sentence = ended.said.strip().splitlines()
    assert ended.code == 1, ended.said
    assert "Traceback" not in ended.said
    assert sentence.startswith(f"Error: {dataset}/")
    assert f"-{split}.tfrecord-00000-of-00001 is not the file that was prepared" in sentence
    assert "(counted from 0) is damaged" in sentence


@pytest.mark.parametrize("split", [pytest.param("train", marks=pytest.mark.slow), "test"])
def test_training_and_its_evaluations(dataset_folder, folder, server, split):
    dataset = damaged_copy(dataset_folder, folder / f"train-{split}", split)
    run_dir = folder / f"run-{split}"
    ended = server.run(
        ["experiments.train", f"--data_dir={dataset}", f"--run_dir={run_dir}", *TRAINING]
    )
    assert_names(ended, dataset, split)


@pytest.mark.slow
def test_evaluation_of_a_trained_run(dataset_folder, folder, server):
    run_dir = folder / "sound"
    flags = [f"--data_dir={dataset_folder}", f"--run_dir={run_dir}", *TRAINING]
    ended = server.run(["experiments.train", *flags])
    assert ended.code == 0, ended.said
    dataset = damaged_copy(dataset_folder, folder / "evaluate", "test")
    flags = [f"--data_dir={dataset}", f"--run_dir={run_dir}"]
    assert_names(server.run(["experiments.evaluate", *flags]), dataset, "test")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("constant", "test"),  # of the training split it reads the schema's counts alone
        ("logistic_regression", "train"),
        pytest.param("logistic_regression", "test", marks=pytest.mark.slow),
        pytest.param("boosted_trees", "train", marks=pytest.mark.slow),
        pytest.param("boosted_trees", "test", marks=pytest.mark.slow),
    ],
)
def test_baselines(dataset_folder, folder, server, name, split):
    dataset = damaged_copy(dataset_folder, folder / f"{name}-{split}", split)
    flags = [f"--data_dir={dataset}", f"--run_dir={folder / name}-run-{split}"]
    assert_names(server.run([f"experiments.baselines.{name}", *flags]), dataset, split)


@pytest.mark.parametrize("form", ["disk", "predict"])
def test_the_contender_of_the_benchmarks(dataset_folder, folder, server, form):
    dataset = damaged_copy(dataset_folder, folder / form / "prepared", "train")
    ended = server.run(["benchmarks.ours", f"--workload={folder / form}", f"--form={form}"])
    assert_names(ended, dataset, "train")


@pytest.mark.parametrize("split", ["train", "test"])
def test_planting_of_relations(folder, server, split):
    whole = folder / f"criteo-{split}"
    random = np.random.default_rng(1)
    fields = (Field("c1", CATEGORICAL, 9),)
    with DatasetWriter(whole, "criteo", fields, (Task("click"),), seed=1) as writer:
        for name in ("train", "test"):
            ids = random.integers(9, size=3000)
            writer.add_rows(name, {"c1": ids, "click": random.random(3000) < ids / 9})
        writer.finish({}, {}, {})
    dataset = damaged_copy(whole, folder / f"relations-{split}", split)
    flags = [f"--data_dir={dataset}", f"--out_dir={folder / 'planted'}", "--epochs=1"]
    assert_names(server.run(["data_prep.criteo.relations", *flags]), dataset, split)
