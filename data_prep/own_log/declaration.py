"""The declaration of an own log in YAML or JSON: its files, fields, tasks and splits.

`docs/own_data.md` describes the format. Everything that is wrong with a declaration is found here,
before a row is read.
"""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence

import polars as pl

from data_prep.own_log.cells import as_values
from data_prep.own_log.declared_keys import Keys
from data_prep.own_log.yaml_json import read_json, read_yaml
from dcrnn_tf.dataset.encodings import FIRST_ID_ROW, Bins, Scaling
from dcrnn_tf.dataset.schema import (
    CATEGORICAL,
    KINDS,
    MULTI_CATEGORICAL,
    NUMERIC,
    DatasetError,
    Field,
    Schema,
    Task,
)
from dcrnn_tf.system.nearest import did_you_mean

ONE, ZERO = ("1", "true"), ("0", "false")  # labels of a task that declares none
SPLIT_NAMES = ("train", "validation", "test")
SPLIT_KEYS = {  # how rows are split, and the keys that say it in full
    "file": ("by", "train", "validation", "test", "validation_fraction"),
    "column": ("by", "files", "column", "train", "validation", "test", "validation_fraction"),
    "group": ("by", "files", "column", "test_fraction", "validation_fraction"),
    "fraction": ("by", "files", "test_fraction", "validation_fraction"),
}
FIELD_KEYS = {
    CATEGORICAL: ("kind", "column", "min_count", "bins"),
    MULTI_CATEGORICAL: ("kind", "column", "min_count", "separator", "max_values", "attended_by"),
    NUMERIC: ("kind", "column", "scaling"),
}


@dataclasses.dataclass(frozen=True)
class DeclaredField:
    """An input column: `column` is its name in the files, the rest as in `docs/own_data.md`."""

    name: str
    kind: str
    column: str
    min_count: int = 10
    separator: str = ";"
    max_values: int = 50
    scaling: str = "standard"
    bins: str | None = None
    attended_by: str | None = None

    @property
    def reads_numbers(self) -> bool:
        """Whether the column's cells are numbers rather than ids."""
        return self.kind == NUMERIC or self.bins is not None


@dataclasses.dataclass(frozen=True)
class DeclaredTask:
    """A label column and its positive values.

    Attributes:
      name: of the task.
      column: of the label in the files.
      positive: values that make the label 1.
      negative: values that make it 0; None if every other value does.
      only_where: an earlier task without whose positive label this one may be missing.
    """

    name: str
    column: str
    positive: tuple[str, ...] = ONE
    negative: tuple[str, ...] | None = None
    only_where: str | None = None


@dataclasses.dataclass(frozen=True)
class DeclaredSplit:
    """Which rows are training, validation and test rows.

    Attributes:
      by: `file`, `column`, `group` or `fraction`.
      files: file patterns of each split (by file), or of all rows under `train`.
      column: the column that decides (by column) or that names the group (by group).
      values: the column's values of each split; an absent split has none, an absent
        `train` has all that no other split has.
      test_fraction: share of the rows, or groups, that become test rows.
      validation_fraction: share of the remaining ones that become validation rows.
    """

    by: str
    files: Mapping[str, tuple[str, ...]]
    column: str | None = None
    values: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    test_fraction: float = 0.0
    validation_fraction: float = 0.0


