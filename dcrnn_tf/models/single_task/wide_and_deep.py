"""Wide & Deep: a linear model and a perceptron."""

from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.dnn import DNN


@register("wide_and_deep", label="Wide & Deep", width="hidden_units")
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
