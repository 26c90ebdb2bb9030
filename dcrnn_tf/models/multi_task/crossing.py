"""The network of DCRNN with another crossing instead of its recurrent one, for comparison."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers import CompressedInteraction, Cross, MatrixCross, fork
from dcrnn_tf.models.base import MultiTaskModel
from dcrnn_tf.models.registry import register

DCN, DCN_V2, CIN = "dcn", "dcn_v2", "cin"


@register("crossing", label="DCN in DCRNN's network", width="tower_units")
class CrossingComparison(MultiTaskModel):
    """Embeddings `X_0`, a crossing network per task, a tower per task: `y_i = tower_i(f_i(X_0))`.

    The crossings that DCRNN's paper compares with its recurrent network (Eq. 1 to 4):

    - `dcn`: `H_t = X_0 (H_{t-1}^T W_t) + b_t + H_{t-1}`, see `Cross`. It has no width to choose.
    - `dcn_v2`: the same with a matrix, `H_t = X_0 * (W_t H_{t-1} + b_t) + H_{t-1}`, see
      `MatrixCross`.
    - `cin`: `H_t = sum_ij W_ij (H_{t-1,i} * X_{0,j})`, see `CompressedInteraction`.

    The same as in `DCRNN` without adaptation: the embedding, a crossing network for each task
    between `X_0` and the task's tower, the tower; tasks share the embeddings alone. What differs,
    besides the crossing itself:

    - The tower's input, and with it the tower's first matrix. `dcn` and `dcn_v2` give `H_L`, which
      is as wide as `X_0`; `cin` gives the maps of all layers, each summed over the embedding's
      width, hence `L * feature_maps` numbers; DCRNN gives its last states, whose width is chosen.
    - `H_0 = X_0`, so that the first layer already multiplies features; DCRNN starts from zero.
    - There is nothing like adaptation or an interval.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      crossing: Kind of the crossing: `dcn`, `dcn_v2` or `cin`.
      num_layers: Number of layers, L, which stand for DCRNN's steps per task.
      rank: Rank of the matrices of `dcn_v2`; None for full ones.
      feature_maps: Number of feature maps of each layer of `cin`, which must have it.
      tower_units: Widths of the hidden layers of a task's tower.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: The crossing is unknown, or a width is none or belongs to another crossing.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> fields = (Field("user", vocabulary_size=50), Field("item", vocabulary_size=90))
      >>> schema = Schema("shop", fields, (Task("click"), Task("conversion")), splits={})
      >>> model = models.build("crossing", schema, crossing="cin", feature_maps=6)
      >>> features = {"user": tf.constant([3, 4]), "item": tf.constant([7, 8])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2]), 'conversion': TensorShape([2])}
    """

    def __init__(
        self,
        fields,
        tasks,
        crossing: str = DCN,
        num_layers: int = 3,
        rank: int | None = None,
        feature_maps: int | None = None,
        tower_units: Sequence[int] = (64, 32),
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        if crossing not in (DCN, DCN_V2, CIN):
            raise ValueError(f"crossing={crossing!r} is not one of {DCN}, {DCN_V2}, {CIN}")
        _check_width("rank", rank, DCN_V2, crossing)
        _check_width("feature_maps", feature_maps, CIN, crossing)
        if crossing == CIN and feature_maps is None:
            raise ValueError("crossing='cin' needs feature_maps, a whole number such as 64")
        self.crossing = crossing
        self.num_layers = num_layers
        self.rank = rank
        self.feature_maps = feature_maps
        self.tower_units = tuple(tower_units)
        self.crossings = tuple(self._network(f"{task}_crossing") for task in self.task_scopes)
        self.towers = self.task_towers(self.tower_units)

    def _network(self, name: str) -> keras.layers.Layer:
        if self.crossing == DCN_V2:
            return MatrixCross(self.num_layers, self.rank, name=name, dtype=self.dtype_policy)
        if self.feature_maps is None:  # the CIN alone has them
            return Cross(self.num_layers, name=name, dtype=self.dtype_policy)
        maps = (self.feature_maps,) * self.num_layers
        return CompressedInteraction(maps, name=name, dtype=self.dtype_policy)

    def logits(self, embeddings: tf.Tensor, training: bool, labels=None) -> list[tf.Tensor]:
        """Returns the towers' logits, each tower on its task's crossed features."""
        if self.crossing != CIN:  # which alone tells fields apart
            embeddings = tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_dim))
        copies = fork(embeddings, len(self.tasks))
        return [
            tower(crossing(copy))
            for tower, crossing, copy in zip(self.towers, self.crossings, copies, strict=True)
        ]


def _check_width(name: str, width: object, owner: str, crossing: str) -> None:
    if width is None:
        return
    if crossing != owner:
        raise ValueError(f"{name}={width!r} is a setting of crossing={owner!r}, not {crossing!r}")
    if type(width) is not int or width < 1:
        raise ValueError(f"{name}={width!r} must be a whole number from 1")
