"""Weighted cross entropy with logits, and the weights of positives."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.dataset.schema import BINARY, DatasetError, Schema


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class WeightedCrossEntropy(keras.losses.Loss):
    """`tf.nn.weighted_cross_entropy_with_logits`, averaged over the batch.

    For a label y and a logit z: `-(w y log sigmoid(z) + (1 - y) log(1 - sigmoid(z)))`. A label of
    -1 marks an example on which the task is not defined: it adds nothing to the sum, and still
    counts in the number of examples that the sum is divided by. At a logit of exactly 0
    TensorFlow's gradient is that of one side (0 for a positive, 1 for a negative), not the mean of
    both.

    Args:
      positive_weight: Factor w on the positives' loss.

    Call arguments: labels `(batch,)` and logits `(batch,)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.training.losses import WeightedCrossEntropy
      >>> loss = WeightedCrossEntropy(positive_weight=3.0)
      >>> round(float(loss(tf.constant([1.0, 0.0]), tf.zeros(2))), 4)  # (3 log 2 + log 2) / 2
      1.3863
    """

    def __init__(
        self, positive_weight: float = 1.0, name: str = "weighted_cross_entropy", **kwargs
    ):
        super().__init__(name=name, **kwargs)
        self.positive_weight = float(positive_weight)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example, `(batch,)`."""
        logits = tf.convert_to_tensor(y_pred)
        labels = tf.reshape(tf.cast(y_true, logits.dtype), tf.shape(logits))
        loss = tf.nn.weighted_cross_entropy_with_logits(labels, logits, self.positive_weight)
        return tf.where(labels < 0, tf.zeros_like(loss), loss)

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return super().get_config() | {"positive_weight": self.positive_weight}


def positive_weights(schema: Schema, choice: str | Sequence[float] = "auto") -> dict[str, float]:
    """Returns the factor on the loss of each task's positives.

    Args:
      schema: Schema of the dataset to train on.
      choice: `auto` (negatives over positives of the training split), `none` (1), or a number
        per binary task.

    Returns:
      `{task: weight}`, 1 of tasks that are not binary.

    Raises:
      DatasetError: A task has no positives or no negatives, or the numbers do not fit the tasks.

    Example:
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Split, Task
      >>> from dcrnn_tf.training.losses import positive_weights
      >>> train = Split("train", 100, positives={"click": 20}, defined={"click": 100}, shards=())
      >>> fields, tasks = (Field("item", vocabulary_size=9),), (Task("click"),)
      >>> positive_weights(Schema("small", fields, tasks, {"train": train}))
      {'click': 4.0}
    """
    names = tuple(task.name for task in schema.tasks if task.kind == BINARY)
    ones = dict.fromkeys(schema.task_names, 1.0)
    if choice == "none":
        return ones
    if choice == "auto":
        train = schema.split("train")
        for name in names:
            if not 0 < train.positives[name] < train.defined[name]:
                raise DatasetError(
                    f"the training split has {train.positives[name]} positives of {name} among "
                    f"{train.defined[name]} rows, so positive_weights=auto cannot weigh them; "
                    "use more rows or positive_weights=none"
                )
        return ones | {
            n: (train.defined[n] - train.positives[n]) / train.positives[n] for n in names
        }
    weights = [float(weight) for weight in choice]
    if len(weights) != len(names) or not all(0 < w < math.inf for w in weights):
        raise DatasetError(
            f"positive_weights={list(choice)} must be auto, none, or one finite number above 0 for "
            f"each of the {len(names)} {'' if len(names) == len(ones) else 'binary '}tasks "
            f"{', '.join(names)}"
        )
    return ones | dict(zip(names, weights, strict=True))
