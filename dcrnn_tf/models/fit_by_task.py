"""A Keras model whose `compile` and `fit` take losses, metrics and labels by task name."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from dcrnn_tf.dataset.schema import MULTICLASS, Task
from dcrnn_tf.models import predictions


class FitByTask(keras.Model):
    """A model whose `compile` and `fit` take losses, metrics and labels by task.

    Keras names variables by the keys of what it gets, and takes ASCII names for these alone.

    Attributes:
      tasks: Names of the tasks, keys of labels and outputs.
      task_specs: The tasks themselves.
      task_scopes: An ASCII name for each; results of `fit` name a task by it.
    """

    tasks: tuple[str, ...]
    task_specs: tuple[Task, ...]
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

        A task's metrics get the examples on which it is defined, and predictions of numbers on the
        scale of their labels.
        """
        if isinstance(y, Mapping):
            y, y_pred, sample_weight = self._where_defined(y, y_pred, sample_weight)
        y, y_pred, sample_weight = (self._by_scope(part) for part in (y, y_pred, sample_weight))
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _by_scope(self, values: object) -> object:
        """Returns a mapping by task as one by scope: Keras names its variables by the keys."""
        if not isinstance(values, Mapping):
            return values
        scopes = dict(zip(self.tasks, self.task_scopes, strict=True))
        return {scopes.get(task, task): value for task, value in values.items()}

    def _where_defined(self, labels: Mapping, outputs: Mapping, weights: object) -> tuple:
        """Returns labels and predictions `(rows, ...)`, and weights `(rows,)` or None, by task."""
        by_task = weights if isinstance(weights, Mapping) else dict.fromkeys(labels, weights)
        chosen: tuple[dict, dict, dict] = ({}, {}, {})
        for task in self.task_specs:
            if task.name not in labels:
                continue
            label = tf.reshape(labels[task.name], (-1,))
            output = predictions.on_scale_of_labels(task, outputs[task.name])
            output = tf.reshape(output, (-1, task.outputs if task.kind == MULTICLASS else 1))
            defined = task.defined(label)
            chosen[0][task.name] = tf.boolean_mask(label[:, tf.newaxis], defined)
            chosen[1][task.name] = tf.boolean_mask(output, defined)
            if weights is not None:
                weight = tf.reshape(by_task[task.name], (-1,))
                chosen[2][task.name] = tf.boolean_mask(weight, defined)
        return (*chosen[:2], None if weights is None else chosen[2])
