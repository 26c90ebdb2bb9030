"""Settings of a training: epochs, batch size, learning rate, optimizers, checkpoints."""

import dataclasses

from dcrnn_tf.system.settings import setting


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training; with those of the model they decide the result."""

    epochs: int = setting(3, "Number of passes over the training split.", lower=1)
    batch_size: int = setting(1024, "Number of examples of a training step.", lower=1)
    learning_rate: float = setting(
        1e-4, "Learning rate, also that of the embedding tables if they have none.", lower=0.0
    )
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
    embedding_learning_rate: float | None = setting(
        None, "Learning rate of the embedding tables; --learning_rate by default.", lower=0.0
    )
    schedule: str = setting(
        "constant",
        "How the learning rates change: cosine and linear let them fall once, exponential and "
        "staircase multiply them again and again, gradually or all at once.",
        choices=("constant", "cosine", "linear", "exponential", "staircase"),
    )
    schedule_length: float | None = setting(
        None,
        "Length of the fall, by default to the end of training; of exponential and staircase that "
        "between two factors, an epoch by default.",
        above=0.0,
    )
    schedule_factor: float | None = setting(
        None,
        "Share of the rates that is left of them after a fall, 0 by default; of exponential and "
        "staircase the factor of each length, 0.5 by default.",
        lower=0.0,
    )
    warmup: float = setting(
        0.0, "Length of the warm-up, in which the rates rise from 0 in a straight line.", lower=0.0
    )
    schedule_unit: str = setting(
        "steps",
        "Unit of --schedule_length and --warmup.",
        choices=("steps", "epochs"),
    )
    clip_value: float | None = setting(
        None, "Largest absolute value of a number in a gradient; no limit by default.", above=0.0
    )
    clip_norm: float | None = setting(
        None, "Largest norm of all gradients together; no limit by default.", above=0.0
    )
    embedding_l2: float = setting(
        0.0, "L2 penalty on the embedding rows of a batch, each of them once.", lower=0.0
    )
    dense_l2: float = setting(0.0, "L2 penalty on the kernels of layers.", lower=0.0)
    embedding_weight_decay: float = setting(
        0.0, "Decoupled weight decay of the embedding rows of a batch.", lower=0.0
    )
    weight_decay: float = setting(
        0.0, "Decoupled weight decay of the kernels of layers.", lower=0.0
    )
    weight_average: float = setting(
        0.0,
        "Decay of the average of the weights over the steps, such as 0.999, which is evaluated and "
        "exported in their place; no average by default.",
        lower=0.0,
        upper=0.999999,
    )
    steps_per_execution: int = setting(
        1,
        "Largest number of steps between two returns to Python, where signals are obeyed; several "
        "keep a GPU busy, with the same result.",
        lower=1,
    )
