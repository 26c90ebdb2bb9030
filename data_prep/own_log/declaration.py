"""The declaration of an own log in YAML or JSON: its files, fields, tasks and splits.

`docs/own_data.md` describes the format. Everything that is wrong with a declaration is found here,
before a row is read.
"""

import dataclasses
import pathlib
from collections.abc import Mapping

from data_prep.own_log.declared.fields import DeclaredField, declared_fields, takes_min_count
from data_prep.own_log.declared.histories import check_histories
from data_prep.own_log.declared.keys import Keys
from data_prep.own_log.declared.options import (
    DEFAULT,
    OPTION_KEYS,
    FileOptions,
    Selection,
    parse_options,
)
from data_prep.own_log.declared.splits import SPLIT_NAMES, DeclaredSplit, declared_split
from data_prep.own_log.declared.tasks import ONE, ZERO, DeclaredTask, declared_task
from data_prep.own_log.declared.times import DeclaredTime, declared_time
from data_prep.own_log.derived.columns import DerivedColumn, derived_columns, sources_of
from data_prep.own_log.derived.terms import MOMENT
from data_prep.own_log.yaml_json import read_json, read_yaml
from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, DatasetError, Schema

__all__ = [
    "ONE",
    "SPLIT_NAMES",
    "ZERO",
    "Declaration",
    "DeclaredField",
    "DeclaredSplit",
    "DeclaredTask",
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
    options: FileOptions = DEFAULT
    derived: tuple[DerivedColumn, ...] = ()
    simulated: bool = False
    time: DeclaredTime | None = None
    content: Mapping[str, object] = dataclasses.field(default_factory=dict)

    @property
    def file_columns(self) -> dict[str, str]:
        """The columns that the log's files must have, each with the part that names it."""
        derived = {column.name for column in self.derived}
        columns = {name: part for name, part in self.columns.items() if name not in derived}
        return {**sources_of(self.derived), **columns}

    @property
    def columns(self) -> dict[str, str]:
        """The columns of a row that are used, each with the part of the declaration that does."""
        columns = {task.column: f"task {task.name}" for task in self.tasks}
        for field in self.fields:
            columns |= dict.fromkeys(self._columns_of(field), f"field {field.name}")
        columns |= {self.split.column: "split"} if self.split.column else {}
        return columns | ({self.time.column: "time"} if self.time else {})

    def _columns_of(self, field: DeclaredField) -> tuple[str, ...]:
        """The columns of a row that a field is made of."""
        if (history := field.history) is None:
            return (field.column,)
        tasks = {task.name for task in self.tasks}
        where = () if history.where is None or history.where in tasks else (history.where,)
        return (history.of, history.by, *where)

    @property
    def missing_values(self) -> tuple[str, ...]:
        """The cells that mean a missing value."""
        return self.options.missing_values

    @property
    def selection(self) -> Selection:
        """What is read of the log's files."""
        lists = {f.column for f in self.fields if f.kind == MULTI_CATEGORICAL}
        for field in self.fields:
            if field.kind != MULTI_CATEGORICAL or field.history:
                lists -= {*self._columns_of(field)}
        lists -= {self.split.column, self.time and self.time.column, *sources_of(self.derived)}
        return Selection(self.file_columns, lists, set(self.number_columns), self.options)

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
        """The columns whose cells are read as they are written: ids, times, the split's column."""
        fields = (field for field in self.fields if not field.reads_numbers)
        columns = {column for field in fields for column in self._columns_of(field)}
        columns |= {self.split.column} if self.split.column else set()
        return columns | ({self.time.column} if self.time else set())


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
        name: {**entry, "min_count": min_count} if takes_min_count(entry) else entry
        for name, entry in declaration.content["fields"].items()
    }
    return parse_declaration({**declaration.content, "fields": fields}, declaration.path)


def _declaration(path: pathlib.Path, content: object) -> Declaration:
    allowed = {field.name for field in dataclasses.fields(Declaration)} | set(OPTION_KEYS)
    top = Keys(content, "the declaration", sorted(allowed - {"path", "content", "options"}))
    name = top.text("name")
    fields = declared_fields(top.mapping("fields"))
    tasks = tuple(declared_task(*item) for item in top.mapping("tasks").items())
    time = declared_time(top.get("time")) if "time" in top.entry else None
    declaration = Declaration(
        path=path,
        name=name,
        fields=fields,
        tasks=tasks,
        split=declared_split(top.get("split"), time),
        options=parse_options(top),
        derived=derived_columns(top.get("derived")) if "derived" in top.entry else (),
        simulated=top.truth("simulated", False),
        time=time,
        content=content,
    )
    _check_together(declaration)
    return declaration


def _check_together(declaration: Declaration) -> None:
    """Checks what concerns more than one entry."""
    fields = [field.as_field() for field in declaration.fields]
    tasks = [task.task for task in declaration.tasks]
    Schema(declaration.name, tuple(fields), tuple(tasks), {})  # names, order of tasks, attention
    histories = {field.name: field.history for field in declaration.fields if field.history}
    check_histories(histories, declaration.columns, tasks, declaration.time)
    labels = {task.column: task.name for task in declaration.tasks}
    for field in declaration.fields:
        if field.column in labels:
            raise DatasetError(
                f"field {field.name}: column {field.column!r} is the label of task "
                f"{labels[field.column]} and cannot be an input as well"
            )
    for column in declaration.derived:
        field = declaration.number_columns.get(column.name)
        if field is not None and column.expression.kind == MOMENT:
            raise DatasetError(
                f"field {field}: {column.part} gives moments, expected numbers; write EPOCH(...) "
                "for its seconds since 1970"
            )
    if declaration.options.column_names is not None:
        declaration.selection.check(declaration.options.column_names, "column_names")
