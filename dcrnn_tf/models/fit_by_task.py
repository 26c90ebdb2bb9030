"""A Keras model whose `compile` and `fit` take losses, metrics and labels by task name."""

from collections.abc import Mapping

import keras
import tensorflow as tf


class FitByTask(keras.Model):
    """A model whose `compile` and `fit` take losses, metrics and labels by task.

    Keras names variables by the keys of what it gets, and takes ASCII names for these alone.

    Attributes:
      tasks: Names of the tasks, keys of labels and outputs.
      task_scopes: An ASCII name for each; results of `fit` name a task by it.
    """

    tasks: tuple[str, ...]
    task_scopes: tuple[str, ...]

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ) -> None:
        """Takes losses and metrics by task, as `keras.Model.compile` does, whatever the names.

        Results of `fit` name a task by its `task_scopes`.
        """
        loss, loss_weights, metrics, weighted_metrics = (
            self._by_scope(part) for part in (loss, loss_weights, metrics, weighted_metrics)
        )
        super().compile(optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs)

    def compile_from_config(self, config: dict) -> None:
        """Does what `compile` did to the model that was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the loss of a batch for `fit`, from labels and logits by task."""
        y, y_pred, sample_weight = (self._by_scope(part) for part in (y, y_pred, sample_weight))
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None) -> dict:
        """Returns the metrics of `fit` and `evaluate`, from labels and logits by task.

        A task's metrics get the examples on which it is defined: a label of -1 is no label.
        """
        if isinstance(y, Mapping):
            y, y_pred, sample_weight = _where_defined(y, y_pred, sample_weight)
        y, y_pred, sample_weight = (self._by_scope(part) for part in (y, y_pred, sample_weight))
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _by_scope(self, values: object) -> object:
        """Returns a mapping by task as one by scope: Keras names its variables by the keys."""
        if not isinstance(values, Mapping):
            return values
        scopes = dict(zip(self.tasks, self.task_scopes, strict=True))
        return {scopes.get(task, task): value for task, value in values.items()}


def _where_defined(labels: Mapping, logits: Mapping, weights: object) -> tuple:
    """Returns labels and logits `(rows, 1)`, and weights `(rows,)` or None, by task."""
    defined = {task: tf.reshape(label, (-1,)) >= 0 for task, label in labels.items()}

    def chosen(task: str, values: tf.Tensor, shape: tuple) -> tf.Tensor:
        return tf.boolean_mask(tf.reshape(values, shape), defined[task])

    by_task = weights if isinstance(weights, Mapping) else dict.fromkeys(labels, weights)
    return (
        {task: chosen(task, label, (-1, 1)) for task, label in labels.items()},
        {task: chosen(task, logits[task], (-1, 1)) for task in labels},
        None if weights is None else {task: chosen(task, by_task[task], (-1,)) for task in labels},
    )
