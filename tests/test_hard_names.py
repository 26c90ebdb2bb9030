"""Fields and tasks of any name, from the raw rows to served probabilities."""

import numpy as np
import polars as pl
import pytest
import scipy.special
import tensorflow as tf

from data_prep.own_log import preparation
from data_prep.own_log.row_encoder import RowEncoder
from dcrnn_tf.dataset import verification
from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC
from dcrnn_tf.serving.examples import serialize
from dcrnn_tf.serving.serving_model import EXAMPLES
from dcrnn_tf.training.settings import TrainingSettings
from experiments import export as export_program
from experiments import train
from experiments.runs import latency, trained_runs
from tests import hard_names
from tests.hard_names import FEW, NAMES, TASKS

TASK = TASKS[0]
EVERY = pytest.param(NAMES, marks=pytest.mark.slow, id="every name")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hard")
    preparation.prepare(hard_names.declaration(folder), folder, folder / "prepared")
    return folder / "prepared"


def test_every_name_is_prepared_verified_and_read(prepared):
    dataset = PreparedDataset(prepared)
    assert [field.name for field in dataset.schema.fields] == list(NAMES)
    assert dataset.schema.task_names == TASKS
    assert list(verification.findings(prepared, dataset.schema)) == []
    rows = hard_names.raw_rows()
    encoded = RowEncoder(prepared)(rows.with_columns(pl.all().cast(pl.String)))
    for split, day in (("validation", 2), ("test", 3)):
        features, labels = next(iter(dataset.batches(split, 1000)))
        # Numbers of their own tell the rows apart.
        read = np.argsort(features["lambda"].numpy())
        own = np.flatnonzero(rows["day"] == day)
        own = own[np.argsort(encoded["lambda"][own])]
        for name in NAMES:
            np.testing.assert_array_equal(features[name].numpy()[read], encoded[name][own])
        for number, task in enumerate(TASKS):
            label = rows[f"t{number}"].to_numpy()[own]
            if number == 1:
                label = np.where(rows["t0"].to_numpy()[own] > 0, label, -1)
            np.testing.assert_array_equal(labels[task].numpy()[read], label)


def served(folder, signature, inputs):
    """The answer of a signature as a server gives it, which knows inputs by their names alone."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        definition = graph.signature_def[signature]
        fed = {definition.inputs[name].name: value for name, value in inputs.items()}
        assert set(inputs) == set(definition.inputs)
        return session.run({name: o.name for name, o in definition.outputs.items()}, fed)


def raw_inputs(names, rows):
    """The log's rows as a client sends them."""
    inputs, kinds = {}, (CATEGORICAL, NUMERIC, MULTI_CATEGORICAL)
    for name in names:
        number = NAMES.index(name)
        column = rows[f"f{number}"].to_list()
        if kinds[number % 3] == CATEGORICAL:
            inputs[name] = np.array([str(value) for value in column], object)
        elif kinds[number % 3] == NUMERIC:
            inputs[name] = np.array(column)
        else:
            lists = [text.split(";") for text in column]
            inputs[name] = np.array([[*one, "", ""][:2] for one in lists], object)
    return inputs


@pytest.mark.parametrize("model", ["mmoe", pytest.param("deepfm", marks=pytest.mark.slow)])
@pytest.mark.parametrize("names", [pytest.param(FEW, id="few"), EVERY])
def test_a_run_is_trained_evaluated_exported_and_served(names, model, prepared, tmp_path, capsys):
    run_dir, export_dir = str(tmp_path / "run"), str(tmp_path / "model")
    settings = train.Settings(
        str(prepared),
        run_dir,
        model,
        {"embedding_dim": 2},
        fields=names,
        positive_weights=("none",),
    )
    train.main(settings, TrainingSettings(1, 100, 1e-2))
    printed = capsys.readouterr().out
    assert all(f"test {task}: AUC" in printed for task in TASKS)
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "<i>now" not in page
    assert "buy &lt;i&gt;now&lt;/i&gt;/|$x_1" in page
    train.main(settings, TrainingSettings(1, 100, 1e-2))
    assert "holds this run, finished" in capsys.readouterr().out
    user_fields = names[:2]
    export_program.main(export_program.Settings(run_dir, export_dir, user_fields=user_fields))
    card = (tmp_path / "model" / "1" / "assets.extra" / "model_card.md").read_text("utf-8")
    assert "; in Python class_2" in card.replace("\\", "")
    rows = hard_names.raw_rows().head(20)
    run = trained_runs.load(run_dir)
    features = RowEncoder(prepared, names)(rows.with_columns(pl.all().cast(pl.String)))
    expected = {
        task: scipy.special.expit(logits.astype(np.float64))
        for task, logits in run.predictor.score(features).items()
    }
    raw = raw_inputs(names, rows)
    for signature, inputs in (
        ("serving_default", raw),
        ("rank", raw),
        ("serve_examples", examples(raw)),
    ):
        answer = served(tmp_path / "model" / "1", signature, inputs)
        assert set(answer) == {*TASKS, f"{TASKS[1]}_per_exposure"}
        for task in TASKS:
            np.testing.assert_allclose(answer[task], expected[task], rtol=2e-5)
    assert latency.measure(run_dir, (1,), seconds=0)[1] > 0  # by the arguments of Python


def examples(raw):
    rows = len(next(iter(raw.values())))
    serialized = [
        serialize({name: values[row] for name, values in raw.items()}) for row in range(rows)
    ]
    return {EXAMPLES: np.array(serialized, object)}
