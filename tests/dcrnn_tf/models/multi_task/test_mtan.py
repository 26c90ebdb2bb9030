"""MTAN against an independent computation, mask by mask."""

import numpy as np

from tests.dcrnn_tf.models.side_by_side import FEATURES, IDS, sigmoid
from tests.dcrnn_tf.models.test_values import build, check, dense


def linear(layer, task, inputs):
    return inputs @ np.array(layer.kernel)[task] + np.array(layer.bias)[task]


def test_logits_and_masks():
    model = build("mtan", network_units=(6, 5), attention_units=3)
    masks = []

    def views(x0):
        first = dense(model.shared[0], x0)
        second = dense(model.shared[1], first)
        for task in range(2):
            hidden = np.maximum(linear(model.hidden[0], task, first), 0)
            mask = sigmoid(linear(model.masks[0], task, hidden))
            read = np.hstack([second, mask * first])
            hidden = np.maximum(linear(model.hidden[1], task, read), 0)
            masks.append((mask, sigmoid(linear(model.masks[1], task, hidden))))
            yield masks[-1][1] * second

    check(model, IDS, views)
    found = model.explain(FEATURES)
    for layer in (0, 1):
        wanted = np.stack([mask[layer] for mask in masks], axis=1)
        values = found[f"mask, layer {layer + 1}"].values
        np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-5)
