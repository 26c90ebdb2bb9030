"""Parses Ali-CCP's text, whole blocks of lines at a time, and says what is wrong with a line.

`parse` works on the bytes of a block with NumPy alone and either gets every line or, when any is
faulty, nothing. Only then are the lines looked at one by one (`explain`), the faulty ones named
and the others parsed.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from data_prep.ali_ccp import text_blocks
from data_prep.ali_ccp.fields import (
    ENTRY_SEPARATOR,
    FIELDS,
    ID_SEPARATOR,
    USER,
    VALUE_SEPARATOR,
    RawField,
)
from data_prep.storage.columns import Ragged, select
from dcrnn_tf.dataset.encodings import MISSING_ID

_ENTRY, _ID, _VALUE = (ord(c) for c in (ENTRY_SEPARATOR, ID_SEPARATOR, VALUE_SEPARATOR))
_COMMA, _NEWLINE = ord(","), ord("\n")


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a line of a file consists of: `cells`, then the feature list of `fields`."""

    cells: tuple[str, ...]
    fields: tuple[RawField, ...]


COMMON = Layout(("common_feature_index", "feature_num"), tuple(f for f in FIELDS if f.side == USER))
SKELETON = Layout(
    ("sample_id", "click", "conversion", "common_feature_index", "feature_num"),
    tuple(f for f in FIELDS if f.side != USER),
)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A faulty line: its number in the file, from 1, the kind of fault, and one clause about it."""

    line: int
    reason: str
    clause: str


@dataclasses.dataclass(frozen=True)
class Lines:
    """The parsed lines of a block.

    Attributes:
      line: number of each line in the file, `(rows,)`.
      indices: the common feature index of each run of lines that have the same.
      run: Position in `indices` of each line's index, `(rows,)`.
      columns: `click` and `conversion` (skeleton only) and the fields by name, `(rows,)` int64 or
        `Ragged`: raw ids, `MISSING_ID` or an empty list where the line has none.
      truncated: `{field: whether the list was longer than max_values}`, `(rows,)` bool each.
    """

    line: np.ndarray
    indices: Sequence[bytes]
    run: np.ndarray
    columns: dict[str, "np.ndarray | Ragged"]
    truncated: dict[str, np.ndarray]

    def select(self, kept: np.ndarray) -> "Lines":
        """The lines where `kept`, `(rows,)` bool, is true."""
        columns, truncated = select(self.columns, kept), select(self.truncated, kept)
        return Lines(self.line[kept], self.indices, self.run[kept], columns, truncated)


def parse_block(
    first_line: int,
    data: bytes,
    layout: Layout,
    fields: Sequence[RawField],
    max_values: int,
    keep_values: bool = False,
) -> tuple[Lines, list[Fault]]:
    """Parses the lines of a block that can be parsed, and names the others.

    Args:
      first_line: number of the block's first line in its file.
      data: the lines, each ending in a line feed.
      layout: Layout of the file.
      fields: the fields wanted; the others are checked and dropped.
      max_values: Number of values that a longer list is cut to, the first in file order.
      keep_values: Whether the feature values of multi-valued fields are kept, as weights.
    """
    lines = parse(first_line, data, layout, fields, max_values, keep_values)
    if lines is not None:
        return lines, []
    faults, good, numbers = [], [], []
    for number, text in enumerate(data[:-1].split(b"\n"), first_line):
        if problem := explain(text, layout, keep_values):
            faults.append(Fault(number, *problem))
        else:
            good.append(text + b"\n")
            numbers.append(number)
    lines = parse(0, b"".join(good), layout, fields, max_values, keep_values)
    if lines is None:
        raise RuntimeError("parse and explain disagree")
    return dataclasses.replace(lines, line=np.array(numbers, np.int64)), faults


def explain(line: bytes, layout: Layout, keep_values: bool = False) -> tuple[str, str] | None:
    """Returns what is wrong with a line (the kind of fault, and a clause), None if nothing is."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return "not UTF-8", f"byte {error.start + 1} is 0x{line[error.start]:02x}, not UTF-8"
    if not text.isascii() or "\0" in text:
        return "not ASCII", "holds a character that is not ASCII, which these files never do"
    cells = text.split(",")
    if len(cells) != len(layout.cells) + 1:
        expected = ",".join((*layout.cells, "feature_list"))
        return (
            "wrong number of cells",
            f"{len(cells)} comma-separated cells, expected {len(layout.cells) + 1}: {expected}",
        )
    named = dict(zip(layout.cells, cells, strict=False))
    for name in ("sample_id", "feature_num"):
        if name in named and not _is_id(named[name]):
            return f"malformed {name}", f"{name} is {named[name]!r}, not an integer"
    for name in ("click", "conversion"):
        if named.get(name, "0") not in ("0", "1"):
            return f"malformed {name}", f"the label {name} is {named[name]!r}, not 0 or 1"
    index = named["common_feature_index"]
    if not index or set(index) & {ENTRY_SEPARATOR, ID_SEPARATOR, VALUE_SEPARATOR}:
        clause = f"common_feature_index is {index!r}, not a name"
        return "malformed common_feature_index", clause
    entries = cells[-1].split(ENTRY_SEPARATOR) if cells[-1] else []
    seen = set()
    multiple = {field.raw_name: field.multiple for field in layout.fields}
    for entry in entries:
        field, *rest = entry.split(ID_SEPARATOR)
        parts = rest[0].split(VALUE_SEPARATOR) if len(rest) == 1 else []
        if len(parts) != 2 or not parts[1]:
            return (
                "malformed entry",
                f"entry {entry!r}, expected FIELD\\x02ID\\x03VALUE",
            )
        if field not in multiple:
            return "unknown field", f"field {field!r} does not belong into this file"
        if not _is_id(parts[0]):
            return "malformed entry", f"the id of {entry!r} is not an integer"
        if field in seen and not multiple[field]:
            return "repeated field", f"the single-valued field {field} stands there twice"
        if keep_values and multiple[field] and not _is_number(parts[1]):
            return "malformed entry", f"the value of {entry!r} is not a number"
        seen.add(field)
    if int(named["feature_num"]) != len(entries):
        return (
            "wrong feature_num",
            f"feature_num is {named['feature_num']}, but the list has {len(entries)} entries",
        )
    return None


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) <= text_blocks.MAX_DIGITS


