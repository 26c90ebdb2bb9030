"""DCN-V2: deep and cross network with matrices."""

from collections.abc import Sequence

import keras

from dcrnn_tf.layers import MatrixCross
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.dcn import DCN


@register("dcn_v2", label="DCN-V2", width="projection_dim")
class DCNV2(DCN):
    """`DCN` with a matrix in each cross layer, its parallel form (arXiv 2008.13535).

    Args:
      fields: as `MultiTaskModel`.
      tasks: as `MultiTaskModel`.
      hidden_units: layers of the perceptron.
      num_cross_layers: layers of `MatrixCross`.
      projection_dim: rank of the matrices; None for full ones.
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
        """A new cross network, `(batch, d)` to `(batch, d)`."""
        return MatrixCross(
            self.num_cross_layers, self.projection_dim, name="cross", dtype=self.dtype_policy
        )
