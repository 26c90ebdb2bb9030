"""DCN-V2: the deep and cross network with matrices."""

from collections.abc import Sequence

import keras

from dcrnn_tf.layers import MatrixCross
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.dcn import DCN


@register("dcn_v2", label="DCN-V2", width="projection_dim")
class DCNV2(DCN):
    """A cross network with matrices and a perceptron in parallel (DCN-V2, arXiv 2008.13535).

    It is `DCN` with a matrix in each cross layer, the paper's parallel form; see `MatrixCross`.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      hidden_units: Widths of the layers of the perceptron.
      num_cross_layers: Number of layers of `MatrixCross`.
      projection_dim: Rank of the matrices; None for full ones.
      **kwargs: Settings of `MultiTaskModel`.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("dcn_v2", schema, hidden_units=[16, 8], projection_dim=2)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """

    def __init__(
        self,
        fields,
        tasks,
        hidden_units: Sequence[int] = (128, 64),
        num_cross_layers: int = 2,
        projection_dim: int | None = None,
        **kwargs,
    ):
        self.projection_dim = projection_dim  # what `cross` reads
        super().__init__(fields, tasks, hidden_units, num_cross_layers, **kwargs)

    def cross(self) -> keras.layers.Layer:
        """Returns a new cross network, `(batch, d)` to `(batch, d)`."""
        return MatrixCross(
            self.num_cross_layers, self.projection_dim, name="cross", dtype=self.dtype_policy
        )
