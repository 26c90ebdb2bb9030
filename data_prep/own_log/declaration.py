"""The declaration of an own log in YAML or JSON: its files, fields, tasks and splits.

`docs/own_data.md` describes the format. Everything that is wrong with a declaration is found here,
before a row is read.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from data_prep.own_log.declared.fields import DeclaredField, declared_fields, takes_min_count
from data_prep.own_log.declared.histories import check_histories
from data_prep.own_log.declared.joins import DeclaredJoin, declared_joins
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
from dcrnn_tf.dataset.schema import MULTI_CATEGORICAL, VECTOR, DatasetError, Entity, Schema

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
    "with_validation_fraction",
]


@dataclasses.dataclass(frozen=True)
class Declaration:
    """A whole declaration; `content` is the file's own content.

    `weight` is the column of the weights of all tasks that declare none of their own.
    """

    path: pathlib.Path
    name: str
    fields: tuple[DeclaredField, ...]
    tasks: tuple[DeclaredTask, ...]
    split: DeclaredSplit
    options: FileOptions = DEFAULT
    joins: tuple[DeclaredJoin, ...] = ()
    derived: tuple[DerivedColumn, ...] = ()
    simulated: bool = False
    time: DeclaredTime | None = None
    weight: str | None = None
    content: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def file_columns(self) -> dict[str, str]:
        """The columns that the log's files must have, each with the part that names it."""
        given = {name for join in self.joins for name in join.columns}
        given |= {column.name for column in self.derived}
        columns = {name: join.part for join in reversed(self.joins) for name in join.log_key}
        columns |= {**sources_of(self.derived), **self.columns}
        return {name: part for name, part in columns.items() if name not in given}

    @property
    def columns(self) -> dict[str, str]:
        """The columns of a row that are used, each with the part of the declaration that does."""
        columns = {task.weight: "weight" for task in self.tasks if task.weight is not None}
        columns |= {task.column: f"task {task.name}" for task in self.tasks}
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
    def schema(self) -> Schema:
        """The schema of the dataset as far as it is known before a row is read."""
        fields = tuple(
            dataclasses.replace(field.as_field(), entity=self.entity_of(field))
            for field in self.fields
        )
        tasks = tuple(task.task for task in self.tasks)
        entities = {name: Entity(name, 0, ()) for name in self.entities}
        return Schema(self.name, fields, tasks, splits={}, entities=entities)

    @property
    def selection(self) -> Selection:
        """What is read of the log's files."""
        numbers = set(self.number_columns)
        return Selection(self.file_columns, self._list_columns, numbers, self.options)

    def join_selection(self, join: DeclaredJoin) -> Selection:
        """What is read of the files of a join."""
        columns = dict.fromkeys([*join.key, *join.columns.values()], join.part)
        # A column may be given under several names: what one of them forbids is forbidden.
        lists, numbers = self._list_columns, self.number_columns
        single = {column for name, column in join.columns.items() if name not in lists}
        return Selection(
            columns,
            set(join.columns.values()) - single - {*join.key},
            {column for name, column in join.columns.items() if name in numbers},
            join.options,
        )

    @property
    def _list_columns(self) -> set[str]:
        """The columns whose cells may be lists."""
        lists = {f.column for f in self.fields if f.kind in (MULTI_CATEGORICAL, VECTOR)}
        for field in self.fields:
            if field.kind not in (MULTI_CATEGORICAL, VECTOR) or field.history:
                lists -= {*self._columns_of(field)}
        lists -= {self.split.column, self.time and self.time.column, *sources_of(self.derived)}
        lists -= {task.weight for task in self.tasks}
        return lists - {name for join in self.joins for name in join.log_key}

    def entity_of(self, field: DeclaredField) -> str | None:
        """Returns the name of the entity table that stores a field; None if each exposure does."""
        for join in self.joins:
            if join.entity and field.column in join.columns and field.history is None:
                return join.name
        return None

    @property
    def entities(self) -> dict[str, DeclaredJoin]:
        """The joins whose fields are entity tables, by name."""
        used = {self.entity_of(field) for field in self.fields}
        return {join.name: join for join in self.joins if join.name in used}

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


def with_validation_fraction(declaration: Declaration, fraction: float) -> Declaration:
    """The same declaration with another share of the training rows for validation."""
    split = {**declaration.content["split"], "validation_fraction": fraction}
    return parse_declaration({**declaration.content, "split": split}, declaration.path)


def _declaration(path: pathlib.Path, content: object) -> Declaration:
    allowed = {field.name for field in dataclasses.fields(Declaration)} | set(OPTION_KEYS)
    top = Keys(content, "the declaration", sorted(allowed - {"path", "content", "options"}))
    name = top.text("name")
    fields = declared_fields(top.mapping("fields"))
    weight = top.text("weight", None)
    tasks = tuple(declared_task(*item, weight) for item in top.mapping("tasks").items())
    options = parse_options(top)
    time = declared_time(top.get("time")) if "time" in top.entry else None
    declaration = Declaration(
        path=path,
        name=name,
        fields=fields,
        tasks=tasks,
        split=declared_split(top.get("split"), time),
        options=options,
        joins=declared_joins(top.get("joins"), options) if "joins" in top.entry else (),
        derived=derived_columns(top.get("derived")) if "derived" in top.entry else (),
        simulated=top.truth("simulated", False),
        time=time,
        weight=weight,
        content=top.entry,
    )
    _check_together(declaration)
    return declaration


def _check_together(declaration: Declaration) -> None:
    """Checks what concerns more than one entry."""
    schema = declaration.schema  # checks names, the order of tasks, attention
    histories = {field.name: field.history for field in declaration.fields if field.history}
    check_histories(histories, declaration.columns, schema.tasks, declaration.time)
    given = {name: join.part for join in declaration.joins for name in join.columns}
    for one in declaration.derived:
        if one.name in given:
            raise DatasetError(f"{one.part}: {given[one.name]} gives a column of that name")
    derived = {column.name for column in declaration.derived}
    for join in declaration.joins:
        for column in join.log_key:
            if column in derived and column not in given:
                raise DatasetError(
                    f"{join.part}: log_key {column!r} is a derived column, which is made of the "
                    "joined row; name a column of the log or of a join before"
                )
        if join.row_column in {*declaration.columns, *declaration.file_columns, *given}:
            raise DatasetError(f"{join.part}: no column may be called {join.row_column!r}")
    labels = {task.column: task.name for task in declaration.tasks}
    for field in declaration.fields:
        if field.column in labels:
            raise DatasetError(
                f"field {field.name}: column {field.column!r} is the label of task "
                f"{labels[field.column]} and cannot be an input as well"
            )
    for one in declaration.derived:
        reader = declaration.number_columns.get(one.name)
        if reader is not None and one.expression.kind == MOMENT:
            raise DatasetError(
                f"field {reader}: {one.part} gives moments, expected numbers; write EPOCH(...) "
                "for its seconds since 1970"
            )
    if declaration.options.column_names is not None:
        declaration.selection.check(declaration.options.column_names, "column_names")
