"""Checks what a prepared dataset holds against what its schema says; in NumPy, block by block."""

import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from dcrnn_tf.dataset.fixed_threads import with_fixed_threads
from dcrnn_tf.dataset.names import column_name
from dcrnn_tf.dataset.schema import (
    CATEGORICAL,
    FILES_BESIDE,
    MULTICLASS,
    REGRESSION,
    DatasetError,
    Field,
    Schema,
    Shard,
    Split,
    Task,
    sha256_of_file,
)
from dcrnn_tf.dataset.vocabulary import load_vocabulary, vocabulary_path

_TFDS_FILES = ("dataset_info.json", "features.json")

Columns = Mapping[str, np.ndarray]

_OF_VALUES = ("/values", "/weights")  # how columns end that hold not one number a row


def findings(
    folder: str | pathlib.Path,
    schema: Schema,
    progress: Callable[[int], object] = lambda rows: None,
) -> Iterator[str]:
    """Everything that is wrong with a prepared dataset, a phrase each: place, what, expected.

    Args:
      folder: of the dataset.
      schema: its schema, all fields of it.
      progress: Function called with the number of rows read since the last call.
    """
    folder = pathlib.Path(folder)
    for place in (folder, *(folder / entity for entity in schema.entities)):
        for name in _TFDS_FILES:
            if not (place / name).is_file():
                yield f"{place / name} is missing, without which TFDS cannot open the dataset"
    beside = schema.source.get(FILES_BESIDE)
    for name, digest in beside.items() if isinstance(beside, Mapping) else ():
        if not (path := folder / name).is_file():
            yield f"{path} is missing"
        elif sha256_of_file(path) != digest:
            yield f"{path} is not the file that was prepared (checksum differs)"
    for field in schema.fields:
        if field.has_vocabulary and field.shares is None:
            yield from _vocabulary_findings(folder, field)
    yield from content_findings(folder, schema, progress, checksums=True)


def content_findings(
    folder: str | pathlib.Path,
    schema: Schema,
    progress: Callable[[int], object] = lambda rows: None,
    checksums: bool = False,
) -> Iterator[str]:
    """What is wrong with shards and their rows; arguments as for `findings`.

    Args:
      checksums: whether to compare those too.
    """
    folder = pathlib.Path(folder)
    for entity in schema.entities.values():
        checks = [_field_check(field) for field in schema.entity_fields(entity.name)]
        dtypes = schema.entity_columns(entity.name)
        for shard in entity.shards:
            yield from _shard_findings(folder, shard, dtypes, checks, progress, checksums)
        yield from _different("rows", f"entity table {entity.name}", entity.shards, entity.rows)
    checks = [_field_check(field) for field in schema.exposure_fields()]
    for entity in schema.entities.values():
        checks.append(_number_check(entity.row_name, entity.rows, f"entity table {entity.name}"))
    checks += [_label_check(task) for task in schema.tasks]
    checks += [_weight_check(name) for name in schema.weights]
    for split in schema.splits.values():
        counts = _Counts(schema)
        for shard in split.shards:
            dtypes = schema.exposure_columns()
            yield from _shard_findings(
                folder, shard, dtypes, [*checks, counts.add], progress, checksums
            )
        yield from _different("rows", f"split {split.name}", split.shards, split.rows)
        yield from counts.findings(split)


class _Counts:
    """Counts each task's population and positives over a split."""

    def __init__(self, schema: Schema):
        self._tasks = schema.tasks
        self._positives = dict.fromkeys(schema.task_names, 0)
        self._defined = dict.fromkeys(schema.task_names, 0)

    def add(self, columns: Columns, rows: int) -> Iterator[str]:
        for task in self._tasks:
            label = columns[task.column]
            if task.only_where is not None:
                label = label[columns[column_name(task.only_where)] > 0]
            self._positives[task.name] += int(np.sum(label > 0))
            self._defined[task.name] += int(np.sum(task.defined(label)))
        return iter(())

    def findings(self, split: Split) -> Iterator[str]:
        for task in self._positives:
            for what, found, stated in (
                ("positives", self._positives[task], split.positives.get(task)),
                ("rows on which it is defined", self._defined[task], split.defined.get(task)),
            ):
                if found != stated:
                    yield f"split {split.name}: {task} has {found} {what}, the schema says {stated}"


def _different(what: str, place: str, shards: Sequence[Shard], stated: int) -> Iterator[str]:
    found = sum(shard.rows for shard in shards)
    if found != stated:
        yield f"{place} has {found} {what} in its shards, the schema says {stated}"


