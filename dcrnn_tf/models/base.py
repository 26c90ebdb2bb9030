"""What all models have in common: embedding, tower per task, named logits."""

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf

from dcrnn_tf.errors import UserError
from dcrnn_tf.layers import FieldEmbedding
from dcrnn_tf.schema import MULTI_CATEGORICAL, NUMERIC, Field


class ModelError(UserError, ValueError):
    """A model cannot be built as asked."""


class MultiTaskModel(keras.Model):
    """Embeds the fields of a batch and predicts one logit per task.

    A model is a subclass with one method, `logits`. It goes through `compile` and `fit` as well as
    through a loop of one's own; losses that a model adds itself are in `model.losses`.

    Args:
      fields: as `FieldEmbedding` takes them.
      tasks: names of the tasks, in causal order.
      embedding_dim: width of an embedding.
      embedding_range: the embeddings start uniform in `[-embedding_range, embedding_range]`.
      static_shapes: whether XLA shall compile the whole model; see `FieldEmbedding`.
    """

    def __init__(
        self,
        fields: Sequence[Field | Mapping],
        tasks: Sequence[str],
        embedding_dim: int = 32,
        embedding_range: float = 0.05,
        static_shapes: bool = False,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # ids and weights go to the embedding untouched
        self.tasks = tuple(tasks)
        self.embedding_dim = embedding_dim
        self.embedding_range = embedding_range
        self.static_shapes = static_shapes
        self.embedding = FieldEmbedding(
            fields,
            embedding_dim,
            embedding_range,
            static_shapes,
            name="embedding",
            dtype=self.dtype_policy,
        )
        self.fields = self.embedding.fields

    def build(self, input_shape=None) -> None:
        """Creates all weights, by tracing the model on the shapes that its fields have."""
        symbols = {
            name: keras.KerasTensor(spec.shape, spec.dtype.name)
            for name, spec in feature_specs(self.fields).items()
        }
        self.compute_output_spec(symbols)

    def call(self, features: Mapping[str, tf.Tensor], training: bool = False) -> dict:
        """Logits of a batch, float32 (or wider) `(batch,)`, by task.

        Args:
          features: as `FieldEmbedding` takes them.
          training: whether the call belongs to a training step.
        """
        logits = self.logits(self.embedding(features), training)
        return {
            task: keras.ops.cast(logit, self.variable_dtype)
            for task, logit in zip(self.tasks, logits, strict=True)
        }

    def logits(self, embeddings: tf.Tensor, training: bool) -> Sequence[tf.Tensor]:
        """The logits `(batch,)` of each task, in order, from embeddings `(batch, fields, dim)`."""
        raise NotImplementedError

    def training_logits(self, features: Mapping, labels: Mapping) -> dict:
        """What a training step calls: a model that needs the labels there overrides this.

        Args:
          features: of a batch.
          labels: `{task: (batch,)}`.
        """
        return self(features, training=True)

    @property
    def embedding_variables(self) -> list:
        """The embedding table, whose gradient is a `tf.IndexedSlices`; empty without ids."""
        return [] if self.embedding.table is None else [self.embedding.table]

    def embedding_rows(self, features: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """For each of `embedding_variables` the rows that a batch may read, repeated or not."""
        return [self.embedding.rows(features) for _ in self.embedding_variables]

    @property
    def other_variables(self) -> list:
        """All trainable variables but the embedding table."""
        tables = {id(variable) for variable in self.embedding_variables}
        return [v for v in self.trainable_variables if id(v) not in tables]

    def parameter_counts(self) -> dict[str, int]:
        """Trainable parameters: `total`, `embedding` (the table) and `other`."""
        counts = {
            "embedding": sum(v.value.shape.num_elements() for v in self.embedding_variables),
            "other": sum(v.value.shape.num_elements() for v in self.other_variables),
        }
        return {"total": sum(counts.values())} | counts

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return super().get_config() | {
            "fields": [dataclasses.asdict(field) for field in self.fields],
            "tasks": list(self.tasks),
            "embedding_dim": self.embedding_dim,
            "embedding_range": self.embedding_range,
            "static_shapes": self.static_shapes,
        }


def feature_specs(fields: Sequence[Field]) -> dict[str, tf.TensorSpec]:
    """Shapes and types of the features of a batch, entity rows included; None is any size."""
    specs = {}
    for field in fields:
        dtype = tf.float32 if field.kind == NUMERIC else tf.int32
        multiple = field.kind == MULTI_CATEGORICAL
        shape = (None, None) if multiple else (None,)
        specs[field.name] = tf.TensorSpec(shape, dtype, field.name)
        if field.weighted:
            specs[field.weight_name] = tf.TensorSpec(shape, tf.float32, field.weight_name)
    for entity in dict.fromkeys(field.entity for field in fields if field.entity):
        specs[f"{entity}_row"] = tf.TensorSpec((None,), tf.int32, f"{entity}_row")
    return specs