@dataclasses.dataclass(frozen=True)
class Declaration:
    """A whole declaration; `content` is the file's own content."""

    path: pathlib.Path
    name: str
    fields: tuple[DeclaredField, ...]
    tasks: tuple[DeclaredTask, ...]
    split: DeclaredSplit
    separator: str = ","
    quoted: bool = True
    column_names: tuple[str, ...] | None = None
    missing_values: tuple[str, ...] = ("", "NaN", "nan")
    simulated: bool = False
    content: Mapping[str, object] = dataclasses.field(default_factory=dict)

    @property
    def columns(self) -> dict[str, str]:
        """The columns that are read, each with the part of the declaration that names it."""
        columns = {task.column: f"task {task.name}" for task in self.tasks}
        columns |= {field.column: f"field {field.name}" for field in self.fields}
        return columns | ({self.split.column: "split"} if self.split.column else {})

    @property
    def number_columns(self) -> dict[str, str]:
        """The columns whose cells are numbers, each with the first field that reads them so."""
        columns: dict[str, str] = {}
        for field in self.fields:
            if field.reads_numbers:
                columns.setdefault(field.column, field.name)
        return columns

    @property
    def text_columns(self) -> set[str]:
        """The columns whose cells are read as they are written: ids, and what decides the split."""
        columns = {field.column for field in self.fields if not field.reads_numbers}
        return columns | ({self.split.column} if self.split.column else set())