def _is_number(text: str) -> bool:
    try:
        return (
            len(text) <= text_blocks.MAX_NUMBER_CHARACTERS
            and "_" not in text
            and abs(float(text)) <= text_blocks.LARGEST_NUMBER
        )
    except ValueError:
        return False


def parse(
    first_line: int,
    data: bytes,
    layout: Layout,
    fields: Sequence[RawField],
    max_values: int,
    keep_values: bool = False,
) -> Lines | None:
    """Parses a block, for the arguments of `parse_block`; None if any line is faulty."""
    text = np.frombuffer(data, np.uint8)
    if text.max(initial=0) >= 128:
        return None
    separators = np.flatnonzero((text <= _VALUE) | (text == _COMMA) | (text == _NEWLINE))
    kind = text[separators]
    ends = np.flatnonzero(kind == _NEWLINE)
    starts = np.append(0, ends[:-1] + 1)[: len(ends)]  # each line's first separator

    # A line of n entries has a comma after each cell, then 3 n separators, the line feed included.
    cells = len(layout.cells)
    in_list = ends - starts - cells + 1
    if np.any(in_list < 1):
        return None
    entries = in_list // 3
    bare = entries == 0  # an empty list: the line feed follows the last comma at once
    last_comma = ends[bare] - 1
    if np.any(in_list % 3 != bare) or np.any(
        separators[last_comma + 1] - separators[last_comma] > 1
    ):
        return None
    commas = starts[:, None] + np.arange(cells)
    row = np.repeat(np.arange(len(ends)), entries)
    before = np.cumsum(entries) - entries
    marks = np.repeat(starts + cells - 3 * before, entries) + 3 * np.arange(len(row))  # ID
    inner = len(row) - np.count_nonzero(~bare)  # entries that another one follows
    if (
        np.any(kind[commas] != _COMMA)
        or np.any(kind[marks] != _ID)
        or np.any(kind[marks + 1] != _VALUE)
        or np.count_nonzero(kind[marks + 2] == _ENTRY) != inner
    ):
        return None

    cell_ends = separators[commas]
    line_begins = np.append(0, separators[ends] + 1)[:-1]
    cell_begins = np.column_stack([line_begins, cell_ends[:, :-1] + 1])
    words = text_blocks.words(data)
    columns: dict[str, np.ndarray | Ragged] = {}
    for number, name in enumerate(layout.cells):
        begin, end = cell_begins[:, number], cell_ends[:, number]
        if name == "common_feature_index":
            if np.any(begin == end):
                return None
            new = text_blocks.differs_from_previous(words, begin, end)
            slices = zip(begin[new].tolist(), end[new].tolist(), strict=True)
            indices = [data[b:e] for b, e in slices]
            run = np.cumsum(new) - 1
            continue
        values, valid = text_blocks.integers(words, begin, end)
        label = name in ("click", "conversion")
        if not valid.all() or (label and (np.any(end - begin != 1) or np.any(values > 1))):
            return None
        if name == "feature_num" and np.any(values != entries):
            return None
        if label:
            columns[name] = values.astype(np.uint8)

    begin, id_mark = separators[marks - 1] + 1, separators[marks]
    value_mark, end = separators[marks + 1], separators[marks + 2]
    field = _field_numbers(words, begin, id_mark, layout.fields)
    ids, valid = text_blocks.integers(words, id_mark + 1, value_mark)
    if np.any(field < 0) or not valid.all() or np.any(end - value_mark < 2):
        return None
    by_field = np.argsort(field, kind="stable")
    bounds = np.searchsorted(field[by_field], np.arange(len(layout.fields) + 1))
    truncated = {}
    for number, raw in enumerate(layout.fields):
        mine = by_field[bounds[number] : bounds[number + 1]]
        rows = row[mine]
        if not raw.multiple:
            if np.any(rows[1:] == rows[:-1]):
                return None
            if raw in fields:
                column = np.full(len(ends), MISSING_ID, np.int64)
                column[rows] = ids[mine]
                columns[raw.name] = column
            continue
        weights = None
        if keep_values:
            weights = text_blocks.numbers(data, value_mark[mine] + 1, end[mine])
            if weights is None:
                return None
        if raw in fields:
            columns[raw.name], truncated[raw.name] = _lists(
                rows, ids[mine], weights, len(ends), max_values
            )
    lines = np.arange(first_line, first_line + len(ends))
    return Lines(lines, indices, run, columns, truncated)


