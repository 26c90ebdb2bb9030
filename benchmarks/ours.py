"""A contender: a model of this project, its data source, precision and optimizer of choice.

python -m benchmarks.ours --workload=FOLDER --model=mmoe --form=disk
"""

import dataclasses
import itertools
import pathlib
import tempfile
from collections.abc import Iterator

from benchmarks import contender, workload
from dcrnn_tf.system import command_line
from dcrnn_tf.system.settings import required, setting
from experiments.runs import forms, run_folder

FORMS = {
    "disk": "Training from the prepared dataset.",
    "memory": "Training on batches that are in memory already.",
    "compiled": "As disk, the recurrence compiled by XLA.",
    "bfloat16": "As disk, products and activations in bfloat16.",
    "bfloat16_products": "As disk, large products in bfloat16.",
    "deferred": "As disk, with adam_deferred for the embeddings.",
    "dense": "Forward, backward and update without embeddings, from memory.",
    "predict": "Scoring, batches of 4,096 in memory.",
}
PREDICT_BATCH = 4096
IN_MEMORY = 32  # batches
_MODELS = tuple(workload.MODELS)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which model is timed on which workload, and in which form."""

    workload: str = required("Folder that benchmarks.workload has made.")
    model: str = setting("mmoe", "Name of the model.", choices=_MODELS)
    form: str = setting("disk", "Form of the work that is timed.", choices=tuple(FORMS))


def main(settings: Settings) -> None:
    """Runs the program."""
    import keras
    import tensorflow as tf

    from dcrnn_tf import models
    from dcrnn_tf.dataset.reader import PreparedDataset
    from dcrnn_tf.training import losses
    from dcrnn_tf.training.trainer import Trainer, TrainingSettings

    command_line.use_threads(0)
    run_folder.use_precision(settings.form if settings.form in forms.PRECISIONS else "none")
    dataset = PreparedDataset(pathlib.Path(settings.workload) / "prepared")
    name, model_settings = workload.MODELS[settings.model]
    if settings.form == "compiled":
        model_settings = model_settings | {"jit_recurrence": True}
    keras.utils.set_random_seed(1)
    model = models.build(
        name, dataset.schema, embedding_dim=workload.EMBEDDING_DIM, **model_settings
    )
    weights = losses.positive_weights(dataset.schema, "auto")

    if settings.form == "predict":
        batches = list(itertools.islice(dataset.batches("train", PREDICT_BATCH), 8))
        score = tf.function(lambda features: model(features, training=False))
        features = itertools.cycle([features for features, _ in batches])
        contender.serve(lambda: score(next(features))["click"].numpy(), PREDICT_BATCH)
        return
    if settings.form == "dense":
        _serve_dense(model, losses.multi_task_losses(weights))
        return
    embedding_optimizer = "adam_deferred" if settings.form == "deferred" else "lazy_adam"
    training = TrainingSettings(
        batch_size=workload.BATCH, embedding_optimizer=embedding_optimizer, learning_rate=1e-4
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, dataset, training, weights, folder)

        def epochs():
            for epoch in itertools.count():
                yield from dataset.batches("train", workload.BATCH, seed=1, epoch=epoch)

        endless: Iterator = epochs()
        if settings.form == "memory":
            endless = itertools.cycle(list(itertools.islice(endless, IN_MEMORY)))
        contender.serve(lambda: trainer.train_step(*next(endless)), workload.BATCH)


def _serve_dense(model, task_losses) -> None:
    import tensorflow as tf

    from dcrnn_tf import optimizers

    variables = model.other_variables
    optimizer = optimizers.build("adam", 1e-4)
    optimizer.build(variables)
    shape = (workload.BATCH, len(model.fields), workload.EMBEDDING_DIM)
    embeddings = tf.random.normal(shape)
    labels = tf.cast(tf.random.uniform((workload.BATCH,)) < 0.05, tf.float32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            logits = model.logits(embeddings, training=True)
            total = sum(
                loss(labels, logit)
                for loss, logit in zip(task_losses.values(), logits, strict=True)
            )
        gradients = tape.gradient(total, [embeddings, *variables])
        optimizer.apply(gradients[1:], variables)
        return tf.reduce_sum(gradients[0])

    contender.serve(lambda: step().numpy(), workload.BATCH)


if __name__ == "__main__":
    command_line.run(main, Settings)
