"""ResFlow against an independent computation, layer by layer."""

import numpy as np
import tensorflow as tf

from dcrnn_tf import models
from dcrnn_tf.dataset.schema import Schema, Task
from dcrnn_tf.dataset.targets import Target
from tests.dcrnn_tf.models.side_by_side import (
    FEATURES,
    inputs_of,
    networks,
    sub_networks,
    tower,
)
from tests.dcrnn_tf.models.test_values import DIM, FIELDS, build


def test_logits():
    model = build("resflow", network_units=(6, 5))
    click, conversion = networks(model.first, inputs_of(model))
    click, conversion = sub_networks(model.later[0], [click, click + conversion])
    states = [click, click + conversion]
    own = [tower(layer, state) for layer, state in zip(model.towers, states, strict=True)]
    logits = model(FEATURES)
    np.testing.assert_allclose(logits["click"], own[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits["conversion"], own[0] + own[1], rtol=1e-4, atol=1e-5)


def test_gradients_flow_from_later_tasks_to_earlier_networks_alone():
    model = build("resflow", network_units=(6, 5))
    kernel = model.later[0].kernel.value
    for task, reached in (("click", [True, False]), ("conversion", [True, True])):
        with tf.GradientTape() as tape:
            logit = model(FEATURES)[task]
        by_network = np.abs(tape.gradient(logit, kernel)).max(axis=(1, 2))
        assert (by_network > 0).tolist() == reached


def test_logits_are_added_between_binary_tasks_alone():
    watch = Task("watch", kind="regression", target=Target("huber"))
    tasks = (Task("click"), watch, Task("cart"), Task("order"))
    schema = Schema("shop", FIELDS, tasks, {})
    model = models.build("resflow", schema, embedding_dim=DIM, network_units=(4,))
    for layer in model.towers:
        layer.logit.bias.assign([1.0])
        layer.logit.kernel.assign(np.zeros((4, 1)))
    found = {task: float(logit[0]) for task, logit in model(FEATURES).items()}
    assert found == {"click": 1, "watch": 1, "cart": 1, "order": 2}