def _lists(
    rows: np.ndarray, ids: np.ndarray, weights: np.ndarray | None, count: int, max_values: int
) -> tuple[Ragged, np.ndarray]:
    """Returns lists that come end to end, one for each of `count` rows, and which were cut."""
    lengths = np.bincount(rows, minlength=count)
    kept = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths) < max_values
    ragged = Ragged(
        ids[kept],
        np.minimum(lengths, max_values).astype(np.uint16),
        None if weights is None else weights[kept],
    )
    return ragged, lengths > max_values


def _field_numbers(
    words: np.ndarray, begin: np.ndarray, end: np.ndarray, fields: Sequence[RawField]
) -> np.ndarray:
    """Returns the position in `fields` of each cell's name, -1 of a name that is not in it."""
    codes = [int.from_bytes(f.raw_name.encode().rjust(8, b"\0"), "little") for f in fields]
    slots = next(n for n in range(len(codes), 9999) if len({c % n for c in codes}) == len(codes))
    code_of_slot = np.zeros(slots, np.uint64)
    number_of_slot = np.zeros(slots, np.int8)
    for number, known_code in enumerate(codes):
        code_of_slot[known_code % slots] = known_code
        number_of_slot[known_code % slots] = number
    length = end - begin
    code = text_blocks.last_characters(words, end, length)
    slot = code % np.uint64(slots)
    known = (code_of_slot[slot] == code) & (length >= 1) & (length <= 8)
    return np.where(known, number_of_slot[slot], np.int8(-1))
