"""What of a dataset's declaration says how rows are read that are to be scored."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from data_prep.own_log.declaration import Declaration, DeclaredSplit, parse_declaration
from data_prep.own_log.declared.joins import MISSING, needed_joins
from data_prep.own_log.declared.options import Selection
from data_prep.own_log.derived.columns import needed, sources_of
from dcrnn_tf.dataset.schema import DatasetError, Schema


@dataclasses.dataclass(frozen=True)
class ScoredRows:
    """How rows are read that need no labels, and bring their histories with them.

    Attributes:
      declaration: The declaration with the fields of a model, with the joins and derived columns
        that these are made of, and without tasks.
      keys: Columns that stand beside the scores.
    """

    declaration: Declaration
    keys: tuple[str, ...]

    @property
    def selection(self) -> Selection:
        """What is read of the files."""
        declared = self.declaration
        made = {name for join in declared.joins for name in join.columns}
        made |= {column.name for column in declared.derived}
        keys = {name: "--keys" for name in self.keys if name not in made}
        selection = declared.selection
        return dataclasses.replace(selection, columns=keys | dict(selection.columns))


def scored_rows(
    schema: Schema, path: pathlib.Path, keys: Sequence[str] | None = None
) -> ScoredRows:
    """Returns how the rows that a model is to score are read.

    A row without partner in a joined file lacks the joined columns, whatever was declared.

    Args:
      schema: Schema of the dataset, with the fields of the model.
      path: Path of the schema, for messages.
      keys: Columns that stand beside the scores; by default those of the single ids that the files
        themselves have.

    Raises:
      DatasetError: The dataset was made without a declaration.
    """
    content = schema.settings.get("declaration")
    if not isinstance(content, Mapping):
        raise DatasetError(
            f"{path} holds no declaration of raw files, so raw rows cannot be read; that takes a "
            "dataset made by data_prep.own_log"
        )
    declared = parse_declaration(content, path)
    names = {field.name for field in schema.fields}
    fields = tuple(
        dataclasses.replace(field, history=None) for field in declared.fields if field.name in names
    )
    wanted = {*(keys or ()), *(field.column for field in fields)}
    derived = needed(declared.derived, wanted)
    wanted |= {*sources_of(derived)}
    joins = tuple(
        dataclasses.replace(join, unmatched=MISSING, entity=False)
        for join in needed_joins(declared.joins, wanted)
    )
    declaration = dataclasses.replace(
        declared,
        fields=fields,
        tasks=(),
        split=DeclaredSplit("file", {}),
        joins=joins,
        derived=derived,
        time=None,
        weight=None,
    )
    return ScoredRows(declaration, _ids(declaration) if keys is None else tuple(keys))


def histories(schema: Schema, path: pathlib.Path) -> dict[str, str]:
    """Returns what the histories among a model's fields are made of, in words, by field."""
    declared = parse_declaration(schema.settings["declaration"], path)
    names = {field.name for field in schema.fields}
    return {
        field.name: f"{field.history.of} of the earlier rows of each {field.history.by}"
        for field in declared.fields
        if field.history is not None and field.name in names
    }


def _ids(declaration: Declaration) -> tuple[str, ...]:
    """The columns of the files that hold single ids: those of fields, and keys of joins."""
    columns = declaration.file_columns
    lists = declaration.selection.lists
    numbers = declaration.number_columns
    return tuple(name for name in columns if name not in lists and name not in numbers)