def _shard_findings(
    folder: pathlib.Path,
    shard: Shard,
    dtypes: Mapping[str, str],
    checks: Sequence[Callable[[Columns, int], Iterator[str]]],
    progress: Callable[[int], object],
    checksum: bool,
) -> Iterator[str]:
    path = folder / shard.file
    if not path.is_file():
        yield f"{path} is missing"
        return
    if (size := path.stat().st_size) != shard.bytes:
        yield f"{path} has {size} bytes, expected {shard.bytes}"
    elif checksum and sha256_of_file(path) != shard.sha256:
        yield f"{path} is not the file that was prepared (checksum differs)"
    records = rows = 0
    try:
        blocks = with_fixed_threads(tf.data.TFRecordDataset(str(path)))
        for record in blocks.as_numpy_iterator():
            place = f"{path}, record {records} (counted from 0)"
            records += 1
            columns = _parsed(record, dtypes)
            if isinstance(columns, str):
                yield f"{place}, {columns}"
                continue
            count = len(next(c for n, c in columns.items() if not n.endswith(_OF_VALUES)))
            rows += count
            progress(count)
            for check in checks:
                for finding in check(columns, count):
                    yield f"{place}, {finding}"
    except tf.errors.DataLossError:
        yield f"{path}, record {records} (counted from 0), is damaged or cut off"
        return
    for what, found, stated in (("records", records, shard.records), ("rows", rows, shard.rows)):
        if found != stated:
            yield f"{path} has {found} {what}, expected {stated}"


def _parsed(record: bytes, dtypes: Mapping[str, str]) -> Columns | str:
    """The columns of a block, or what hinders to read them."""
    try:
        feature = tf.train.Example.FromString(record).features.feature
    except Exception:  # protobuf's own, of a class that depends on its implementation
        return "is no tf.train.Example"
    columns, lengths = {}, set()
    for name, dtype in dtypes.items():
        values: Sequence[bytes] = feature[name].bytes_list.value if name in feature else []
        if len(values) != 1 or len(values[0]) % np.dtype(dtype).itemsize:
            return f"column {name}: is missing or no sequence of {dtype}"
        columns[name] = np.frombuffer(values[0], dtype)
        if not name.endswith(("/values", "/weights")):
            lengths.add(len(columns[name]))
    if len(lengths) != 1:
        return f"its columns have different numbers of rows ({sorted(lengths)})"
    return columns


def _field_check(field: Field) -> Callable[[Columns, int], Iterator[str]]:
    if field.kind == CATEGORICAL:
        return _number_check(column_name(field.name), field.vocabulary_size, "its vocabulary")
    if not field.has_ids:
        name = column_name(field.name)
        return lambda columns, rows: _not_finite(field.name, columns[name].ravel())
    return lambda columns, rows: _list_findings(field, columns)


def _label_check(task: Task) -> Callable[[Columns, int], Iterator[str]]:
    if task.kind == REGRESSION:
        return lambda columns, rows: _infinite(task.column, columns[task.column])
    if task.kind == MULTICLASS:
        return _number_check(task.column, task.outputs, "its classes", -1)
    return _number_check(task.column, 2, "labels", -1 if task.may_be_missing else 0)


def _number_check(
    name: str, limit: int, what: str, least: int = 0
) -> Callable[[Columns, int], Iterator[str]]:
    return lambda columns, rows: _outside(name, columns[name], limit, what, least)


def _outside(name: str, values: np.ndarray, limit: int, what: str, least: int = 0) -> Iterator[str]:
    wrong = (values < least) | (values.astype(np.int64) >= limit)
    if wrong.any():
        first = int(np.argmax(wrong))
        yield (
            f"{name}: value {first} of the block is {values[first]}, {what} allows {least} to "
            f"{limit - 1} ({int(wrong.sum())} such)"
        )


def _weight_check(name: str) -> Callable[[Columns, int], Iterator[str]]:
    def check(columns: Columns, rows: int) -> Iterator[str]:
        weights = columns[column_name(name)]
        yield from _not_finite(name, weights)
        if (weights < 0).any():
            first = int(np.argmax(weights < 0))
            yield f"{name}: value {first} of the block is {weights[first]}, expected none below 0"

    return check


def _not_finite(name: str, values: np.ndarray) -> Iterator[str]:
    return _wrong(name, values, ~np.isfinite(values))


def _infinite(name: str, values: np.ndarray) -> Iterator[str]:
    return _wrong(name, values, np.isinf(values))


def _wrong(name: str, values: np.ndarray, wrong: np.ndarray) -> Iterator[str]:
    if wrong.any():
        first = int(np.argmax(wrong))
        yield f"{name}: value {first} of the block is {values[first]} ({int(wrong.sum())} such)"


def _list_findings(field: Field, columns: Columns) -> Iterator[str]:
    values, lengths, *more = (columns[name] for name in field.columns)
    if (longest := int(lengths.max(initial=0))) > field.max_values:
        yield f"{field.name}: a list of {longest}, allowed {field.max_values}"
    total = int(lengths.sum(dtype=np.int64))
    if total != len(values):
        yield f"{field.name}: {len(values)} values, its row lengths add up to {total}"
    yield from _outside(field.name, values, field.vocabulary_size, "its vocabulary")
    for weights in more:
        if len(weights) != len(values):
            yield f"{field.name}: {len(weights)} weights of {len(values)} values"
        yield from _not_finite(f"{field.name}/weights", weights)


def _vocabulary_findings(folder: pathlib.Path, field: Field) -> Iterator[str]:
    try:
        vocabulary = load_vocabulary(folder, field)
    except DatasetError as error:
        yield str(error)
        return
    rises = np.flatnonzero(np.diff(vocabulary.counts) > 0)
    if len(rises) and not vocabulary.extends:
        path = vocabulary_path(folder, field.name)
        yield (
            f"{path}, id {rises[0] + 1} (counted from 0), occurs more often than the one before it"
        )
