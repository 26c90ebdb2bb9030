"""The cross entropy of several classes."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class SoftmaxCrossEntropy(keras.losses.Loss):
    """The cross entropy of the softmax of a task's outputs, averaged over the batch.

    For the class y and outputs z: `-log softmax(z)_y`. A label of -1 marks an example on which the
    task is not defined: it adds nothing to the sum, and still counts in the number of examples that
    the sum is divided by.

    Call arguments: labels `(batch,)`, positions of classes, and outputs `(batch, classes)`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf.training.losses import SoftmaxCrossEntropy
      >>> loss = SoftmaxCrossEntropy()(tf.constant([2.0, -1.0]), tf.zeros((2, 4)))
      >>> round(float(loss), 4)  # (log 4 + 0) / 2
      0.6931
    """

    def __init__(self, name: str = "softmax_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each example, `(batch,)`."""
        outputs = tf.convert_to_tensor(y_pred)
        labels = tf.cast(tf.reshape(y_true, tf.shape(outputs)[:1]), tf.int32)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), outputs)
        return tf.where(labels < 0, tf.zeros_like(loss), loss)
