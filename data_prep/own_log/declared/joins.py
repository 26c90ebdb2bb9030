"""Files that are joined to the rows of a log, as a declaration has them under `joins`."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from data_prep.own_log.declared.keys import Keys
from data_prep.own_log.declared.options import OPTION_KEYS, FileOptions, parse_options
from dcrnn_tf.dataset.names import fault_of
from dcrnn_tf.dataset.schema import DatasetError

REFUSE, FIRST, LAST, MISSING = "refuse", "first", "last", "missing"
_KEYS = ("files", "key", "log_key", "columns", "repeated", "unmatched", "entity")


@dataclasses.dataclass(frozen=True)
class DeclaredJoin:
    """Files whose rows are joined to those of the log.

    Attributes:
      name: Name of the join.
      files: Patterns of the files.
      key: Columns of the files that name their rows together, mostly one.
      log_key: Columns of the log, or of earlier joins, that hold such names.
      columns: Columns of the files by the names that they have in the joined row.
      options: how the files are read.
      repeated: what becomes of rows with the same key: `refuse`, `first` or `last`.
      unmatched: what becomes of rows of the log without partner: `refuse` or `missing`.
      entity: Whether the fields of the columns are stored once, as an entity table.
    """

    name: str
    files: tuple[str, ...]
    key: tuple[str, ...]
    log_key: tuple[str, ...]
    columns: Mapping[str, str]
    options: FileOptions
    repeated: str = REFUSE
    unmatched: str = REFUSE
    entity: bool = False

    @property
    def part(self) -> str:
        """What messages call it."""
        return f"join {self.name}"

    @property
    def row_column(self) -> str:
        """Name of the column that holds the number of the row that is joined."""
        return f"row of {self.name}"

    @property
    def entity_row(self) -> str:
        """Name under which an exposure of the dataset has the number of the row."""
        return f"{self.name}_row"


def declared_joins(content: object, options: FileOptions) -> tuple[DeclaredJoin, ...]:
    """Makes joins of a mapping of names to entries.

    Args:
      content: The mapping.
      options: Options of reading that entries do not give.

    Raises:
      DatasetError: An unknown or missing key, or a value that cannot be.
    """
    entries = Keys({"joins": content}, "the declaration", ("joins",)).mapping("joins")
    joins = tuple(_declared_join(name, entry, options) for name, entry in entries.items())
    given: dict[str, DeclaredJoin] = {}
    for join in joins:
        for column in join.columns:
            if column in given:
                raise DatasetError(
                    f"{join.part}: {given[column].part} gives a column {column!r} too; give it "
                    "another name, with columns: {new name: column}"
                )
            given[column] = join
    positions = {join.name: position for position, join in enumerate(joins)}
    for join in joins:
        for column in join.log_key:
            giver = given.get(column)
            if giver is not None and positions[giver.name] >= positions[join.name]:
                raise DatasetError(
                    f"{join.part}: log_key {column!r} is a column of {giver.part}, which must be "
                    "declared before it"
                )
    return joins


def needed_joins(joins: Sequence[DeclaredJoin], names: Iterable[str]) -> tuple[DeclaredJoin, ...]:
    """Returns those of joins, with those of their columns, that some columns are looked up by.

    Args:
      joins: The joins in the order of the declaration.
      names: Names of the columns that are needed, of which joins may give none.
    """
    wanted, kept = set(names), []
    for join in reversed(joins):
        if columns := {name: source for name, source in join.columns.items() if name in wanted}:
            kept.append(dataclasses.replace(join, columns=columns))
            wanted.update(join.log_key)
    return tuple(reversed(kept))


def _declared_join(name: str, entry: object, options: FileOptions) -> DeclaredJoin:
    keys = Keys(entry, f"join {name}", (*_KEYS, *OPTION_KEYS))
    if fault := fault_of(name):
        raise DatasetError(f"joins: the name {name!r} {fault}")
    columns = keys.get("columns")
    if isinstance(columns, dict):
        named = Keys(columns, f"join {name}: columns", list(keys.mapping("columns")))
        columns = {column: named.text(column) for column in columns}
    else:
        columns = {column: column for column in keys.values("columns", True)}
    key = _key(keys, "key")
    log_key = _key(keys, "log_key") if "log_key" in keys.entry else key
    if len(log_key) != len(key):
        keys.fail("log_key", f"as many columns as key has, {len(key)}")
    return DeclaredJoin(
        name=name,
        files=keys.values("files", True),
        key=key,
        log_key=log_key,
        columns=columns,
        options=parse_options(keys, options),
        repeated=keys.choice("repeated", (REFUSE, FIRST, LAST), REFUSE),
        unmatched=keys.choice("unmatched", (REFUSE, MISSING), REFUSE),
        entity=keys.truth("entity", False),
    )


def _key(keys: Keys, key: str) -> tuple[str, ...]:
    """Returns the columns of a key: one, or a list of several."""
    if not isinstance(keys.get(key), list):
        return (keys.text(key),)
    columns = keys.values(key, True)
    if len(set(columns)) < len(columns):
        keys.fail(key, "columns of which none stands there twice")
    return columns