def load_declaration(path: str | pathlib.Path) -> Declaration:
    """Reads a declaration from YAML, or from JSON if the file's name ends in `.json`.

    Raises:
      DatasetError: it cannot be read, has an unknown or missing key or a value that cannot be.
    """
    path = pathlib.Path(path)
    kind, read = ("JSON", read_json) if path.suffix == ".json" else ("YAML", read_yaml)
    try:
        content = read(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DatasetError(f"{path}: the declaration cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise DatasetError(f"{path} is not {kind}: {' '.join(str(error).split())}") from None
    return parse_declaration(content, path)


def parse_declaration(content: object, path: pathlib.Path) -> Declaration:
    """Makes a declaration of a file's content, or of the same made by a program.

    Args:
      content: mappings, lists and values as YAML or JSON gives them.
      path: what messages name as the place of the declaration.

    Raises:
      DatasetError: an unknown or missing key, or a value that cannot be.
    """
    try:
        return _declaration(path, content)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None


def with_min_count(declaration: Declaration, min_count: int) -> Declaration:
    """The same declaration with another `min_count`, for all fields of ids."""
    fields = {
        name: entry if entry["kind"] == NUMERIC else {**entry, "min_count": min_count}
        for name, entry in declaration.content["fields"].items()
    }
    return parse_declaration({**declaration.content, "fields": fields}, declaration.path)


def _declaration(path: pathlib.Path, content: object) -> Declaration:
    allowed = {field.name for field in dataclasses.fields(Declaration)} - {"path", "content"}
    top = Keys(content, "the declaration", sorted(allowed))
    name = top.text("name")
    fields = []
    for field, entry in top.mapping("fields").items():
        where = f"field {field}"
        every_key = sorted({key for keys in FIELD_KEYS.values() for key in keys})
        kind = Keys(entry, where, every_key).choice("kind", KINDS)
        keys = Keys(entry, where, FIELD_KEYS[kind], f" of a {kind} field")
        fields.append(
            DeclaredField(
                name=field,
                kind=kind,
                column=keys.text("column", field),
                min_count=keys.whole_number("min_count", 10),
                separator=keys.text("separator", ";", strip=False),
                max_values=keys.whole_number("max_values", 50, at_most=65535),
                scaling=keys.choice("scaling", Scaling.METHODS, "standard"),
                bins=keys.choice("bins", Bins.METHODS) if "bins" in keys.entry else None,
                attended_by=keys.text("attended_by", None),
            )
        )
    tasks = []
    for task, entry in top.mapping("tasks").items():
        keys = Keys(entry, f"task {task}", ("column", "positive", "negative", "only_where"))
        positive = keys.cells("positive")
        negative = keys.cells("negative")
        if both := _in_both(positive or (), negative or ()):
            raise DatasetError(f"task {task}: {both!r} is positive and negative")
        if negative and not positive:
            raise DatasetError(f"task {task}: negative values without positive ones")
        tasks.append(
            DeclaredTask(
                name=task,
                column=keys.text("column", task),
                positive=positive or ONE,
                negative=negative if positive else ZERO,
                only_where=keys.text("only_where", None),
            )
        )
    column_names = top.values("column_names")
    repeated = [n for n in column_names or () if column_names.count(n) > 1]
    if repeated:
        raise DatasetError(f"column_names holds {repeated[0]!r} more than once")
    separator = top.text("separator", ",", strip=False)
    if len(separator) != 1 or not separator.isascii() or separator in '\r\n\0"':
        raise DatasetError(
            f"separator {separator!r} must be one ASCII character, no line break and no quote "
            "(spaces around cells do not count)"
        )
    missing = top.cells("missing_values", may_be_empty=True)
    declaration = Declaration(
        path=path,
        name=name,
        fields=tuple(fields),
        tasks=tuple(tasks),
        split=_split(Keys(top.get("split"), "split", _all_split_keys())),
        separator=separator,
        quoted=top.truth("quoted", True),
        column_names=column_names,
        missing_values=Declaration.missing_values if missing is None else ("", *missing),
        simulated=top.truth("simulated", False),
        content=content,
    )
    _check_together(declaration)
    return declaration


def _split(keys: Keys) -> DeclaredSplit:
    by = keys.choice("by", tuple(SPLIT_KEYS))
    keys = Keys(keys.entry, "split", SPLIT_KEYS[by], f" of a split by {by}")
    values = keys.cells if by == "column" else keys.values
    parts = {name: values(name) for name in SPLIT_NAMES if name in keys.entry}
    if by in ("file", "column"):
        if "test" not in parts:
            keys.get("test")
        if "validation" in parts and "validation_fraction" in keys.entry:
            raise DatasetError("split: give either validation or validation_fraction, not both")
    if by == "file":
        keys.get("train")
    elif by == "column":
        for first, second in (("train", "test"), ("train", "validation"), ("validation", "test")):
            if both := _in_both(parts.get(first, ()), parts.get(second, ())):
                raise DatasetError(f"split: {both!r} is a value of {first} and of {second}")
    else:
        keys.get("test_fraction")
    return DeclaredSplit(
        by=by,
        files=parts if by == "file" else {"train": keys.values("files", required=True)},
        column=keys.text("column") if by in ("column", "group") else None,
        values=parts if by == "column" else {},
        test_fraction=keys.fraction("test_fraction"),
        validation_fraction=keys.fraction("validation_fraction"),
    )


def _in_both(first: Sequence[str], second: Sequence[str]) -> str | None:
    """Returns the least of the values that are in both lists, as the first one spells it."""
    values = pl.Series(first, dtype=pl.String)
    return values.filter(as_values(tuple(second)).hold(values)).min()


def _all_split_keys() -> list[str]:
    return sorted({key for keys in SPLIT_KEYS.values() for key in keys})


def _check_together(declaration: Declaration) -> None:
    """Checks what concerns more than one entry."""
    fields = [
        Field(f.name, f.kind, 0 if f.kind == NUMERIC else FIRST_ID_ROW, attended_by=f.attended_by)
        for f in declaration.fields
    ]
    tasks = [Task(task.name, task.only_where) for task in declaration.tasks]
    Schema(declaration.name, tuple(fields), tuple(tasks), {})  # names, order of tasks, attention
    labels = {task.column: task.name for task in declaration.tasks}
    for field in declaration.fields:
        if field.column in labels:
            raise DatasetError(
                f"field {field.name}: column {field.column!r} is the label of task "
                f"{labels[field.column]} and cannot be an input as well"
            )
    if declaration.column_names is not None:
        check_columns(declaration, declaration.column_names, "column_names")


def check_columns(declaration: Declaration, names: Collection[str], where: str) -> None:
    """Checks that the columns which a declaration reads exist.

    Raises:
      DatasetError: one does not; the message names the nearest existing one.
    """
    for column, part in declaration.columns.items():
        if column not in names:
            raise DatasetError(
                f"{where}: there is no column {column!r} ({part}){did_you_mean(column, names)}"
            )
