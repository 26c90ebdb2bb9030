"""Experts that cross features in different ways, the heterogeneous interaction layer of DEPHN."""

from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.layers.base import Layer
from dcrnn_tf.layers.crossing.cross import Cross
from dcrnn_tf.layers.crossing.field_interaction import FieldInteraction
from dcrnn_tf.layers.crossing.matrix_cross import MatrixCross
from dcrnn_tf.layers.dense.residual import ResidualLink
from dcrnn_tf.layers.experts.experts import Experts
from dcrnn_tf.layers.fork import fork

KINDS = ("dnn", "cross", "field")


@keras.saving.register_keras_serializable(package="dcrnn_tf")
class HeterogeneousExperts(Layer):
    """The heterogeneous interaction layer of DEPHN: experts of several kinds (Section III-A).

    - `dnn`: `num_dnn_experts` perceptrons.
    - `cross`: two experts, the explicit crosses of DCN and of DCN-V2.
    - `field`: one expert, the field interaction of FINT.

    Every structure has a residual link with trainable parameters around it (PHN), unless
    `residual_links` is false. Crosses and field interaction keep their input's shape; a linear map
    brings them to the common width.

    Args:
      kinds: Kinds of experts, some of `KINDS`.
      num_dnn_experts: Number of perceptrons.
      expert_units: Widths of a perceptron's layers; the last is the width of all experts.
      num_interaction_layers: Number of layers of each cross and of the field interaction.
      residual_links: Whether there are links around the structures.
      dropout: Share of the outputs of every layer of a perceptron that is dropped in training.
      normalization: Normalisation in these layers: `none`, `batch` or `layer`.

    Call arguments:
      inputs: Input of each kind, `{kind: (batch, fields, dim)}`.

    Returns:
      The experts' outputs, `(experts, batch, expert_units[-1])`, in the order of `names`.

    Raises:
      ValueError: There is no kind, or an unknown one.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import layers
      >>> experts = layers.HeterogeneousExperts(["dnn", "field"], 2, expert_units=[8, 4])
      >>> experts.names
      ('dnn_0', 'dnn_1', 'fint')
      >>> embeddings = tf.ones((5, 3, 6))
      >>> experts({"dnn": embeddings, "field": embeddings}).shape
      TensorShape([3, 5, 4])
    """

    def __init__(
        self,
        kinds: Sequence[str] = KINDS,
        num_dnn_experts: int = 4,
        expert_units: Sequence[int] = (128, 64),
        num_interaction_layers: int = 2,
        residual_links: bool = True,
        dropout: float = 0.0,
        normalization: str = "none",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not kinds or not set(kinds) <= set(KINDS):
            raise ValueError(f"kinds={list(kinds)} must be some of {', '.join(KINDS)}")
        self.kinds = tuple(kind for kind in KINDS if kind in kinds)
        self.num_dnn_experts = num_dnn_experts
        self.expert_units = tuple(expert_units)
        self.num_interaction_layers = layers = num_interaction_layers
        self.residual_links = residual_links
        policy = {"dtype": self.dtype_policy}
        linked = {"width": self.width, "residual_link": residual_links, **policy}
        if "dnn" in self.kinds:
            self.dnn = Experts(
                num_dnn_experts, self.expert_units, dropout, normalization, name="dnn", **policy
            )
            self.dnn_link = ResidualLink(name="dnn_link", **policy) if residual_links else None
        if "cross" in self.kinds:
            self.dcn = _Linked(Cross(layers, name="dcn", **policy), **linked)
            self.dcn_v2 = _Linked(MatrixCross(layers, name="dcn_v2", **policy), **linked)
        if "field" in self.kinds:
            self.fint = _Linked(FieldInteraction(layers, name="fint", **policy), **linked)

    @property
    def width(self) -> int:
        """The width of every expert's output."""
        return self.expert_units[-1]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the experts."""
        names = {
            "dnn": tuple(f"dnn_{e}" for e in range(self.num_dnn_experts)),
            "cross": ("dcn", "dcn_v2"),
            "field": ("fint",),
        }
        return tuple(name for kind in self.kinds for name in names[kind])

    def build(self, input_shape: Mapping) -> None:
        """Creates all weights."""
        for kind in self.kinds:
            _, fields, dim = input_shape[kind]
            flat = (None, fields * dim)
            if kind == "dnn":
                self.dnn.build(flat)
                if self.dnn_link is not None:
                    self.dnn_link.build(flat, (None, self.num_dnn_experts * self.width))
            elif kind == "cross":
                self.dcn.build(flat)
                self.dcn_v2.build(flat)
            else:
                self.fint.build((None, fields, dim))

    def call(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the experts' outputs."""
        outputs = []
        if "dnn" in self.kinds:
            outputs.append(self._perceptrons(_flat(inputs["dnn"])))
        if "cross" in self.kinds:
            one, other = fork(_flat(inputs["cross"]), 2)
            outputs += [self.dcn(one)[None], self.dcn_v2(other)[None]]
        if "field" in self.kinds:
            outputs.append(self.fint(inputs["field"])[None])
        return tf.concat(outputs, axis=0)

    def _perceptrons(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.dnn_link is None:
            return self.dnn(inputs)
        into, around = fork(inputs, 2)
        experts = tf.transpose(self.dnn(into), (1, 0, 2))
        joined = tf.reshape(experts, (-1, self.num_dnn_experts * self.width))
        linked = self.dnn_link(around, joined)
        linked = tf.reshape(linked, (-1, self.num_dnn_experts, self.width))
        return tf.transpose(linked, (1, 0, 2))

    def compute_output_shape(self, input_shape: Mapping) -> tuple:
        """Returns `(experts, batch, width)`."""
        return (len(self.names), input_shape[self.kinds[0]][0], self.width)


class _Linked(keras.layers.Layer):
    """A structure that keeps its input's shape, its residual link if any, and a map to a width."""

    def __init__(self, structure: keras.layers.Layer, width: int, residual_link: bool, **kwargs):
        super().__init__(name=f"{structure.name}_expert", **kwargs)
        self.structure = structure
        self.link = ResidualLink(name="link", dtype=self.dtype_policy) if residual_link else None
        self.map = keras.layers.Dense(width, name="map", dtype=self.dtype_policy)

    def build(self, input_shape) -> None:
        self.structure.build(input_shape)
        flat = (None, input_shape[1] * input_shape[2] if len(input_shape) == 3 else input_shape[1])
        if self.link is not None:
            self.link.build(flat, flat)
        self.map.build(flat)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.link is None:
            return self.map(_flat(self.structure(inputs)))
        into, around = fork(inputs, 2)
        return self.map(self.link(_flat(around), _flat(self.structure(into))))


def _flat(embeddings: tf.Tensor) -> tf.Tensor:
    """Returns vectors side by side, `(batch, fields * dim)`, or as they are if they lie so."""
    if len(embeddings.shape) == 2:
        return embeddings
    return tf.reshape(embeddings, (-1, embeddings.shape[1] * embeddings.shape[2]))
