"""The gate: what makes a new version of a served model be refused."""

import json

import numpy as np
import pytest
import tensorflow as tf

from dcrnn_tf.dataset.schema import Schema, Task
from dcrnn_tf.serving import gate, warmup
from dcrnn_tf.serving.gate import GateError

MOOD = Task("mood", kind="multiclass", classes=("a", "b"))
TASKS = (Task("click"), Task("buy", only_where="click"), MOOD)
X = np.array([1.0, 2.0, 3.0, 4.0])
LABELS = {"click": [0, 0, 1, 1], "buy": [-1, -1, 1, 0], "mood": [0, 0, 1, -1]}


class Served(tf.Module):
    """A served model of one input, of whose values all answers are made."""

    def __init__(self, slope, inputs=("x",)):
        super().__init__()
        self.slope = slope
        self.inputs = inputs

    def save(self, folder, signatures=("serving_default",)):
        specs = [tf.TensorSpec((None,), tf.float64, name) for name in self.inputs]
        serve = tf.function(self._serve, input_signature=specs, autograph=False)
        tf.saved_model.save(self, str(folder), signatures=dict.fromkeys(signatures, serve))
        return folder

    def _serve(self, *columns):
        click = tf.sigmoid(self.slope * (columns[0] - 2.5))
        return {"click": click, "buy": click / 2, "mood": tf.stack([1 - click, click], axis=1)}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A version with golden requests that it answers as their labels say, but for one."""
    folder = Served(1.0).save(tmp_path_factory.mktemp("models") / "1")
    extra = folder / "assets.extra"
    extra.mkdir()
    warmup.write(extra, "golden", {"serving_default": {"x": X}}, gate.REQUESTS_FILE)
    (extra / gate.LABELS_FILE).write_text(json.dumps(LABELS), encoding="utf-8")
    return folder


SCHEMA = Schema("shop", (), TASKS, {})


def test_a_version_that_answers_as_well_gets_through(before, tmp_path):
    new = Served(2.0).save(tmp_path / "2")
    falls = gate.check(new, before, SCHEMA, 0.0)
    found = [(fall.task, fall.metric.name, fall.before, fall.now, fall.amount) for fall in falls]
    assert found == [
        ("click", "auc", 1.0, 1.0, 0.0),
        ("buy", "auc", 0.0, 0.0, 0.0),  # of the two rows on which it is defined
        ("mood", "macro_auc", 1.0, 1.0, 0.0),
    ]
    assert str(falls[0]) == "click: AUC 1.0000 before, 1.0000 now"
    # That one has no golden requests: nothing but the signatures is compared.
    assert gate.check(before, new, SCHEMA, 0.0) == []


def test_a_version_that_is_much_worse_is_refused(before, tmp_path):
    new = Served(-1.0).save(tmp_path / "2")
    with pytest.raises(GateError, match=r"click: AUC 1\.0000 before, 0\.0000 now on the golden"):
        gate.check(new, before, SCHEMA, 0.9)
    falls = gate.check(new, before, SCHEMA, 1.0)
    assert [fall.amount for fall in falls] == [1.0, -1.0, 1.0]


def test_answers_that_are_not_finite_are_refused(before, tmp_path):
    new = Served(np.nan).save(tmp_path / "2")
    with pytest.raises(GateError, match="gives nan as buy in row 0 of the golden requests"):
        gate.check(new, before, SCHEMA, 1.0)


def test_a_signature_more_has_no_clients_yet_and_one_less_has_had_some(before, tmp_path):
    new = Served(1.0).save(tmp_path / "2", ("serving_default", "encoded_features"))
    assert [fall.amount for fall in gate.check(new, before, SCHEMA, 0.0)] == [0, 0, 0]
    with pytest.raises(
        GateError, match="input x of signature encoded_features is missing, and float64 of rank 1"
    ):
        gate.check(before, new, SCHEMA, 0.0)


def test_other_signatures_are_refused(before, tmp_path):
    new = Served(1.0, ("x", "city")).save(tmp_path / "2")
    with pytest.raises(
        GateError, match="input city of signature serving_default is float64 of rank 1, and missing"
    ):
        gate.check(new, before, SCHEMA, 1.0)
