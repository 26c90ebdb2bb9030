"""Which step counts, when training ends, and that an interruption changes neither."""

import copy
import dataclasses
import json

import keras
import numpy as np
import pytest

from dcrnn_tf import models
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.system.interruption import Interrupted
from dcrnn_tf.training import losses, trainer
from dcrnn_tf.training.checkpoints import CHECKPOINTS, Checkpoints
from dcrnn_tf.training.metric_address import MetricAddress
from dcrnn_tf.training.monitor import Monitor
from dcrnn_tf.training.settings import TrainingSettings
from dcrnn_tf.training.trainer import Trainer
from tests.conftest import write_dataset

# Twelve steps an epoch: evaluations at steps 5, 10, 12, 15, 20, 24, 25, 30 and so on.
SETTINGS = TrainingSettings(
    epochs=3,
    batch_size=256,
    learning_rate=0.01,
    log_every=6,
    checkpoint_every=4,
    evaluate_every=5,
    monitor="validation/click/auc",
    patience=3,
)
AUCS = {5: 0.6, 10: 0.7, 12: 0.69, 15: 0.7, 20: 0.71, 24: None, 25: 0.71, 30: 0.5}  # ends at 30
BEST = 20


def monitor_after(values, patience=None, metric="auc"):
    monitor = Monitor(MetricAddress("validation", "click", metric), patience)
    for step, value in values:
        monitor.note(step, {"click": {metric: value}})
    return monitor


def test_the_best_step_is_the_first_with_the_best_value():
    assert monitor_after([]).best_step is None
    assert monitor_after([(1, None)]).best_step is None
    assert monitor_after([(1, 0.0), (2, 0.4), (3, 0.4), (4, 0.1)]).best_step == 2
    assert monitor_after([(1, 0.3), (2, 0.2), (3, 0.4)], metric="logloss").best_step == 2
    assert monitor_after([(1, 0.3), (2, 1.2), (3, 0.9)], metric="calibration").best_step == 3


def test_patience_counts_the_evaluations_since_the_best():
    falling = [(1, 0.7), (2, 0.6), (3, 0.65)]
    assert not monitor_after(falling).ended
    assert not monitor_after(falling, patience=3).ended
    assert monitor_after(falling, patience=2).ended
    assert not monitor_after([*falling, (4, 0.8)], patience=3).ended
    assert monitor_after([(1, None), (2, None)], patience=2).ended


@pytest.fixture(scope="module")
def dataset(dataset_folder):
    return PreparedDataset(dataset_folder)


@pytest.fixture(autouse=True)
def planned_values(monkeypatch):
    """Gives the click of each evaluation the AUC that is planned for the step."""
    real = trainer.evaluate

    def evaluate(*arguments):
        step = running[-1].steps
        return real(*arguments) | {"click": {"auc": AUCS[step], "rows": 500, "positives": 9}}

    running = []
    monkeypatch.setattr(trainer, "evaluate", evaluate)
    return running


def make(dataset, folder, planned_values, settings=SETTINGS):
    keras.utils.set_random_seed(1)
    model = models.build("shared_bottom", dataset.schema, embedding_dim=4, bottom_units=[4])
    weights = losses.positive_weights(dataset.schema, "none")
    made = Trainer(model, dataset, settings, weights, folder)
    planned_values.append(made)
    return made


def log(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line | {"rows_per_second": None} for line in lines]


def values(made):
    return [variable.numpy() for variable in made.model.variables]


# Ended by a signal after a step, in an evaluation within an epoch, and in one at its end.
@pytest.mark.parametrize(
    ("optimizer", "stops"),
    [
        ("lazy_adam", (15,)),
        pytest.param("adam_deferred", (7, 15, 24), marks=pytest.mark.slow),
    ],
)
def test_the_best_checkpoint_counts_and_an_interruption_changes_nothing(
    dataset, tmp_path, planned_values, capsys, optimizer, stops
):
    settings = dataclasses.replace(SETTINGS, embedding_optimizer=optimizer)
    whole = make(dataset, tmp_path / "whole", planned_values, settings)
    at_best, step = [], whole.train_step

    def train_step(*batch):
        if whole.steps == BEST:
            at_best[:] = values(whole)
        step(*batch)

    whole.train_step = train_step
    whole.train()
    evaluated = [line["step"] for line in log(tmp_path / "whole") if line["kind"] == "evaluation"]
    assert evaluated == list(AUCS)
    assert (whole.steps, whole.epochs) == (30, 3)
    assert capsys.readouterr().out == (
        "Training ends after 30 of 36 steps: validation/click/auc is best at step 20 (0.71).\n"
    )
    last = values(whole)
    assert Checkpoints(tmp_path / "whole" / CHECKPOINTS, {}).steps() == [20, 28, 30]
    assert whole.take_result() == BEST
    for restored, expected in zip(values(whole), at_best, strict=True):
        np.testing.assert_array_equal(restored, expected)
    assert any((one != other).any() for one, other in zip(last, at_best, strict=True))

    for stop in stops:
        cut = make(dataset, tmp_path / "cut", planned_values, settings)
        cut.restore()
        inner = cut.predictor.predict

        def predict(*arguments, cut=cut, stop=stop, inner=inner, **names):
            if cut.steps == stop:
                cut._interruption.number = 15
            return inner(*arguments, **names)

        cut.predictor.predict = predict
        if stop == 7:
            agreed = cut._distribution.agreed
            cut._distribution.agreed = lambda n, at=0, agreed=agreed: (
                15 if at == 7 else agreed(n, at)
            )
        with pytest.raises(Interrupted):
            cut.train()
        assert cut.steps == stop
    resumed = make(dataset, tmp_path / "cut", planned_values, settings)
    assert resumed.restore() == stops[-1]
    resumed.train()
    assert log(tmp_path / "cut") == log(tmp_path / "whole")
    for mine, other in zip(values(resumed), last, strict=True):
        np.testing.assert_array_equal(mine, other)

    # Taken up after its end, a run makes no further step.
    assert resumed.restore() == 30
    resumed.train()
    assert resumed.steps == 30
    assert resumed.take_result() == BEST


def test_contradictions_are_refused(dataset, tmp_path, planned_values):
    def refused(words, dataset=dataset, **changes):
        settings = dataclasses.replace(SETTINGS, **changes)
        with pytest.raises(UsageError, match=words):
            make(dataset, tmp_path / "run", planned_values, settings)

    refused("--patience=3 needs a metric; name one", monitor=None)
    refused("'auc' must be SPLIT/TASK/METRIC", monitor="auc")
    trained_only = PreparedDataset(write_dataset(tmp_path / "data", {"train": 300}))
    refused("--evaluate_every=5 needs a validation split, and .* has none", trained_only)
    refused("--monitor=.* needs a validation split", trained_only, evaluate_every=None)
    no_users = copy.copy(dataset)
    fields = dataset.schema.exposure_fields()
    no_users.schema = dataclasses.replace(dataset.schema, entities={}, fields=fields)
    refused("needs groups of rows, .* name a field", no_users, monitor="validation/click/gauc")
