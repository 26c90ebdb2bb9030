"""The declaration of an own log in YAML or JSON: its files, fields, tasks and splits.

`docs/own_data.md` describes the format. Everything that is wrong with a declaration is found here,
before a row is read.
"""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping

from data_prep.own_log.declared.fields import DeclaredField, declared_field
from data_prep.own_log.declared.keys import Keys
from data_prep.own_log.declared.splits import SPLIT_NAMES, DeclaredSplit, declared_split
from data_prep.own_log.declared.tasks import ONE, ZERO, DeclaredTask, declared_task
from data_prep.own_log.yaml_json import read_json, read_yaml
from dcrnn_tf.dataset.encodings import FIRST_ID_ROW
from dcrnn_tf.dataset.schema import NUMERIC, DatasetError, Field, Schema, Task
from dcrnn_tf.system.nearest import did_you_mean

__all__ = [
    "ONE",
    "SPLIT_NAMES",
    "ZERO",
    "Declaration",
    "DeclaredField",
    "DeclaredSplit",
    "DeclaredTask",
    "check_columns",
    "load_declaration",
    "parse_declaration",
    "with_min_count",
]


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
    fields = tuple(declared_field(*item) for item in top.mapping("fields").items())
    tasks = tuple(declared_task(*item) for item in top.mapping("tasks").items())
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
        fields=fields,
        tasks=tasks,
        split=declared_split(top.get("split")),
        separator=separator,
        quoted=top.truth("quoted", True),
        column_names=column_names,
        missing_values=Declaration.missing_values if missing is None else ("", *missing),
        simulated=top.truth("simulated", False),
        content=content,
    )
    _check_together(declaration)
    return declaration


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
