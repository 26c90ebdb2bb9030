"""The base of all models: embeddings, a logit for each task, by name."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from dcrnn_tf.dataset.names import ascii_names
from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, VECTOR, Field, Task
from dcrnn_tf.kernels import operations
from dcrnn_tf.layers import FieldEmbedding, SharedRows, Tower
from dcrnn_tf.layers.base import Configured
from dcrnn_tf.layers.dense import hidden_end
from dcrnn_tf.models.fit_by_task import FitByTask
from dcrnn_tf.models.model_error import ModelError
from dcrnn_tf.models.tasks_in_sequence import TasksInSequence

# Key among the features of a step, as no field is named. It is before every field in their order:
# Keras weights a batch in the mean of losses by the rows of what comes first.
LABELS = "\nlabels of the batch"


class Explanation(NamedTuple):
    """A quantity inside a model, with named rows and columns.

    Attributes:
      values: Values, `(batch, rows, columns)`, or `(rows, columns)` if they are the same for every
        example.
      rows: Names of the rows.
      columns: Names of the columns.
    """

    values: tf.Tensor
    rows: tuple[str, ...]
    columns: tuple[str, ...]


class MultiTaskModel(Configured, TasksInSequence, FitByTask):
    """A model that embeds the fields of a batch and predicts one logit per task.

    A model is a subclass with one method, `logits`. It goes through `compile` and `fit` as well as
    through a loop of one's own; losses that a model adds itself are in `model.losses`, numbers of
    a training step that it reports in `statistics`.

    Args:
      fields: Fields of the dataset, as `FieldEmbedding` takes them.
      tasks: Tasks of the dataset, in causal order; the name of a binary one is enough.
      embedding_dim: Width of an embedding.
      embedding_range: The embeddings start uniform in `[-embedding_range, embedding_range]`.
      static_shapes: Whether XLA compiles the whole model; see `FieldEmbedding`.
      tasks_in_sequence: Whether each task is positive only where the one before it is, as
        conversions are where clicks are; then there are `outputs_in_sequence`.
      table_shards: Number of variables over which the embedding table's rows are spread.
      table_devices: Devices that take turns in holding these; None, on the command line `null`,
        leaves it to TensorFlow.
      frozen_fields: Names of fields of ids whose embeddings training leaves as they are.
      dropout: Share of the outputs of hidden layers, in experts, towers and perceptrons, that is
        dropped in training.
      normalization: Normalisation in these layers: `none`, `batch` or `layer`.

    Attributes:
      tasks: Names of the tasks, in order.
      task_specs: The tasks, each with its kind.
      task_scopes: Names of the tasks as names of layers can hold them, in order; plain ones are the
        same.
      statistic_names: Names of the numbers that `add_statistic` gets in every training step.
      takes_dense_options: Whether the model has made layers with `dense_options`.
      takes_shared_rows: Whether `logits` takes embeddings as `SharedRows` too.
      settings_from_zero: Names of the settings whose whole numbers may be 0; others are from 1.

    Example:
      >>> import tensorflow as tf
      >>> from dcrnn_tf import models
      >>> from dcrnn_tf.dataset.schema import Field
      >>> class SumOfEmbeddings(models.MultiTaskModel):
      ...     def logits(self, embeddings, training, labels=None):
      ...         return [tf.reduce_sum(embeddings, axis=(1, 2)) for _ in self.tasks]
      >>> model = SumOfEmbeddings([Field("user", vocabulary_size=50)], ["click", "conversion"])
      >>> model({"user": tf.constant([3, 4, 5])})["click"].shape
      TensorShape([3])
    """

    statistic_names: tuple[str, ...] = ()
    takes_shared_rows: bool = False
    settings_from_zero: tuple[str, ...] = ()

    def __init__(
        self,
        fields: Sequence[Field | Mapping],
        tasks: Sequence[str | Task | Mapping],
        embedding_dim: int = 32,
        embedding_range: float = 0.05,
        static_shapes: bool = False,
        tasks_in_sequence: bool = False,
        table_shards: int = 1,
        table_devices: Sequence[str] | None = None,
        frozen_fields: Sequence[str] = (),
        dropout: float = 0.0,
        normalization: str = "none",
        **kwargs,
    ):
        hidden_end.check(dropout, normalization)
        super().__init__(autocast=False, **kwargs)  # ids and weights go to the embedding untouched
        self.task_specs = tuple(map(_task, tasks))
        self.tasks = tuple(task.name for task in self.task_specs)
        self.task_scopes = tuple(ascii_names(self.tasks).values())
        self.embedding_dim = embedding_dim
        self.tasks_in_sequence = tasks_in_sequence
        self.takes_dense_options = False
        self.dropout = dropout
        self.normalization = normalization
        self._only_where: tuple[tuple[str, str], ...] = ()
        self.embedding = FieldEmbedding(
            fields,
            self.embedding_width,
            embedding_range,
            static_shapes,
            table_shards,
            table_devices,
            frozen_fields,
            self.embedding_parts,
            name="embedding",
            dtype=self.dtype_policy,
        )
        self.fields = self.embedding.fields
        self._statistics = _Statistics()

    @property
    def dense_options(self) -> dict:
        """What perceptrons, towers and experts of the model are made with."""
        self.takes_dense_options = True
        return {
            "dropout": self.dropout,
            "normalization": self.normalization,
            "dtype": self.dtype_policy,
        }

    @property
    def embedding_width(self) -> int:
        """The width of the embedding table: `embedding_dim`, unless a field needs several."""
        return self.embedding_dim

    @property
    def embedding_parts(self) -> int:
        """The number of equal parts of an embedding that have to do with one another in nothing."""
        return 1

    @property
    def vector_columns(self) -> tuple[int, ...]:
        """The columns of the table at which an embedding of width `embedding_dim` begins."""
        width = self.embedding_width // self.embedding_parts
        return tuple(range(0, self.embedding_width, width)) if width >= self.embedding_dim else ()

    def build(self, input_shape=None) -> None:
        """Creates all weights, by tracing the model on the shapes that its fields have."""
        if self.embedding.table_devices is not None and not self.embedding.built:
            # Keras creates a trace's variables when the trace is over, out of its device's context.
            self.embedding.build()
        symbols = {
            name: keras.KerasTensor(spec.shape, spec.dtype.name)
            for name, spec in feature_specs(self.fields).items()
        }
        self.compute_output_spec(symbols)

    def task_towers(self, units: Sequence[int], part: str = "") -> tuple[Tower, ...]:
        """Returns a new tower for each task, with as many outputs as the task needs.

        Args:
          units: Widths of the hidden layers.
          part: What the towers' names have behind those of the tasks.
        """
        return tuple(
            Tower(units, task.outputs, name=f"{scope}{part}_tower", **self.dense_options)
            for task, scope in zip(self.task_specs, self.task_scopes, strict=True)
        )

    def call(self, features: Mapping[str, tf.Tensor], training: bool = False) -> dict:
        """Returns the logits of a batch by task, float32 (or wider) `(batch,)`.

        The output of a regression task is a number on the scale on which it is learned; a task that
        needs several outputs has `(batch, outputs)`.

        Args:
          features: Features, as `FieldEmbedding` takes them; in a training step `LABELS` too.
          training: Whether the call belongs to a training step.
        """
        labels = features.get(LABELS) if training else None
        return self._named(self.logits(self.embed(features, training), training, labels))

    def embed(self, features: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        """Returns what `logits` takes; a model overrides it to read lists value by value."""
        return self.embedding(features, training=training)

    def logits(
        self, embeddings: tf.Tensor, training: bool, labels: Mapping | None = None
    ) -> Sequence[tf.Tensor]:
        """Returns the logits `(batch,)` of each task, in order.

        Args:
          embeddings: Embeddings, `(batch, fields, embedding_width)`, or `SharedRows` for a model
            that takes them.
          training: Whether the call belongs to a training step.
          labels: Labels of the batch, `{task: (batch,)}`, in a training step that knows them.
        """
        raise NotImplementedError

    def rank_logits(self, features: Mapping[str, tf.Tensor]) -> dict:
        """Returns the logits of a user's candidates, those of `call`.

        A model that is linear in the embeddings at first, and sets `takes_shared_rows`, computes
        the user's part of that once.

        Args:
          features: Features, as `call` takes them; the user's fields are those of an entity table.
        """
        if not self.takes_shared_rows:
            return self(features, training=False)
        return self._named(self.logits(self.embedding.shared_rows(features), training=False))

    def _named(self, logits: Sequence[tf.Tensor]) -> dict:
        named = {}
        for task, logit in zip(self.task_specs, logits, strict=True):
            width = 1 if len(logit.shape) == 1 else logit.shape[-1]
            if width != task.outputs:
                raise ModelError(
                    f"model {self.name} has {width} outputs for an example of task {task.name}, "
                    f"which needs {task.outputs}; make its last layers with task_towers"
                )
            named[task.name] = keras.ops.cast(logit, self.variable_dtype)
        return named

    def flattened(self, embeddings: tf.Tensor | SharedRows) -> tf.Tensor | SharedRows:
        """Returns embeddings as `(batch, fields * embedding_width)`."""
        if isinstance(embeddings, SharedRows):
            return embeddings
        return tf.reshape(embeddings, (-1, len(self.fields) * self.embedding_width))

    def takes_compiled(self, training: bool) -> bool:
        """Returns whether layers may take compiled operations, where there are some.

        Only training takes them, so that models export; XLA compiles TensorFlow's alone.
        """
        return (
            training
            and not self.embedding.static_shapes
            and self.dtype_policy.compute_dtype == "float32"
            and operations.usable(*(variable.value for variable in self.other_variables))
        )

    def training_logits(self, features: Mapping, labels: Mapping) -> dict:
        """Returns the logits of a training step, which knows the labels.

        Args:
          features: Features of a batch.
          labels: Labels of the batch, `{task: (batch,)}`.
        """
        return self({**features, LABELS: self.training_labels(labels)}, training=True)

    def train_step(self, data: tuple) -> dict:
        """Makes a step of `fit`, which knows the labels as `training_logits` does."""
        return super().train_step(self._with_labels(data))

    def test_step(self, data: tuple) -> dict:
        """Makes a step of `evaluate`, on the labels that training takes."""
        return super().test_step(self._with_labels(data))

    def _with_labels(self, data: tuple) -> tuple:
        """Returns what Keras gives a step, with the labels among the features too."""
        features, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        if self.tasks_on_every_exposure:
            labels = self.training_labels(labels)
        return {**features, LABELS: labels}, labels, weights

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, and where tasks are defined."""
        only_where = {"only_where": dict(self._only_where)} if self._only_where else {}
        return super().get_config() | only_where

    @classmethod
    def from_config(cls, config: Mapping, custom_objects: Mapping | None = None):
        """Makes a model of what `get_config` returned."""
        arguments = dict(config)
        only_where = arguments.pop("only_where", {})
        model = super().from_config(arguments, custom_objects)
        model._only_where = tuple(only_where.items())
        return model

    def add_statistic(self, name: str, value: tf.Tensor) -> None:
        """Notes a number of the current training step, a scalar; for `logits` to call."""
        self._statistics.values[name] = value

    @property
    def statistics(self) -> dict[str, tf.Tensor]:
        """The numbers of the last training step, to be read where it was traced."""
        return {name: self._statistics.values[name] for name in self.statistic_names}

    def explain(self, features: Mapping[str, tf.Tensor]) -> dict[str, Explanation]:
        """Returns quantities inside the model, such as gates, by name; called eagerly."""
        return {}

    @property
    def embedding_variables(self) -> list:
        """The embedding tables, whose gradients are `tf.IndexedSlices`; empty without ids.

        A table that is spread over several variables gives all of them, one of frozen fields alone
        none.
        """
        return list(self.embedding.tables)

    def embedding_rows(self, features: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Returns the rows of each embedding variable that a batch may read, repeated or not."""
        return self.embedding.rows_of_tables(features)

    @property
    def other_variables(self) -> list:
        """All trainable variables but the embedding tables."""
        tables = {id(variable) for variable in self.embedding_variables}
        return [v for v in self.trainable_variables if id(v) not in tables]

    def parameter_counts(self) -> dict[str, int]:
        """Returns the trainable parameters: `total`, `embedding` (tables) and `other`."""
        counts = {
            "embedding": sum(v.value.shape.num_elements() for v in self.embedding_variables),
            "other": sum(v.value.shape.num_elements() for v in self.other_variables),
        }
        return {"total": sum(counts.values())} | counts


class _Statistics:
    """Tensors out of sight of Keras, which would track a dict of them."""

    def __init__(self):
        self.values: dict[str, tf.Tensor] = {}


def feature_specs(fields: Sequence[Field]) -> dict[str, tf.TensorSpec]:
    """Returns shapes and types of a batch's features, entity rows included; None is any size."""
    specs = {}
    for field in fields:
        dtype = tf.int32 if field.has_ids else tf.float32
        multiple = field.kind == MULTI_CATEGORICAL
        shape: tuple[int | None, ...] = (None, None) if multiple else (None,)
        if field.kind == VECTOR:
            shape = (None, field.length)
        specs[field.name] = tf.TensorSpec(shape, dtype, field.name)
        if field.weighted:
            specs[field.weight_name] = tf.TensorSpec(shape, tf.float32, field.weight_name)
    for entity in dict.fromkeys(field.entity for field in fields if field.entity):
        specs[f"{entity}_row"] = tf.TensorSpec((None,), tf.int32, f"{entity}_row")
    return specs


def _task(task: str | Task | Mapping) -> Task:
    """Returns a task of what says it: itself, its name, or its attributes."""
    if isinstance(task, str):
        return Task(task)
    return Task(**task) if isinstance(task, Mapping) else task
