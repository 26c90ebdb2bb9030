"""DIN: the deep interest network."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from dcrnn_tf.dataset.names import ascii_names
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, Field
from dcrnn_tf.layers import ActivatedTower, ListValues, TargetAttention, fork
from dcrnn_tf.models.registry import register
from dcrnn_tf.models.single_task.base import SingleTaskModel


class ListsAndFields(NamedTuple):
    """Embeddings of a batch, those of attended lists value by value.

    Attributes:
      fields: Embeddings of the other fields, `(batch, other fields, embedding_width)`.
      lists: Values of each attended list.
    """

    fields: tf.Tensor
    lists: tuple[ListValues, ...]


@register("din", label="DIN", width="hidden_units")
class DIN(SingleTaskModel):
    """A network for each task, in which a field of the candidate attends to the user's lists.

    `y = MLP([E, u_1, .., u_n])` (arXiv 1706.06978). `u = sum_i w_i a(e_i, t) e_i`, see
    `TargetAttention`, replaces the mean of a list's embeddings; t is the embedding of the field
    that attends to the list. E are the embeddings of all other fields. A user's lists are read once
    for all exposures of a batch.

    Args:
      fields: Fields of the dataset, as `MultiTaskModel` takes them.
      tasks: Names of the tasks, as `MultiTaskModel` takes them.
      attention: Names of the attending fields, `{list: field}`; the field must not be such a list
        itself. None takes the pairs that the fields name (`Field.attended_by`) and, if they name
        none, pairs each list with the first categorical field that belongs to no entity table. A
        dataset without lists leaves a perceptron.
      attention_units: Widths of the hidden layers of a.
      attention_activation: Activation of these layers, as `ActivatedTower` takes it.
      softmax: Whether the factors a of a list sum to 1, as in `TargetAttention`.
      hidden_units: Widths of the layers of the perceptron.
      activation: Activation of these layers, as `ActivatedTower` takes it.
      **kwargs: Settings of `MultiTaskModel`.

    Raises:
      ValueError: The fields do not allow a pair, or an activation is unknown.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field, Schema, Task
      >>> item = Field("item", vocabulary_size=90)
      >>> history = Field("history", "multi_categorical", 90, max_values=3, attended_by="item")
      >>> schema = Schema("shop", (item, history), (Task("click"),), splits={})
      >>> model = models.build("din", schema, hidden_units=[16, 8])
      >>> model.get_config()["attention"]
      {'history': 'item'}
      >>> features = {"item": tf.constant([7, 8]), "history": tf.constant([[7, 9, 0], [5, 0, 0]])}
      >>> {task: logits.shape for task, logits in model(features).items()}
      {'click': TensorShape([2])}
    """

    def __init__(
        self,
        fields,
        tasks,
        attention: Mapping[str, str] | None = None,
        attention_units: Sequence[int] = (80, 40),
        attention_activation: str = "dice",
        softmax: bool = False,
        hidden_units: Sequence[int] = (128, 64),
        activation: str = "dice",
        **kwargs,
    ):
        super().__init__(fields, tasks, **kwargs)
        self.pairs = _pairs(self.fields, attention)
        self.attention_units = tuple(attention_units)
        self.attention_activation = attention_activation
        self.softmax = softmax
        self.hidden_units = tuple(hidden_units)
        if self.normalization != "none":
            raise ValueError(
                f"normalization={self.normalization!r} is not for DIN, whose activation Dice "
                "normalises; leave it out"
            )
        self.activation = activation
        lists = [name for name, _ in self.pairs]
        self._others = tuple(field.name for field in self.fields if field.name not in lists)
        self.network("trial")  # refuses impossible settings here, not when weights are made

    def network(self, name: str) -> keras.layers.Layer:
        """Returns attention over each list, then a perceptron."""
        scopes = ascii_names(listed for listed, _ in self.pairs)
        return _Network(
            tuple(
                TargetAttention(
                    self.attention_units,
                    self.attention_activation,
                    self.softmax,
                    name=f"attention_of_{scopes[listed]}",
                    dtype=self.dtype_policy,
                )
                for listed, _ in self.pairs
            ),
            tuple(self._others.index(target) for _, target in self.pairs),
            ActivatedTower(
                self.hidden_units,
                self.activation,
                self.dense_options["dropout"],
                name="tower",
                dtype=self.dtype_policy,
            ),
            name=name,
            dtype=self.dtype_policy,
        )

    def embed(self, features: Mapping[str, tf.Tensor], training: bool) -> ListsAndFields:
        """Returns embeddings of the fields, and of the attended lists' values."""
        return ListsAndFields(
            self.embedding(features, fields=self._others, training=training),
            tuple(self.embedding.list_values(name, features) for name, _ in self.pairs),
        )

    def logits(
        self, embeddings: ListsAndFields, training: bool, labels: Mapping | None = None
    ) -> list[tf.Tensor]:
        """Returns each network's logits on its embeddings."""
        count = len(self.networks)
        own_fields = tf.split(embeddings.fields, count, axis=2)
        own_lists = [tf.split(values.embeddings, count, axis=1) for values in embeddings.lists]
        compiled = self.takes_compiled(training)
        logits = []
        for number, network in enumerate(self.networks):
            lists = [
                values._replace(embeddings=own[number])
                for values, own in zip(embeddings.lists, own_lists, strict=True)
            ]
            logits.append(network(own_fields[number], lists, training=training, compiled=compiled))
        return self.by_task(logits)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, with the pairs that it chose."""
        return super().get_config() | {"attention": dict(self.pairs)}


class _Network(keras.layers.Layer):
    """The network of one task.

    Args:
      attention: Attention over each list.
      targets: Position among the fields of each list's attending field.
      tower: Perceptron on all embeddings.
    """

    def __init__(
        self,
        attention: Sequence[TargetAttention],
        targets: Sequence[int],
        tower: ActivatedTower,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.attention = tuple(attention)
        self.targets = tuple(targets)
        self.tower = tower

    def build(self, embeddings_shape, lists_shape=None) -> None:
        _, fields, dim = embeddings_shape
        for attention in self.attention:
            attention.build((None, dim))
        self.width = fields * dim
        self.tower.build((None, (fields + len(self.attention)) * dim))

    def call(
        self,
        embeddings: tf.Tensor,
        lists: Sequence[ListValues],
        training: bool = False,
        compiled: bool = False,
    ) -> tf.Tensor:
        flat, *copies = fork(embeddings, 1 + len(lists))
        seen = [
            attention(values, copy[:, target], training=training, compiled=compiled)
            for attention, values, copy, target in zip(
                self.attention, lists, copies, self.targets, strict=True
            )
        ]
        inputs = tf.concat([tf.reshape(flat, (-1, self.width)), *seen], axis=1)
        return self.tower(inputs, training=training, compiled=compiled)


def _pairs(
    fields: Sequence[Field], attention: Mapping[str, str] | None
) -> tuple[tuple[str, str], ...]:
    """Returns the lists that are attended to, each with the field that attends to it."""
    by_name = {field.name: field for field in fields}
    lists = [field.name for field in fields if field.kind == MULTI_CATEGORICAL]
    if attention is None:
        attention = {
            field.name: field.attended_by for field in fields if field.attended_by in by_name
        }
        single = [f.name for f in fields if f.kind == CATEGORICAL and f.entity is None]
        if not attention and single:
            attention = dict.fromkeys(lists, single[0])
    if not isinstance(attention, Mapping):
        raise ValueError(f"attention={attention!r} must be pairs, such as {{history: item}}")
    for listed, target in attention.items():
        pair = f"attention={{{listed}: {target}}}"
        if listed not in lists:
            raise ValueError(f"{pair}: {listed} is no list; lists are {', '.join(lists) or 'none'}")
        if not isinstance(target, str) or target not in by_name:
            raise ValueError(f"{pair}: there is no field {target}")
        if target in attention:
            raise ValueError(f"{pair}: {target} is a list that is attended to itself")
    return tuple(attention.items())
