"""A prepared dataset as `tf.data` batches, with the entity tables joined on the way.

One TFRecord record is a block of up to 1,024 rows, a column a feature, raw bytes the value: a
block is parsed as a whole, so that no work is done row by row. The rows of a split already lie
in random order; an epoch reads them in another one: files and blocks are shuffled, then the rows
of several blocks among themselves. The order depends on the seed and the epoch alone, so that a
run can go on in the middle of an epoch with the very batch that it would have met.
"""

import contextlib
import copy
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset import verification
from dcrnn_tf.dataset.batch_parts import BatchParts
from dcrnn_tf.dataset.blocks import as_written, pad, parse_block, permute, pop_lists, within
from dcrnn_tf.dataset.entity_table import EntityTable
from dcrnn_tf.dataset.fixed_threads import PARALLEL_CALLS, with_fixed_threads
from dcrnn_tf.dataset.guarded import GuardedDataset
from dcrnn_tf.dataset.names import column_name
from dcrnn_tf.dataset.schema import (
    REGRESSION,
    DatasetError,
    Entity,
    Schema,
    Shard,
    Split,
    Task,
    load_schema,
    sha256_of_file,
)
from dcrnn_tf.dataset.vocabulary import load_vocabularies

TRAIN = "train"  # the split whose rows may be a sample
SHUFFLED_BLOCKS = 256
WINDOW_ROWS = 16 * 1024
_DAMAGE = (  # what TensorFlow says of a file that is damaged, or vanishes while it is read
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
)


