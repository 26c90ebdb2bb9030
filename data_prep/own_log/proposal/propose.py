"""Proposes a declaration from the first rows of files, as YAML with comments to edit."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator, Sequence

import polars as pl

from data_prep.own_log.cells import text_of
from data_prep.own_log.declaration import parse_declaration
from data_prep.own_log.declared.keys import Keys
from data_prep.own_log.declared.options import (
    DEFAULT,
    OPTION_KEYS,
    FileOptions,
    Selection,
    parse_options,
)
from data_prep.own_log.parsing.files import LogFile, open_files
from data_prep.own_log.parsing.first_bytes import CSV
from data_prep.own_log.parsing.remote import RawPath
from data_prep.own_log.proposal.columns import Column
from data_prep.own_log.yaml_json import read_yaml
from data_prep.storage.bad_rows import BadRows
from dcrnn_tf.dataset.schema import DatasetError

SEPARATORS = ",\t;|"
FEW_ROWS = 10_000  # of which rare ids are kept
MANY_ZEROS = 0.2  # share of cells
LONG_TEXT = 60  # characters of a cell, on average, that is rather free text
_LABELS = re.compile(
    r"click|buy|bought|purchas|convers|convert|order|like|follow|label|target|positive|install"
    r"|share|comment|finish|watch|view|visit|income|churn|subscrib|favou?rite|collect|forward|pay",
    re.IGNORECASE,
)
_RATINGS = re.compile(r"rat|score|star|grade|point", re.IGNORECASE)
_AMOUNTS = re.compile(
    r"watch|play|stay|dwell|read|spen[dt]|revenue|amount|paid|gmv|ltv|profit|sales|income|earn"
    r"|rating|score|label|target",
    re.IGNORECASE,
)
_CLASSES = re.compile(
    r"label|target|class|outcome|result|behaviou?r|action|event|status|answer|rating|grade",
    re.IGNORECASE,
)


def propose(
    data_dir: RawPath,
    patterns: Sequence[str],
    rows: int,
    encoding: str = FileOptions.encoding,
) -> str:
    """Returns a declaration as commented YAML, which the preparation takes as it is.

    Args:
      data_dir: Folder that the patterns are relative to.
      patterns: File names, or patterns with `*` and `?`.
      rows: Number of rows that are looked at, about the same number of each file.
      encoding: Encoding of text files.

    Raises:
      DatasetError: A file cannot be read, or no column can be a label.
    """
    files, options = _opened(data_dir, patterns, encoding)
    frames, refused = _first_rows(files, options, rows)
    columns = [Column.of(cells) for cells in frames.get_columns()]
    if files[0].kind == CSV and sum(c.name in c.values for c in columns) >= len(columns) / 2:
        # Names of columns are no cells of theirs, so the first line is a row.
        names = tuple(f"column_{n}" for n in range(1, len(files[0].names) + 1))
        options = dataclasses.replace(options, column_names=names)
        files = open_files(data_dir, patterns, Selection({}, options=options)).opened
        frames, refused = _first_rows(files, options, rows)
        columns = [Column.of(cells) for cells in frames.get_columns()]
    labels = _labels(columns)
    others = _others([column for column in columns if column not in labels])
    if not labels and not others:
        raise DatasetError(
            f"no column of {files[0].path} has two values, a few classes or numbers that measure "
            "something, so none can be a label; declare a task by hand, as docs/own_data/tasks.md "
            "describes"
        )
    lines = [*_head(data_dir, patterns, options, frames.height), *_split(columns, patterns)]
    lines += ["tasks:  # in causal order, such as a click before a purchase"]
    lines += [line for column in labels for line in _task(column)]
    lines += [line for column, entry in others for line in _candidate(column, entry, not labels)]
    labels += [column for column, _ in others if not labels or _is_named(column)]
    lines += ["fields:"]
    inputs = [column for column in columns if column not in labels]
    fields = [line for column in inputs for line in _field(column, frames.height)]
    if all(line.startswith("  #") for line in fields):
        raise DatasetError(
            f"{files[0].path} has no column that may be an input beside its labels; declare fields "
            "by hand, as docs/own_data/fields.md describes"
        )
    lines += fields
    lines += [f"  # {name} cannot be read: {why}" for name, why in refused.items()]
    text = "\n".join(lines) + "\n"
    parse_declaration(read_yaml(text), pathlib.Path("proposal"))
    return text


def _labels(columns: Sequence[Column]) -> list[Column]:
    """The columns that are labels by what they hold and, where several may be, by their names."""
    kinds = (
        ([column for column in columns if column.is_label], _LABELS),
        ([column for column in columns if len(column.values) == 2], _LABELS),
        ([column for column in columns if column.is_rating], _RATINGS),
    )
    named = ([c for c in candidates if names.search(c.name)] for candidates, names in kinds)
    last = (candidates[-1:] for candidates, _ in kinds)
    return next(filter(None, (*named, *last)), [])


def _others(columns: Sequence[Column]) -> list[tuple[Column, str]]:
    """Columns that may be labels of other kinds, each with its entry; the named ones if there are.

    The last one is the most likely where no name says so.
    """
    found = []
    for column in columns:
        if column.is_measured:
            found.append((column, _number_task(column)))
        elif column.has_classes:
            found.append((column, "kind: multiclass"))
    return [one for one in found if _is_named(one[0])] or found[-1:]


def _number_task(column: Column) -> str:
    """The entry of a task that is learned as a number."""
    numbers = pl.Series(column.values, dtype=pl.String).cast(pl.Float64)
    if column.most >= MANY_ZEROS and numbers[0] == numbers.min() == 0:
        return "kind: regression, loss: zero_inflated_lognormal"
    return "kind: regression" + (", scaling: log" if column.is_skewed else "")


def _is_named(column: Column) -> bool:
    """Whether its name is one of labels of its kind."""
    return bool((_AMOUNTS if column.is_measured else _CLASSES).search(column.name))


def _opened(
    data_dir: RawPath, patterns: Sequence[str], encoding: str
) -> tuple[Sequence[LogFile], FileOptions]:
    """Opens the files, those of text with the separator that gives the most columns."""
    best: tuple[Sequence[LogFile], FileOptions] = (), DEFAULT
    for separator in SEPARATORS:
        keys = Keys({"separator": separator, "encoding": encoding}, "the files", OPTION_KEYS)
        options = parse_options(keys)
        files = open_files(data_dir, patterns, Selection({}, options=options)).opened
        if not best[0] or len(files[0].names) > len(best[0][0].names):
            best = files, options
        if files[0].kind != CSV:
            return files, options
    return best


def _first_rows(
    files: Sequence[LogFile], options: FileOptions, rows: int
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Returns the first rows of all files, and the columns that cannot be read, with the reason."""
    refused: dict[str, str] = {}
    frames = []
    for file in files:
        names = []
        for name in dict.fromkeys(file.names):
            one = Selection({name: "a column"}, {name}, options=options)
            try:
                if name not in file.partitions:
                    LogFile(file.path, one)
            except DatasetError as error:
                refused[name] = str(error)
            else:
                names.append(name)
        columns = dict.fromkeys(names, "a column")
        selection = Selection(columns, columns, options=options)
        left = max(1, rows // len(files))
        opened = LogFile(file.path, selection, file.partitions)
        for chunk in opened.chunks(BadRows(rows), lambda done: None):
            frames.append(chunk.frame.head(left))
            left -= frames[-1].height
            if left <= 0:
                break
    names = [name for name in frames[0].columns if all(name in f.columns for f in frames)]
    mixed = [name for name in names if len({f[name].dtype for f in frames}) > 1]
    texts = [
        f.select(names).with_columns(text_of(f[n]) for n in mixed if not f[n].dtype.is_nested())
        for f in frames
    ]
    return pl.concat(texts, how="vertical_relaxed"), refused


def _head(
    data_dir: RawPath, patterns: Sequence[str], options: FileOptions, rows: int
) -> Iterator[str]:
    yield f"# Proposed from {rows:,} rows; read it, edit it, and try it with"
    yield "#   python -m data_prep.own_log --dry_run=1000 --declaration=THIS_FILE ..."
    name = re.sub(r"\W+", "_", data_dir.absolute().name).strip("_")
    yield f"name: {json.dumps(name or 'log', ensure_ascii=False)}"
    if options.separator != FileOptions().separator:
        yield f"separator: {json.dumps(options.separator)}"
    if options.encoding != FileOptions().encoding:
        yield f"encoding: {json.dumps(options.encoding)}"
    if options.column_names is not None:
        yield f"column_names: [{', '.join(options.column_names)}]  # the files begin with a row"


def _split(columns: Sequence[Column], patterns: Sequence[str]) -> Iterator[str]:
    yield "split:"
    yield "  by: fraction  # rows at random; docs/own_data/times.md has the other ways"
    for column in columns:
        if column.is_time:
            yield f"  # {_text(column.name)} may say when a row was written, to split by"
    yield f"  files: [{', '.join(map(_text, patterns))}]"
    yield "  test_fraction: 0.1"
    yield "  validation_fraction: 0.1"


def _task(column: Column) -> Iterator[str]:
    entry = ""
    if not column.is_label:
        positive = column.values[-1:]
        if column.is_rating:  # the better half
            grades = sorted(column.values, key=float)
            positive = grades[(len(grades) + 1) // 2 :]
        entry = f"positive: [{', '.join(map(_text, positive))}]"
    yield f"  # {column.comment}"
    yield f"  {_text(column.name)}: {{{entry}}}"
    if column.is_rating:
        yield f"  # {_text(column.name)}: {{kind: regression}}  # or this, or kind: multiclass"


def _candidate(column: Column, entry: str, alone: bool) -> Iterator[str]:
    """Lines of a task of another kind than binary, in a comment unless there is nothing else."""
    yield f"  # {column.comment}"
    line = f"{_text(column.name)}: {{{entry}}}"
    yield f"  {line}" if alone else f"  # {line}  # a candidate, if it is known after the others"


def _field(column: Column, rows: int) -> Iterator[str]:
    distinct = len(column.values)
    present = column.rows - column.missing
    length = sum(map(len, column.values)) / max(distinct, 1)
    few = ", min_count: 1" if rows < FEW_ROWS else ""
    if column.lists is not None:
        separator = f", separator: {_text(column.lists)}" if column.lists not in ("", ";") else ""
        entry, why = f"kind: multi_categorical{separator}{few}", ""
    elif column.is_number:
        scaling = ", scaling: log" if column.is_skewed else ""
        entry, why = f"kind: numeric{scaling}", ""
    else:
        entry, why = f"kind: categorical{few}", ""
    if distinct < 2:
        why = "it has one value"
    elif column.is_label and _LABELS.search(column.name):
        why = "it may be a label"
    elif column.is_time:
        why = "it may say when the row was written, which later rows never repeat"
    elif column.lists is None and not column.numbers and length > LONG_TEXT:
        why = "it is rather free text"
    elif distinct == present and not column.numbers and column.lists is None:
        why = "every row has a value of its own"
    yield f"  # {column.comment}"
    line = f"{_text(column.name)}: {{{entry}}}"
    yield f"  # {line}  # left out: {why}" if why else f"  {line}"


def _text(text: str) -> str:
    """Text as YAML takes it, in quotes."""
    return json.dumps(text, ensure_ascii=False)
