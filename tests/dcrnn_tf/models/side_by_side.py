"""Networks that run side by side, a task each, computed one by one in NumPy."""

import numpy as np

from tests.dcrnn_tf.models.test_values import BATCH, DIM, FIELDS

IDS = np.random.default_rng(0).integers(0, 10, (BATCH, len(FIELDS))).astype("int32")
FEATURES = {field.name: IDS[:, f] for f, field in enumerate(FIELDS)}


def inputs_of(model):
    """The embeddings `(batch, fields * dim)` of `FEATURES`."""
    table = np.array(model.embedding.table).reshape(len(FIELDS), 10, DIM)
    return np.concatenate([table[f, IDS[:, f]] for f in range(len(FIELDS))], axis=1)


def networks(layer, inputs):
    """The output of each perceptron of an `Experts` layer."""
    kernels, biases = ([np.array(w) for w in group] for group in (layer.kernels, layer.biases))
    width = layer.units[0]
    outputs = []
    for number in range(layer.num_experts):
        own = slice(number * width, (number + 1) * width)
        hidden = np.maximum(inputs @ kernels[0][:, own] + biases[0][own], 0)
        for kernel, bias in zip(kernels[1:], biases[1:], strict=True):
            hidden = np.maximum(hidden @ kernel[number] + bias[number, 0], 0)
        outputs.append(hidden)
    return outputs


def sub_networks(layer, inputs):
    """The output of each dense layer of a `SubNetworks` layer, on an input of its own."""
    kernels, biases = np.array(layer.kernel), np.array(layer.bias)[:, 0]
    return [
        np.maximum(x @ kernel + bias, 0)
        for x, kernel, bias in zip(inputs, kernels, biases, strict=True)
    ]


def tower(layer, hidden):
    """The logits `(batch,)` of a `Tower`."""
    for dense in layer.hidden.hidden:
        hidden = np.maximum(hidden @ np.array(dense.kernel) + np.array(dense.bias), 0)
    return (hidden @ np.array(layer.logit.kernel) + np.array(layer.logit.bias))[:, 0]


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


def softmax(scores):
    exponentials = np.exp(scores)
    return exponentials / exponentials.sum(axis=1, keepdims=True)
