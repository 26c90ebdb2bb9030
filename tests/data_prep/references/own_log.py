"""What `data_prep.own_log` makes of a CSV file, row by row and cell by cell."""

import collections
import dataclasses
import math
import re

import numpy as np
import tensorflow as tf

from data_prep.own_log.declaration import SPLIT_NAMES, Declaration
from dcrnn_tf.dataset.schema import CATEGORICAL, MULTI_CATEGORICAL, REGRESSION
from tests.data_prep.references.csv_records import Record
from tests.data_prep.references.values import holds, id_of

# Unicode's property White_Space; Python strips some control characters more.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclasses.dataclass
class Read:
    """Rows kept, as `{column: text or None}` with labels and split, and faulty ones.

    The numbers of a column that fields read as numbers are under `(column, "number")`.
    """

    rows: list[dict] = dataclasses.field(default_factory=list)
    splits: list[str] = dataclasses.field(default_factory=list)
    labels: list[dict] = dataclasses.field(default_factory=list)
    faults: list[tuple[int, str]] = dataclasses.field(default_factory=list)


def read_table(records: list[Record], names: list[str], declaration: Declaration) -> Read:
    """Reads the rows of a declared table, split by a column or at random."""
    read = Read()
    for record in records:
        row = unusable = None
        if len(record.cells) != len(names):
            unusable = "wrong number of cells"
        else:
            cells = dict(zip(names, record.cells, strict=True))
            row = declared_cells(cells, declaration.columns, declaration.missing_values)
            if row is None:
                unusable = "not UTF-8"
        if unusable is None:
            labels = {}
            unusable = (
                _weights(row, declaration)
                or _numbers(row, declaration)
                or _labels(row, declaration, labels)
            )
            split, unknown = _split(row, declaration)
            unusable = unusable or unknown
        if unusable:
            read.faults.append((record.line, unusable))
        else:
            read.rows.append(row)
            read.splits.append(split)
            read.labels.append(labels)
    return read


def declared_cells(cells: dict, columns, missing) -> dict | None:
    """The cells of `columns` as stripped text, None where missing; None if one is no UTF-8."""
    row = {}
    for column in columns:
        try:
            text = cells[column].decode().strip(WHITE_SPACE)
        except UnicodeDecodeError:
            return None
        row[column] = None if holds(missing, text) else text
    return row


def number(text: str) -> float | None:
    """The number that a text stands for, if it is one that float32 can hold."""
    if not NUMBER.fullmatch(text):
        return None
    value = float(text)
    with np.errstate(over="ignore"):
        return value if math.isfinite(np.float32(value)) else None


def _weights(row: dict, declaration: Declaration) -> str | None:
    for field in declaration.fields:
        if field.weights:
            pairs = _pairs(row[field.column], field, declaration.missing_values)
            if any(weight is None or weight < 0 for _, weight in pairs):
                return "not a weight"
    return None


def _numbers(row: dict, declaration: Declaration) -> str | None:
    for field in declaration.fields:
        if field.reads_numbers:
            text = row[field.column]
            row[field.column, "number"] = None if text is None else number(text)
            if text is not None and row[field.column, "number"] is None:
                return "not a number"
    return None


def _labels(row: dict, declaration: Declaration, labels: dict) -> str | None:
    for task in declaration.tasks:
        text = row[task.column]
        if task.kind == REGRESSION:
            if unusable := _number_label(task, text, labels):
                return unusable
            continue
        asked = task.only_where is None or labels[task.only_where] == 1
        if text is None and asked and not task.may_be_missing:
            return "label missing"
        allowed = (*task.positive, *(task.negative or (text,)))
        if text is not None and not holds(allowed, text):
            return "label not allowed"
        labels[task.name] = int(holds(task.positive, text))
        if labels[task.name] and not asked:
            return "label without its parent"
        if text is None and asked:
            labels[task.name] = -1
    return None


