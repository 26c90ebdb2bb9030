"""The base of optimizers of embedding tables, in whose gradients rows repeat."""

import keras
import tensorflow as tf

from dcrnn_tf.optimizers.clipping import clip_by_norm, clip_by_value
from dcrnn_tf.optimizers.merging import merge_repeated_rows, write_rows


class TableOptimizer(keras.optimizers.Optimizer):
    """An optimizer that sums the gradients of repeated rows before it clips and applies them.

    Keras clips the slices of a repeated row one by one, and some of its optimizers apply them so.

    Args:
      row_decay: Decoupled weight decay of the rows that have a gradient: before its update each of
        them is multiplied by `1 - learning_rate * row_decay`. Keras' `weight_decay` reaches all
        rows at every step.
      **kwargs: Arguments of Keras' optimizers, `clipvalue`, `clipnorm` and `global_clipnorm` among
        them.

    Raises:
      ValueError: `loss_scale_factor` is given, by which slices cannot be divided.
    """

    static_shapes = False
    """Whether repeated rows are merged in a form that XLA compiles."""

    def __init__(self, *args, row_decay: float = 0.0, **kwargs):
        if kwargs.get("loss_scale_factor"):
            raise ValueError(
                f"{type(self).__name__} takes no loss_scale_factor; scale the loss and its "
                "gradients in the training loop"
            )
        super().__init__(*args, **kwargs)
        self.row_decay = row_decay

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return super().get_config() | {"row_decay": self.row_decay}

    def update_step(self, gradient, variable, learning_rate) -> None:
        """Makes one step for one variable."""
        self.decay_rows(gradient, variable, learning_rate)
        if isinstance(gradient, tf.IndexedSlices):
            gradient = merge_repeated_rows(gradient)
        super().update_step(gradient, variable, learning_rate)

    def decay_rows(self, gradient, variable, learning_rate) -> None:
        """Makes the decay of the rows that have a gradient, all of them if it is dense."""
        if not self.row_decay:
            return
        weight = variable.value if isinstance(variable, keras.Variable) else variable
        share = 1 - tf.cast(learning_rate, weight.dtype) * self.row_decay
        if isinstance(gradient, tf.IndexedSlices):  # a repeated row is written several times
            write_rows(weight, gradient.indices, tf.gather(weight, gradient.indices) * share)
        else:
            weight.assign(weight * share)

    def _clip_gradients(self, grads: list) -> list:
        """Clips as Keras would clip the dense gradients; a hook of Keras."""
        if self.clipnorm:
            return [clip_by_norm([one], self.clipnorm, self.static_shapes)[0] for one in grads]
        if self.global_clipnorm:
            return clip_by_norm(grads, self.global_clipnorm, self.static_shapes)
        if self.clipvalue:
            return [clip_by_value(one, self.clipvalue, self.static_shapes) for one in grads]
        return grads
