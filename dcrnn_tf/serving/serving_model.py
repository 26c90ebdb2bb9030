"""A model with its vocabularies as functions of raw features, which a SavedModel keeps."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.reader import PreparedDataset
from dcrnn_tf.dataset.schema import REGRESSION, DatasetError, Schema
from dcrnn_tf.layers.embedding.compact_rows import FLOAT32
from dcrnn_tf.layers.product import bfloat16_products
from dcrnn_tf.models import MultiTaskModel, probabilities
from dcrnn_tf.models.derived_outputs import kinds
from dcrnn_tf.serving.encoded_features import EncodedFeatures
from dcrnn_tf.serving.examples import serialize
from dcrnn_tf.serving.raw_features import RawFeatures
from dcrnn_tf.serving.raw_rows import raw_rows
from dcrnn_tf.serving.signatures import argument_names, named_inputs
from dcrnn_tf.serving.trial import Trial
from dcrnn_tf.training.evaluation import Predictor

ENCODED = "encoded_features"  # the signature whose ids are rows of the embedding tables
EXAMPLES = "examples"  # the input of `serve_examples`
TRIED_SPLITS = ("validation", "test", "train")
TRIED_ROWS = 256
# The table and its row numbers have names that no field has, for none has a line break.
_USER_TABLE = "user\n"
_USER_ROW = f"{_USER_TABLE}_row"


class ServingModel(tf.Module):
    """Raw features to probabilities and predicted numbers, with the vocabularies inside.

    Signatures, all of them with the outputs of `output_names`, float32 `(batch,)` each:

    - `serving_default`: an input per field, as `RawFeatures.specs` has them. Inputs that are left
      out are missing values; an input with one row counts for all rows.
    - `serve_examples`: serialized `tf.Example`s, one input `examples`.
    - `rank`: one user and n candidates. The user's fields have one row and are looked up and pooled
      once, the others n rows. n users are one for each candidate; any other number is refused.
    - `encoded_features`: an input per field, n rows each, encoded already as `EncodedFeatures` has
      them.

    A loaded SavedModel has `serving_default` as its method `predict`, and `rank` under its name:
    these are called from Python without the inputs that are missing.

    A task's output is its probability; that of a task defined only where another one is positive
    is the probability given that one. Derived outputs are there by their names: such a task's
    `TASK_per_exposure`, and `TASK_after_GIVEN` of a model whose tasks are in sequence. The output
    of a regression task is a number on the scale of its labels, that of a multiclass one has a
    probability for each of its `classes`, `(batch, classes)`.

    Args:
      model: trained.
      schema: of its dataset.
      vocabularies: `{field: raw ids}`, as `RawFeatures` takes them.
      positive_weights: that the model was trained with, `{task: w}`; log w is taken off its logits.
      user_fields: Fields of the user; without them there is no `rank`.
      table_precision: Type in which embedding tables are stored, `float32` or one that
        `CompactRows` takes.

    Attributes:
      table_precision: That type.
      low_precision: Whether products are computed in another type than float32.

    Raises:
      DatasetError: there is no such field, or no other one; a positive weight is no finite number
        above 0; or as `RawFeatures`.
    """

    def __init__(
        self,
        model: MultiTaskModel,
        schema: Schema,
        vocabularies: Mapping[str, np.ndarray],
        positive_weights: Mapping[str, float],
        user_fields: Sequence[str] = (),
        table_precision: str = FLOAT32,
    ):
        super().__init__(name="serving_model")
        names = [field.name for field in schema.fields]
        if unknown := sorted(set(user_fields) - set(names)):
            raise DatasetError(f"the model has no field {', '.join(unknown)} to be the user's")
        if user_fields and not set(names) - set(user_fields):
            raise DatasetError("all fields are the user's, so that no two candidates differ")
        self._user_fields = [name for name in names if name in user_fields]
        self._candidate_fields = [name for name in names if name not in user_fields]
        self.tasks = schema.tasks
        self.derived_outputs = model.derived_outputs(schema.tasks)
        self._on_every_exposure = model.tasks_on_every_exposure
        positive_weights = {n: positive_weights.get(n, math.nan) for n in schema.task_names}
        self._log_weights = probabilities.log_weights(positive_weights, schema.tasks)
        self.raw_features = RawFeatures(schema, vocabularies)
        copy = _with_user(model, self._user_fields)
        replaced: dict = {}
        if table_precision != FLOAT32:
            replaced = copy.embedding.compact(table_precision)
        self.table_precision = table_precision
        # In functions out of sight of TensorFlow, which would save the whole model a second time.
        predictor = Predictor(model, positive_weights)
        self._trained = lambda features: predictor.probabilities(features, schema.tasks)
        self._raw_rows = lambda features: raw_rows(schema, vocabularies, features)
        self.low_precision = model.compute_dtype != "float32" or bfloat16_products()
        # The variables alone: of a Keras model more would be saved than a server needs.
        tables = {id(variable) for shards in replaced.values() for variable in shards}
        kept = tuple(v.value for v in copy.variables if id(v) not in tables)
        self.weights = (*kept, *(table.stored for table in replaced))
        self._logits = lambda features: copy(features, training=False)
        self._rank_logits = copy.rank_logits
        raw, arguments = self.raw_features, self.arguments
        self._encoded_features = EncodedFeatures(schema)
        specs = self._encoded_features.specs()
        self._scored = named_inputs(  # traced once, for all signatures but `rank`
            lambda features: self._probabilities(self._logits(features)), specs, arguments
        )
        self.predict = named_inputs(self, raw.specs(), arguments, raw.defaults())
        if user_fields:
            specs = raw.specs(self._user_fields) | raw.specs(self._candidate_fields)
            self.rank = named_inputs(self._rank, specs, arguments, raw.defaults())

    def __call__(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Probabilities of a batch of raw inputs."""
        return self._score(self.raw_features.encode(raw))

    def encoded(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Probabilities of a batch of features that are encoded already."""
        return self._score(self._encoded_features.checked(features))

    def examples(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probabilities of serialized `tf.Example`s."""
        return self(self.raw_features.parse(serialized))

    def _rank(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Probabilities of one user's candidates, or of a candidate each of as many users."""
        user = self.raw_features.encode(raw, self._user_fields)
        candidates = self.raw_features.encode(raw, self._candidate_fields)
        users, count = (tf.shape(next(iter(part.values())))[0] for part in (user, candidates))
        # A server that batches puts requests of one candidate together, each with its user.
        fits = tf.debugging.Assert(
            (users == 1) | (users == count),
            ["rank takes one user, or one for each candidate; users and candidates:", users, count],
        )
        with tf.control_dependencies([fits]):
            row = tf.where(users == 1, 0, tf.range(count))
        return self._probabilities(self._rank_logits(user | candidates | {_USER_ROW: row}))

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs: of the tasks, then those derived from them."""
        derived = [output.name for output in self.derived_outputs]
        return [task.name for task in self.tasks] + derived

    @property
    def numbers(self) -> frozenset[str]:
        """The names of the outputs that are numbers instead of probabilities."""
        of_outputs = kinds(self.tasks, self.derived_outputs)
        return frozenset(name for name, kind in of_outputs.items() if kind == REGRESSION)

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """The classes of each multiclass task, in the order of its output's columns."""
        return {task.name: task.classes for task in self.tasks if task.classes}

    def specs(self) -> dict[str, dict[str, tf.TensorSpec]]:
        """Shapes and types of the inputs of each signature, `{signature: {input: spec}}`."""
        fields = self.raw_features.specs()
        specs = {
            "serving_default": fields,
            "serve_examples": {EXAMPLES: tf.TensorSpec((None,), tf.string)},
            ENCODED: self._encoded_features.specs(),
        }
        return specs | ({"rank": fields} if self._user_fields else {})

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """The functions behind the signatures, by name."""
        specs = self.specs()
        signatures = {
            "serving_default": self.predict,
            "serve_examples": named_inputs(
                lambda i: self.examples(i[EXAMPLES]), specs["serve_examples"], {EXAMPLES: EXAMPLES}
            ),
            ENCODED: named_inputs(self.encoded, specs[ENCODED], self.arguments),
        }
        return signatures | ({"rank": self.rank} if self._user_fields else {})

    @property
    def arguments(self) -> dict[str, str]:
        """The argument of each input when the signatures are called in Python, by input."""
        return argument_names(self.raw_features.specs())

    def samples(self, candidates: int = 100) -> dict[str, dict[str, np.ndarray]]:
        """Inputs to try each signature with, `{signature: {input: array}}`.

        Args:
          candidates: of `rank`; the other signatures get one row.
        """
        row = self.raw_features.samples()
        samples = {
            "serving_default": row,
            "serve_examples": {EXAMPLES: np.array([serialize(row)], object)},
            ENCODED: self._encoded_features.samples(),
        }
        if self._user_fields:
            rows = self.raw_features.samples(self._candidate_fields, candidates)
            samples["rank"] = self.raw_features.samples(self._user_fields) | rows
        return samples

    def trials(self, dataset: PreparedDataset) -> list[Trial]:
        """Rows of a dataset for each signature, with their probabilities by the model in training.

        Args:
          dataset: that the model belongs to; of validation, test and training split the first that
            has rows is taken.
        """
        raw, known, _ = self._first_rows(dataset, TRIED_ROWS)
        rows = len(next(iter(raw.values())))
        examples = [serialize({n: column[row] for n, column in raw.items()}) for row in range(rows)]
        expected = self._expected(known)
        trials = [
            Trial("serving_default", raw, *expected),
            Trial("serve_examples", {EXAMPLES: np.array(examples, object)}, *expected),
            Trial(ENCODED, known, *expected),
        ]
        if self._user_fields:
            user = self.raw_features.specs(self._user_fields)
            first = {name: column[:1] for name, column in raw.items() if name in user}
            same = {name: np.repeat(known[name][:1], rows, axis=0) for name in user}
            trials.append(Trial("rank", raw | first, *self._expected(known | same)))
        return trials

    def labelled_rows(
        self, dataset: PreparedDataset, rows: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Returns rows of a dataset as clients send them, and their labels by task.

        Args:
          dataset: The dataset that the model belongs to; the split is that of `trials`.
          rows: Largest number of rows.
        """
        raw, _, labels = self._first_rows(dataset, rows)
        return raw, labels

    def _first_rows(self, dataset: PreparedDataset, rows: int) -> tuple[dict, dict, dict]:
        """Returns rows as clients send them, their features, and their labels."""
        features, labels = next(batches(dataset, rows))
        return *self._raw_rows(features), labels

    def both(
        self, features: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Returns what the model in training gives, and what it gives as its tables are stored."""
        return self._trained(features), self._as_stored(features)

    def _as_stored(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self.table_precision == FLOAT32:
            return self._trained(features)
        found = self._score({name: tf.constant(column) for name, column in features.items()})
        return {name: values.numpy() for name, values in found.items()}

    def _expected(
        self, features: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], float, dict[str, float]]:
        """What the model in training gives, and how far sums in another order may bring it.

        The distance is one for all probabilities, and one for each output that is a number.

        Large numbers that are not scaled leave few digits to a logit. How few shows the difference
        that it makes to round every number up or down.
        """
        expected = self._as_stored(features)
        rounding, tolerance = (2.0**-9, 2.0**-6) if self.low_precision else (2.0**-23, 2.0**-16)
        random = np.random.default_rng(0)
        rounded = {
            name: column * random.choice([1 - rounding, 1 + rounding], column.shape).astype("f4")
            for name, column in features.items()
            if column.dtype == np.float32
        }
        others = self._as_stored({**features, **rounded})
        differences = {n: float(np.abs(others[n] - expected[n]).max()) for n in expected}
        of_numbers = {
            name: tolerance * max(1.0, float(np.abs(expected[name]).max())) + 4 * differences[name]
            for name in self.numbers
        }
        of_probabilities = [differences[name] for name in expected if name not in self.numbers]
        return expected, tolerance + 4 * max(of_probabilities, default=0.0), of_numbers

    def _score(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return self._scored(*(features[name] for name in self._encoded_features.specs()))

    def _probabilities(self, logits: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        tasks = probabilities.unweighted(logits, self._log_weights, self.tasks)
        every = probabilities.with_derived(tasks, self.derived_outputs, self._on_every_exposure)
        return probabilities.shown(every, self.tasks, self.derived_outputs)


def batches(dataset: PreparedDataset, rows: int) -> Iterator[tuple[dict, dict]]:
    """Yields features and labels of the split that exports are tried with, as arrays.

    Args:
      dataset: The dataset; of `TRIED_SPLITS` the first that has rows is taken.
      rows: Largest number of rows of a batch.
    """
    splits = dataset.schema.splits
    split = next(name for name in TRIED_SPLITS if name in splits and splits[name].rows)
    for batch in dataset.batches(split, rows, joined=True, weighted=False):
        features, labels = (
            {name: column.numpy() for name, column in part.items()} for part in batch
        )
        yield features, labels


def _with_user(model: MultiTaskModel, user_fields: Sequence[str]) -> MultiTaskModel:
    """The model with the user's fields, and no others, in an entity table."""
    fields = [
        dataclasses.replace(field, entity=_USER_TABLE if field.name in user_fields else None)
        for field in model.fields
    ]
    copy = type(model).from_config(
        model.get_config()
        | {"fields": [dataclasses.asdict(field) for field in fields], "table_devices": None}
    )
    copy.build()
    for variable, trained in zip(copy.variables, model.variables, strict=True):
        variable.assign(trained)
    return copy