def _number_label(task, text: str | None, labels: dict) -> str | None:
    asked = task.only_where is None or labels[task.only_where] == 1
    value = math.nan if text is None else number(text)
    if value is None:
        return "label not a number"
    if text is None and asked and not task.may_be_missing:
        return "label missing"
    if value < 0 and task.loss == "zero_inflated_lognormal":
        return "label below 0"
    if text is not None and value != 0 and not asked:
        return "label without its parent"
    labels[task.name] = float(np.float32(value)) if asked else math.nan
    return None


def _split(row: dict, declaration: Declaration) -> tuple[str, str | None]:
    declared = declaration.split
    if declared.column is None:
        return "any", None  # the split is drawn
    text = row[declared.column]
    if text is None:
        return "", "split unknown"
    for name in SPLIT_NAMES:
        if holds(declared.values.get(name, ()), text):
            return name, None
    return "train", "split unknown" if "train" in declared.values else None


def encode(read: Read, field, declaration: Declaration) -> list:
    """The embedding rows, lists of them, or numbers of one field."""
    values = _values(read, field, declaration)
    if field.kind not in (CATEGORICAL, MULTI_CATEGORICAL):
        return [float(np.float32(value or 0.0)) for value in values]
    if field.hashed:
        return [
            [_hashed(v, field) for v in x] if isinstance(x, list) else _hashed(x, field)
            for x in values
        ]
    owner = field.shares or field.name
    counts: collections.Counter = collections.Counter()
    for other in declaration.fields:
        if owner in (other.name, other.shares):
            of_other = _values(read, other, declaration)
            for value, split in zip(of_other, read.splits, strict=True):
                if split == "train" and value is not None:
                    counts.update(value if isinstance(value, list) else [value])
    kept = [item for item, count in counts.items() if count >= field.min_count]
    order = {item: 2 + n for n, item in enumerate(sorted(kept, key=lambda i: (-counts[i], i)))}

    def row_of(value):
        return 0 if value is None else order.get(value, 1)

    if field.weights:
        texts = [row[field.column] for row in read.rows]
        pairs = [_pairs(text, field, declaration.missing_values) for text in texts]
        return [
            [(row_of(i), float(np.float32(w))) for i, w in x[: field.max_values]] for x in pairs
        ]
    return [[row_of(v) for v in x] if isinstance(x, list) else row_of(x) for x in values]


def _hashed(text: str | None, field) -> int:
    """The row that TensorFlow's hash of an id gives."""
    if text is None:
        return 0
    return 2 + int(tf.strings.to_hash_bucket_strong(text, field.hashed, [0, 0]))


def _values(read: Read, field, declaration: Declaration) -> list:
    """The ids, lists of ids, or numbers of one field, None of a missing one."""
    key = (field.column, "number") if field.reads_numbers else field.column
    values = [row[key] for row in read.rows]
    if field.bins:
        return [None if value is None else log_bin(value) for value in values]
    if field.weights:
        lists = [_pairs(value, field, declaration.missing_values) for value in values]
        return [[item for item, _ in pairs[: field.max_values]] for pairs in lists]
    if field.kind == MULTI_CATEGORICAL:
        return [_list(value, field, declaration.missing_values) for value in values]
    if field.kind == CATEGORICAL:
        return [None if value is None else id_of(value) for value in values]
    return values


def _pairs(text: str | None, field, missing) -> list[tuple[str, float | None]]:
    """The ids and weights of a list, not cut."""
    pairs = []
    for part in (text or "").split(field.separator):
        item, mark, weight = part.strip(WHITE_SPACE).rpartition(field.weights)
        item, weight = (
            (item.strip(WHITE_SPACE), weight.strip(WHITE_SPACE)) if mark else (weight, "1")
        )
        if not holds(missing, part.strip(WHITE_SPACE)) and not holds(missing, item):
            pairs.append((id_of(item), number(weight)))
    return pairs


def _list(text: str | None, field, missing) -> list[str]:
    parts = [part.strip(WHITE_SPACE) for part in (text or "").split(field.separator)]
    return [id_of(part) for part in parts if not holds(missing, part)][: field.max_values]


def log_bin(value: float) -> int:
    """The bin of a count, as `data_prep.own_log.learning.binning` describes it."""
    if value > 2:
        return math.floor(math.log(value) ** 2) + 3
    return math.floor(max(value, -(2.0**53)))
