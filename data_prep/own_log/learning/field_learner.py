"""One field of an own log: what is learned of it from training rows."""

import dataclasses
import functools
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import polars as pl

from data_prep.own_log.cells import cut_lists, ids_of, numbers_of, spelled
from data_prep.own_log.declaration import Declaration, DeclaredField
from data_prep.own_log.learning.binning import BinsLearner
from data_prep.own_log.learning.earlier import EarlierField, Growth
from data_prep.own_log.learning.field_counts import FieldCounts
from data_prep.own_log.learning.id_sketch import IdSketch
from data_prep.own_log.learning.scaling import ScalingLearner
from data_prep.own_log.lists.vectors import vectors_of
from data_prep.own_log.lists.weighted import id_lists
from data_prep.storage.vocabulary import IdCounter
from dcrnn_tf.dataset.encodings import Bins, Ids, Scaling, Vector
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, NUMERIC, Field
from dcrnn_tf.dataset.vocabulary import Vocabulary


class FieldLearner:
    """Learns the encoding and the vocabulary of one field.

    Args:
      declared: The field.
      declaration: The declaration of the log.
      seed: Seed of the sample that quantiles are taken from.
      earlier: The field in the dataset that is extended, whose ids and scaling it keeps; None where
        all is learned anew.
    """

    def __init__(
        self,
        declared: DeclaredField,
        declaration: Declaration,
        seed: int,
        earlier: EarlierField | None = None,
    ):
        self.declared = declared
        self._earlier = earlier
        truncated = 0 if declared.kind == MULTI_CATEGORICAL else None
        self.counts = FieldCounts(0, truncated, declared.shares or declared.name)
        self.scaling = ScalingLearner(declared.scaling, seed)
        self._bins = BinsLearner(declared.bins) if declared.bins else None
        self._counter: IdCounter | IdSketch = IdCounter(spelled)
        if declared.hashed is not None:
            self._counter = self.counts.sketch = IdSketch()
        self._owner: FieldLearner = self  # learns the ids of this field
        self._encoding = declared.encoding(declaration.missing_values)
        self._entity = declaration.entity_of(declared)

    def share(self, owner: "FieldLearner") -> None:
        """Makes the learner of another field count this field's ids among its own."""
        self._owner, self._counter = owner, owner.counter
        self.counts.sketch = owner.counts.sketch

    @property
    def counter(self) -> IdCounter | IdSketch:
        """The counter of the field's ids, or the sketch of those that are hashed."""
        return self._bins.counter if self._bins else self._counter

    @property
    def id_counter(self) -> IdCounter:
        """The counter of ids that have a vocabulary.

        Raises:
          ValueError: They are hashed.
        """
        counter = self.counter
        if isinstance(counter, IdSketch):
            raise ValueError(f"the ids of field {self.declared.name} are hashed")
        return counter

    @property
    def _ids(self) -> Ids:
        """The encoding of a field of ids."""
        if not isinstance(self._encoding, Ids):
            raise ValueError(f"field {self.declared.name} has no ids")
        return self._encoding

    def add(self, frame: pl.DataFrame, train: np.ndarray) -> None:
        """Learns from the rows where `train` is true; counts missing and truncated over all."""
        column, encoding = frame[self.declared.column], self._encoding
        if isinstance(encoding, Vector):
            vectors, _ = vectors_of(column, encoding)
            self.counts.missing += int(np.isnan(vectors[:, 0]).sum())
            return
        if encoding.reads_numbers:
            numbers = self.numbers(frame)
            self.counts.missing += int(np.isnan(numbers).sum())
            (self._bins or self.scaling).add(numbers[train])
            return
        if self.declared.kind == CATEGORICAL:
            self.counts.missing += column.null_count()
            ids = ids_of(column, self._ids)
            self.counts.add_ids(ids)
            self._counter.add(ids.filter(pl.Series(train)))
            return
        lists, longest = id_lists(column, self._ids), self.declared.max_values
        self.counts.missing += int((lists.list.len() == 0).sum())
        self.counts.cut(int((lists.list.len() > longest).sum()))
        lists = cut_lists(lists, self._ids)
        self.counts.add_ids(lists.explode().drop_nulls())
        self._counter.add(lists.filter(pl.Series(train)).explode().drop_nulls())

    @property
    def entity_of_ids(self) -> str | None:
        """Name of the entity table whose rows give the field's ids; None if exposures do."""
        numbers = self._encoding.reads_numbers or self._encoding.gives_numbers
        return None if numbers else self._entity

    def add_entity_rows(self, frame: pl.DataFrame, train: np.ndarray, rows: np.ndarray) -> None:
        """Learns ids from rows of an entity table as `add` would from the exposures of each.

        Args:
          frame: Rows of the table.
          train: Number of training rows of each, `(rows,)` integers.
          rows: Number of all rows of each, `(rows,)` integers.
        """
        column, encoding = frame[self.declared.column], self._ids
        seen = train > 0
        if self.declared.kind == CATEGORICAL:
            self.counts.missing += int(rows[column.is_null().to_numpy()].sum())
            self.counts.add_ids(ids_of(column, encoding), rows)
            ids, weights = ids_of(column, encoding).filter(pl.Series(seen)), train[seen]
        else:
            lists, longest = id_lists(column, encoding), self.declared.max_values
            lengths = lists.list.len().to_numpy()
            self.counts.missing += int(rows[lengths == 0].sum())
            self.counts.cut(int(rows[lengths > longest].sum()))
            lists = cut_lists(lists, encoding)
            self.counts.add_ids(
                lists.explode().drop_nulls(), np.repeat(rows, lists.list.len().to_numpy())
            )
            lists = lists.filter(pl.Series(seen))
            ids = lists.explode().drop_nulls()
            weights = np.repeat(train[seen], lists.list.len().to_numpy())
        if isinstance(self._counter, IdSketch):
            self._counter.add(ids)
        else:
            self._counter.add(ids, pl.Series(weights))

    def numbers(self, frame: pl.DataFrame) -> np.ndarray:
        """Returns the column of numbers, NaN where they are missing."""
        numbers = numbers_of(frame[self.declared.column]).to_numpy()
        numbers, present = self._encoding.cleaned(numbers, np)
        return np.where(present, numbers, np.nan)

    def finish(self) -> tuple[Field, Vocabulary | None]:
        """Returns the field and its vocabulary; numbers and hashed ids have none."""
        declared, encoding, vocabulary = self.declared, self._encoding, None
        if declared.kind == NUMERIC:
            encoding = self.scaling.encoding(encoding.missing)
            if self._earlier is not None:
                encoding = self._earlier.field.encoded_as(Scaling)
        elif self._bins and self._earlier is not None and self.growth is not None:
            bins = self._earlier.field.encoded_as(Bins)
            encoding = dataclasses.replace(bins, min_count=declared.min_count)
            vocabulary = self.growth.vocabulary
        elif self._bins:
            encoding, vocabulary = self._bins.finish(declared.min_count, encoding.missing)
        elif declared.hashed is None and declared.kind in (CATEGORICAL, MULTI_CATEGORICAL):
            vocabulary = self._owner.vocabulary
            self.counts.compare(vocabulary.ids)
        field = declared.as_field(len(vocabulary.ids) if vocabulary else 0, encoding)
        return dataclasses.replace(field, entity=self._entity), vocabulary

    @functools.cached_property
    def growth(self) -> Growth | None:
        """What became of the ids of the dataset that is extended; None where the field has none."""
        if self._earlier is None or self._earlier.vocabulary is None or self._owner is not self:
            return None
        if self._bins:
            table = self._bins.counted(self._earlier.field.encoded_as(Bins))
        else:
            table = self.id_counter.table()
        return self._earlier.grown(table, self.declared.min_count)

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the ids, after all of them have been counted."""
        if self.growth is not None:
            return self.growth.vocabulary
        return self.id_counter.vocabulary(self.declared.min_count)


def field_learners(
    declaration: Declaration, seed: int, earlier: Mapping[str, EarlierField] = MappingProxyType({})
) -> list[FieldLearner]:
    """Returns the learners of all fields; fields that share their ids count them together.

    Args:
      declaration: Declaration of the log.
      seed: Seed of the samples that quantiles are taken from.
      earlier: The fields of the dataset that is extended, by name.
    """
    learners = {
        f.name: FieldLearner(f, declaration, seed, earlier.get(f.name)) for f in declaration.fields
    }
    for learner in learners.values():
        if learner.declared.shares is not None:
            learner.share(learners[learner.declared.shares])
    return [*learners.values()]
