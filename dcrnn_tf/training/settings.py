"""How to train."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How to train; with the model's own settings it decides the result.

    Attributes:
      epochs: passes over the training split.
      batch_size: rows of a step.
      learning_rate: of both optimizers.
      optimizer: name of one of Keras', for all weights but the embedding tables.
      embedding_optimizer: name of one of `optimizers.names_for_tables`, for those.
      seed: of initial weights and of the order of rows.
      jit_compile: whether XLA compiles the whole step; for GPUs. The model's `static_shapes` should
        be set too.
      log_every: steps between two lines of training losses.
      checkpoint_every: steps between two checkpoints; one is also made after each epoch.
      steps_per_execution: steps at most between two returns to Python, where signals are obeyed;
        several keep a GPU busy. The result is the same.
    """

    epochs: int = 3
    batch_size: int = 1024
    learning_rate: float = 1e-4
    optimizer: str = "adam"
    embedding_optimizer: str = "lazy_adam"
    seed: int = 1
    jit_compile: bool = False
    log_every: int = 100
    checkpoint_every: int = 5000
    steps_per_execution: int = 1