class PreparedDataset:
    """Reads a prepared dataset.

    Args:
      folder: of the prepared dataset.
      fields: names of the fields to read; None reads all.
      splits: names of the splits to read; None reads all. The files of others are never opened.

    Raises:
      DatasetError: the folder is no prepared dataset, or a shard is missing or cut.

    Example:
      >>> dataset = PreparedDataset("data/ali_ccp")
      >>> for features, labels in dataset.batches("train", batch_size=1024, seed=1, epoch=0):
      ...     print(features["field_205"].shape, labels["click"].shape)
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        fields: Sequence[str] | None = None,
        splits: Sequence[str] | None = None,
    ):
        self.folder = pathlib.Path(folder)
        schema = load_schema(folder)
        self._splits = None if splits is None else frozenset(splits)
        self._columns = schema.exposure_columns()
        self._labels = [task.column for task in schema.tasks]
        self.schema: Schema = schema if fields is None else schema.select_fields(fields)
        for shard in self._all_shards():
            self._check_size(shard)
        self._tables: dict[str, EntityTable] = {}

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits to read."""
        return tuple(self._read_splits(self.schema))

    def batches(
        self,
        split: str,
        batch_size: int,
        seed: int | None = None,
        epoch: int = 0,
        skip: int = 0,
        static_shapes: bool = False,
        every: tuple[int, int] = (0, 1),
        parts: BatchParts | None = None,
        joined: bool = False,
        weighted: bool = True,
    ) -> tf.data.Dataset:
        """Batches of `(features, labels)`, both dicts; the last batch may be smaller.

        Where a task's examples have weights, batches are `(features, labels, weights)`, as Keras'
        `fit` takes them: for every task float32 `(batch,)`, on average 1 over the training rows.
        So they are in training batches of other tasks than the one of whose negatives a share was
        kept: the negatives that are there stand for those that are not.

        A categorical field is int32 `(batch,)`, a multi-categorical one int32 `(batch, width)`
        padded with 0, a numeric one float32 `(batch,)`. The fields of an entity table `user` have
        one row for each distinct user of the batch, and `features["user_row"]`, int32 `(batch,)`,
        tells each exposure's row among them. Labels are float32 `(batch,)`: 0, 1, or -1 where the
        task is not defined; those of a regression task are numbers, or NaN where it is not defined,
        those of a multiclass task positions of classes.

        Whoever iterates over the batches gets a `DatasetError` that names the damage of a damaged
        file. Where a compiled function iterates, as in `model.fit`, call it in the context
        `naming_damage`.

        Args:
          split: name of the split.
          batch_size: rows of a batch.
          seed: seed of the order of rows; None reads them as they lie on disk.
          epoch: number of the pass; each has an order of its own.
          skip: batches to leave out at the beginning.
          static_shapes: give every full batch the same shapes, for XLA: as many rows of an entity
            table as exposures, by repeating one of them, and lists as wide as the longest of all.
          every: n and N: of the batches that are left, every N-th from the n-th on, alone.
          parts: give some parts of each batch instead of the whole: a tuple of their features, one
            of their labels and one of their shares of the batch's rows, and of their weights if
            there are any. A part without rows gets one in which no task is defined, and the share
            0.
          joined: give the fields of entity tables one row for each exposure, and no `user_row`.
          weighted: give weights where there are any.

        Raises:
          DatasetError: there is no such split, or it is empty or not to be read, or an entity table
            is damaged.
        """
        if self._splits is not None and split not in self._splits:
            raise DatasetError(f"the split {split} of {self.folder} is not to be read here")
        for entity in self._used_entities():
            self.entity_table(entity.name)  # read outside of the graph that is made below
        if not self.schema.split(split).rows:
            raise DatasetError(f"the split {split} of {self.folder} has no rows")
        files = [str(self.folder / shard.file) for shard in self.schema.split(split).shards]
        if seed is not None:
            random = np.random.default_rng([seed, epoch])
            files = [files[i] for i in random.permutation(len(files))]
            block_seed, window_seed = (int(x) for x in random.integers(2**31, size=2))
        # Shuffled blocks come from four files at a time, else one file follows the other.
        blocks = tf.data.Dataset.from_tensor_slices(files).interleave(
            tf.data.TFRecordDataset, cycle_length=1 if seed is None else 4
        )
        if seed is not None:
            blocks = blocks.shuffle(SHUFFLED_BLOCKS, block_seed)
        weighted = weighted and self.has_weights(split)
        stated = split if weighted else None
        more = [column_name(name) for name in self.schema.weights] if weighted else []
        rows = blocks.map(
            as_written(lambda record: self._parse_exposures(record, more)),
            num_parallel_calls=PARALLEL_CALLS,
        )
        if seed is not None:
            rows = (
                rows.rebatch(WINDOW_ROWS)
                .enumerate()
                .map(
                    as_written(lambda number, window: permute(window, [window_seed, number])),
                    num_parallel_calls=PARALLEL_CALLS,
                )
            )
        rows = rows.rebatch(batch_size)
        if skip:
            rows = rows.skip(skip)
        first, step = every
        if step > 1:
            rows = rows.shard(step, first)
        batches = rows.map(
            as_written(
                lambda columns: self._finish_batch(columns, static_shapes, parts, joined, stated)
            ),
            num_parallel_calls=PARALLEL_CALLS,
        ).prefetch(4)
        batches = with_fixed_threads(batches)
        # The number of batches lets `model.fit` know where an epoch ends.
        steps = max(0, -(-(self.steps(split, batch_size) - skip - first) // step))
        batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
        return GuardedDataset(batches, self.naming_damage)

    def has_weights(self, split: str) -> bool:
        """Whether the batches of a split have weights."""
        return bool(self._weighted_tasks(split))

    def example_weights(self, split: str) -> dict[str, np.ndarray]:
        """The weights of a split's examples as batches have them, in the order on disk.

        Returns:
          `{task: float32 (rows,)}` of the tasks whose examples do not all count alike.
        """
        parts: dict[str, list[np.ndarray]] = {task: [] for task in self._weighted_tasks(split)}
        if not parts:
            return {}
        labels_alone = copy.copy(self)
        labels_alone.schema = self.schema.select_fields(())
        for _, _, weights in labels_alone.batches(split, 8192):
            for task, read in parts.items():
                read.append(weights[task].numpy())
        return {task: np.concatenate(read) for task, read in parts.items()}

    def _weighted_tasks(self, split: str) -> list[str]:
        sampled = self.schema.sampled_task if split == TRAIN else None
        return [
            task.name
            for task in self.schema.tasks
            if task.weight is not None or (sampled is not None and task != sampled)
        ]

    def steps(self, split: str, batch_size: int) -> int:
        """Batches of one pass over a split."""
        return -(-self.schema.split(split).rows // batch_size)

    def verify(self) -> None:
        """Reads every shard and compares it with the checksum in the schema.

        Raises:
          DatasetError: naming the first shard that differs and, where it can be told, the record.
        """
        for shard in self._all_shards():
            self._check_size(shard)
            path = self.folder / shard.file
            if sha256_of_file(path) == shard.sha256:
                continue
            record = 0
            try:
                for _ in with_fixed_threads(tf.data.TFRecordDataset(str(path))):
                    record += 1
                place = "its records are whole, so the file was exchanged"
            except tf.errors.DataLossError:
                place = f"record {record} (counted from 0) is damaged"
            raise DatasetError(
                f"{path} is not the file that was prepared (checksum differs; {place}); "
                "copy or prepare the dataset again"
            )

    @contextlib.contextmanager
    def naming_damage(self) -> Iterator[None]:
        """Turns TensorFlow's report of damage into one that names file, record and field.

        Raises:
          DatasetError: what ran in the context has met a damaged file.
        """
        try:
            yield
        except _DAMAGE:
            self.verify()
            # Files as they were prepared, then: what they hold is at fault, if anything.
            whole = load_schema(self.folder)
            read = dataclasses.replace(whole, splits=self._read_splits(whole))
            for finding in verification.content_findings(self.folder, read):
                raise DatasetError(f"{finding}; prepare the dataset again") from None
            raise

    def vocabularies(self) -> dict[str, np.ndarray]:
        """The raw ids of all fields that have a vocabulary, `{field: ids}`.

        Raises:
          DatasetError: a vocabulary is missing or damaged.
        """
        vocabularies = load_vocabularies(self.folder, self.schema.fields)
        return {field: vocabulary.ids for field, vocabulary in vocabularies.items()}

    def entity_table(self, entity: str) -> EntityTable:
        """The entity table, read into memory at its first use.

        Raises:
          DatasetError: it is damaged.
        """
        if entity not in self._tables:
            fields = self.schema.entity_fields(entity)
            with self.naming_damage():
                table = EntityTable(self.folder, self.schema.entities[entity], fields)
            self._tables[entity] = table
        return self._tables[entity]

    def _all_shards(self) -> list[Shard]:
        splits, entities = self._read_splits(self.schema), self.schema.entities.values()
        return [s for split in splits.values() for s in split.shards] + [
            s for e in entities for s in e.shards
        ]

    def _read_splits(self, schema: Schema) -> dict[str, Split]:
        names = schema.splits if self._splits is None else self._splits
        return {name: split for name, split in schema.splits.items() if name in names}

    def _check_size(self, shard: Shard) -> None:
        path = self.folder / shard.file
        if not path.is_file():
            raise DatasetError(f"{path} is missing; copy or prepare the dataset again")
        if path.stat().st_size != shard.bytes:
            raise DatasetError(
                f"{path} has {path.stat().st_size} bytes, expected {shard.bytes}; "
                "copy or prepare the dataset again"
            )

    def _parse_exposures(self, record: tf.Tensor, more: Sequence[str]) -> dict[str, tf.Tensor]:
        schema = self.schema
        used = [entity.row_name for entity in self._used_entities()] + self._labels + list(more)
        for field in schema.exposure_fields():
            used += field.columns
        columns = parse_block(record, {name: self._columns[name] for name in used})
        # On a GPU an id outside the table would pass for a row of zeros.
        with tf.control_dependencies([within(columns, self._limits(used))]):
            columns = {name: tf.identity(column) for name, column in columns.items()}
        for field in schema.exposure_fields():
            columns |= pad(pop_lists(field, columns), field)
        return columns

    def _limits(self, used: Sequence[str]) -> dict[str, int]:
        """Columns of whole numbers, and what they must be below."""
        schema = self.schema
        limits = {
            task.column: max(2, task.outputs) for task in schema.tasks if task.kind != REGRESSION
        }
        limits |= {entity.row_name: entity.rows for entity in schema.entities.values()}
        for field in schema.exposure_fields():
            if field.has_ids:
                limits[next(iter(field.columns))] = field.vocabulary_size
        return {name: limit for name, limit in limits.items() if name in used}

    def _used_entities(self) -> list[Entity]:
        used = {field.entity for field in self.schema.fields}
        return [entity for name, entity in self.schema.entities.items() if name in used]

    def _finish_batch(
        self,
        columns: dict[str, tf.Tensor],
        static_shapes: bool,
        parts: BatchParts | None,
        joined: bool,
        weighted: str | None,
    ) -> tuple:
        if parts is None:
            return self._finish(columns, static_shapes, joined, weighted)
        finished = []
        for number in parts.numbers:
            part, substitute, share = parts.take(columns, number)
            features, labels, *weights = self._finish(part, static_shapes, joined, weighted)
            for task in self.schema.tasks:
                labels[task.name] = tf.where(substitute, task.undefined, labels[task.name])
            finished.append((features, labels, share, *weights))
        return tuple(zip(*finished, strict=True))

    def _finish(
        self,
        columns: dict[str, tf.Tensor],
        static_shapes: bool,
        joined: bool,
        weighted: str | None,
    ) -> tuple[dict, ...]:
        """Returns features and labels, and weights if `weighted`, the split's name, is given."""
        features, labels = dict(columns), {}
        given = {name: features.pop(column_name(name)) for name in self.schema.weights if weighted}
        for task in self.schema.tasks:
            labels[task.name] = tf.cast(features.pop(task.column), tf.float32)
        for task in self.schema.tasks:
            if task.only_where is not None:
                defined = labels[task.only_where] > 0
                labels[task.name] = tf.where(defined, labels[task.name], task.undefined)
        for entity in self._used_entities():
            rows = features.pop(entity.row_name)
            if not joined:
                count = tf.size(rows)
                rows, features[entity.row_name] = tf.unique(rows)
                if static_shapes:
                    missing = [[0, count - tf.size(rows)]]
                    rows = tf.pad(rows, missing, constant_values=rows[0])
            features |= self.entity_table(entity.name).lookup(rows, static_shapes)
        if not weighted:
            return features, labels
        weights = {}
        for task in self.schema.tasks:
            weights[task.name] = tf.ones_like(labels[task.name])
            if task.weight is not None:
                weights[task.name] = given[task.weight] / task.weight_mean
        sampled = self.schema.sampled_task if weighted == TRAIN else None
        if sampled is not None:
            stands_for = self._stands_for(sampled, labels[sampled.name])
            others = [task for task in weights if task != sampled.name]
            weights |= {task: weights[task] * stands_for for task in others}
        return features, labels, weights

    def _stands_for(self, sampled: Task, labels: tf.Tensor) -> tf.Tensor:
        """Returns for how many rows of the log a training row stands, over the mean of all."""
        train = self.schema.split(TRAIN)
        negatives = train.defined[sampled.name] - train.positives[sampled.name]
        more = 1 / sampled.keep_negatives - 1
        mean = 1 + more * negatives / train.rows
        return tf.where(labels == 0, (1 + more) / mean, 1 / mean)
