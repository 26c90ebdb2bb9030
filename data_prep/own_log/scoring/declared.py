"""What of a dataset's declaration says how rows are read that are to be scored."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from data_prep.own_log.declaration import Declaration, parse_declaration
from data_prep.own_log.declared.options import Selection
from data_prep.own_log.scoring.earlier import narrowed
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
    declared: Declaration,
    fields: Sequence[str],
    keys: Sequence[str] | None = None,
    with_histories: bool = False,
) -> ScoredRows:
    """Returns how the rows that a model is to score are read.

    Args:
      declared: The declaration of the dataset.
      fields: Names of the fields of the model.
      keys: Columns that stand beside the scores; by default those of the single ids that the files
        themselves have.
      with_histories: Whether histories are made of earlier rows, which takes the time and the user
        of each row; else the rows bring them.
    """
    chosen = []
    for field in (field for field in declared.fields if field.name in fields):
        history = field.history
        if history is not None:
            history = dataclasses.replace(history, where=None) if with_histories else None
        chosen.append(dataclasses.replace(field, history=history))
    timed = any(field.history is not None for field in chosen)
    declaration = dataclasses.replace(
        declared, fields=tuple(chosen), tasks=(), time=declared.time if timed else None
    )
    declaration = narrowed(declaration, keys or ())
    return ScoredRows(declaration, _ids(declaration) if keys is None else tuple(keys))


def declaration_of(schema: Schema, path: pathlib.Path) -> Declaration:
    """Returns the declaration of a dataset.

    Args:
      schema: Schema of the dataset.
      path: Path of the schema, for messages.

    Raises:
      DatasetError: The dataset was made without one.
    """
    content = schema.settings.get("declaration")
    if not isinstance(content, Mapping):
        raise DatasetError(
            f"{path} holds no declaration of raw files, so raw rows cannot be read; that takes a "
            "dataset made by data_prep.own_log"
        )
    return parse_declaration(content, path)


def _ids(declaration: Declaration) -> tuple[str, ...]:
    """The columns of the files that hold single ids: those of fields, and keys of joins."""
    columns = declaration.file_columns
    lists = declaration.selection.lists
    numbers = declaration.number_columns
    return tuple(name for name in columns if name not in lists and name not in numbers)
