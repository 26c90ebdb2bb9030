"""Wide & Deep: a linear model and a perceptron."""

import keras

from dcrnn_tf.models.single_task.dnn import DNN


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class WideAndDeep(DNN):
    """`y = sum_i w_i + MLP(E)`, a weight for each field's value beside `DNN` (arXiv 1606.07792).

    The paper's wide part also takes products of fields chosen by hand; here such a product is a
    field of the dataset like any other.

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
      hidden_units: layers of the perceptron before its logit.
    """

    linear = True
