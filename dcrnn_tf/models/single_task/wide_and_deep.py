"""Wide & Deep: a linear model and a perceptron."""

from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.dnn import DNN


@register("wide_and_deep", label="Wide & Deep", width="hidden_units")
class WideAndDeep(DNN):
    """A linear model beside a perceptron: `y = sum_i w_i + MLP(E)` (arXiv 1606.07792).

    It is `DNN` with a weight for each field's value. The paper's wide part also takes products of
    fields chosen by hand; here such a product is a field of the dataset like any other.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      hidden_units: Widths of the layers of the perceptron before its logit.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("wide_and_deep", schema, hidden_units=[16, 8])
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """

    linear = True
