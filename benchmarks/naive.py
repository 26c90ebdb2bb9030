"""A contender: the models written in plain Keras, without any optimisation.

An `Embedding` per field, a `Dense` per expert layer, the sequence `X_i = X_0 + A_i` made
explicitly and read by a `Bidirectional(LSTM)` per task, `keras.optimizers.Adam` for all weights.

  python -m benchmarks.naive --workload=FOLDER --model=dcrnn
"""

import dataclasses
import itertools
import pathlib

from benchmarks import contender, workload
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting

SUBSEQUENCE_LENGTH, INTERVAL, UNITS = 3, 1, 64
BATCHES = 16
_MODELS = tuple(workload.MODELS)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which model is timed on which workload."""

    workload: str = required("Folder that benchmarks.workload has made.")
    model: str = setting("mmoe", "Name of the model.", choices=_MODELS)
    dense: bool = setting(False, "Whether embeddings are left out, and their values are inputs.")


def main(settings: Settings) -> None:
    """Runs the program."""
    import keras
    import numpy as np
    import tensorflow as tf

    folder = pathlib.Path(settings.workload)
    rows = BATCHES * workload.BATCH
    sizes, ids, labels = workload.load(folder)
    ids, labels = ids[:rows], labels[:rows]
    width = len(sizes) * workload.EMBEDDING_DIM
    if settings.dense:
        inputs = [keras.Input((width,))]
        x0 = inputs[0]
        features = [[np.random.default_rng(0).normal(size=(rows, width)).astype("float32")]]
    else:
        inputs = [keras.Input((), dtype="int32") for _ in sizes]
        x0 = keras.layers.Concatenate()(
            [
                keras.layers.Embedding(size, workload.EMBEDDING_DIM)(column)
                for size, column in zip(sizes, inputs, strict=True)
            ]
        )
        features = [[ids[:, number] for number in range(len(sizes))]]
    crossed = (
        _experts(x0) if settings.model == "mmoe" else _recurrent(x0, settings.model == "dcrnn_ada")
    )
    logits = [_tower(states) for states in crossed]
    model = keras.Model(inputs, logits)
    optimizer = keras.optimizers.Adam(1e-4)

    @tf.function
    def step(features, labels):
        with tf.GradientTape() as tape:
            if settings.dense:
                tape.watch(features)
            outputs = model(features, training=True)
            losses = [
                tf.nn.weighted_cross_entropy_with_logits(labels[:, i : i + 1], output, 24.0)
                for i, output in enumerate(outputs)
            ]
            total = sum(tf.reduce_mean(loss) for loss in losses)
        sources = [features if settings.dense else [], model.trainable_weights]
        of_inputs, of_weights = tape.gradient(total, sources)
        optimizer.apply(of_weights, model.trainable_weights)
        return total, of_inputs

    batches = [
        (
            [tf.constant(column[i : i + workload.BATCH]) for column in features[0]],
            tf.constant(labels[i : i + workload.BATCH]),
        )
        for i in range(0, rows, workload.BATCH)
    ]
    endless = itertools.cycle(batches)
    contender.serve(lambda: step(*next(endless))[0].numpy(), workload.BATCH)


def _experts(x0) -> list:
    import keras

    def expert():
        return keras.layers.Dense(64, "relu")(keras.layers.Dense(128, "relu")(x0))

    experts = keras.ops.stack([expert() for _ in range(8)], axis=1)
    mixtures = []
    for _ in range(2):
        gate = keras.layers.Dense(8, "softmax", use_bias=False)(x0)
        mixtures.append(keras.ops.sum(experts * gate[:, :, None], axis=1))
    return mixtures


def _recurrent(x0, adaptation: bool) -> list:
    import keras

    steps = SUBSEQUENCE_LENGTH + INTERVAL
    sequence = keras.layers.RepeatVector(steps)(x0)
    if adaptation:
        sequence = _Adaptation()(sequence)
    states = []
    for task in range(2):
        part = sequence[:, task * INTERVAL : task * INTERVAL + SUBSEQUENCE_LENGTH]
        states.append(keras.layers.Bidirectional(keras.layers.LSTM(UNITS))(part))
    return states


def _tower(states):
    import keras

    hidden = keras.layers.Dense(32, "relu")(keras.layers.Dense(64, "relu")(states))
    return keras.layers.Dense(1)(hidden)


def _Adaptation():
    import keras

    class Adaptation(keras.layers.Layer):
        def build(self, shape):
            self.vectors = self.add_weight(shape=shape[1:], initializer="zeros")

        def call(self, sequence):
            return sequence + self.vectors

    return Adaptation()


if __name__ == "__main__":
    command_line.run(main, Settings)
