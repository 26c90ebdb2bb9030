import json

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.models import Explanation
from experiments.runs.explanations import collect
from tests.experiments.page import Page
from tests.experiments.test_train import run


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


class Prices:
    """Stands for a model: `price` is 0.00, 0.01, 0.02 and so on, by the row of the split."""

    def __init__(self):
        self.batches = []

    def explain(self, features):
        price = features["price"]
        self.batches.append(len(price))
        values = tf.stack([tf.stack([price, -price], 1), tf.stack([price**2, price * 0], 1)], 1)
        constant = tf.constant([[1.0, 2.0, 1 / 3]])
        return {
            "prices": Explanation(values, ("click", "conversion"), ("one", "other")),
            "vectors": Explanation(constant, ("step",), ("a", "b", "c")),
        }


def prices(dataset, split):
    batches = dataset.batches(split, 4096)
    return np.concatenate([features["price"] for features, _ in batches]).astype(np.float64)


@pytest.mark.parametrize(
    ("rows", "looked_at", "batches"),
    [(4096, 3000, [1024, 1024, 952]), (1500, 1500, [1024, 1024]), (7, 7, [7])],
)
def test_means_and_deviations_over_the_first_rows(dataset, rows, looked_at, batches):
    model = Prices()
    found = collect(model, dataset, "train", rows)
    assert model.batches == batches
    assert list(found) == ["prices", "vectors"]
    price = prices(dataset, "train")[:looked_at]
    content = found["prices"]
    assert (content["rows"], content["columns"]) == (["click", "conversion"], ["one", "other"])
    square = price**2
    mean = [[price.mean(), -price.mean()], [square.mean(), 0]]
    std = [[price.std(), price.std()], [square.std(), 0]]
    np.testing.assert_allclose(content["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(content["std"], std, rtol=1e-5)


def test_what_is_the_same_for_all_has_no_deviation(dataset):
    found = collect(Prices(), dataset, "test")
    assert found["vectors"] == {
        "rows": ["step"],
        "columns": ["a", "b", "c"],
        "mean": [[1.0, 2.0, 0.333333]],
        "std": None,
    }
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["mmoe", "ple"])
def test_gates_of_a_model_sum_to_one(dataset, name, policy):
    schema = dataset.schema
    model = models.model_class(name)(
        schema.fields, schema.task_names, embedding_range=0.5, dtype=policy
    )
    model.build()
    for content in collect(model, dataset, "validation").values():
        mean = np.array(content["mean"])
        assert mean.shape == (len(content["rows"]), len(content["columns"]))
        tolerance = 1e-4 if policy == "float32" else 0.01
        np.testing.assert_allclose(mean.sum(axis=1), 1, rtol=tolerance)
        assert np.max(content["std"]) > 0


def test_a_model_that_explains_nothing(dataset):
    assert collect(models.build("shared_bottom", dataset.schema), dataset, "test") == {}


@pytest.mark.slow
def test_training_leaves_it_in_the_run_folder_and_the_report(dataset_folder, tmp_path):
    run_dir = tmp_path / "run"
    flags = [f"--data_dir={dataset_folder}", f"--run_dir={run_dir}", "--model=snr", "--epochs=1"]
    code, _, errors = run("experiments.train", *flags, "--batch_size=200", "--log_every=5")
    assert code == 0, errors
    explained = json.loads((run_dir / "explanation.json").read_text())
    assert list(explained) == ["routes, level 1", "routes, level 2"]
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    shares = [line["statistics"]["open_routes"] for line in lines if line["kind"] == "train"]
    assert len(shares) == 3
    assert all(0.7 < share < 0.8 for share in shares)
    images = Page(run_dir / "report.html").images()
    assert {"Heat map of routes, level 1", "open_routes, over steps"} < set(images)
