"""Settings of a training: epochs, batch size, learning rate, optimizers, checkpoints."""

import dataclasses

from dcrnn_tf.system.settings import setting


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training; with those of the model they decide the result."""

    epochs: int = setting(3, "Number of passes over the training split.", lower=1)
    batch_size: int = setting(1024, "Number of examples of a training step.", lower=1)
    learning_rate: float = setting(1e-4, "Learning rate of both optimizers.", lower=0.0)
    optimizer: str = setting(
        "adam", "Keras' name of the optimizer of all weights but the embedding tables."
    )
    embedding_optimizer: str = setting(
        "lazy_adam",
        "Name of the optimizer of the embedding tables, one of `optimizers.names_for_tables()`.",
    )
    seed: int = setting(1, "Seed of the initial weights and of the order of examples.", lower=0)
    jit_compile: bool = setting(
        False,
        "Whether XLA compiles the whole training step, in a form with static shapes: for GPUs.",
    )
    log_every: int = setting(100, "Number of steps between two lines of training losses.", lower=1)
    checkpoint_every: int = setting(
        5000,
        "Number of steps between two checkpoints; another one is made after each epoch.",
        lower=1,
    )
    evaluate_every: int | None = setting(
        None,
        "Number of steps between two evaluations of the validation split, each with a checkpoint; "
        "another one is made after each epoch.",
        lower=1,
    )
    monitor: str | None = setting(
        None,
        "Metric that decides which step counts, as SPLIT/TASK/METRIC, such as validation/click/auc "
        "or validation/mean/auc: its best checkpoint stays, is evaluated at the end and exported. "
        "By default the last step is evaluated.",
    )
    patience: int | None = setting(
        None,
        "Number of evaluations without a better value of --monitor after which training ends.",
        lower=1,
    )
    group_by: str | None = setting(
        None,
        "Entity table, or field with one id a row, by which rows are grouped for GAUC and other "
        "metrics by group; the entity table user by default, where there is one.",
    )
    steps_per_execution: int = setting(
        1,
        "Largest number of steps between two returns to Python, where signals are obeyed; several "
        "keep a GPU busy, with the same result.",
        lower=1,
    )
