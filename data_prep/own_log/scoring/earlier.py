"""The histories of rows that are scored, made of the files of earlier rows."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.declaration import Declaration, DeclaredSplit
from data_prep.own_log.declared.joins import MISSING, needed_joins
from data_prep.own_log.derived.columns import needed, sources_of
from data_prep.own_log.history.histories import BUCKET_BYTES, Histories
from data_prep.own_log.joined.tables import read_joins
from data_prep.own_log.learning.field_learner import field_learners
from data_prep.own_log.parsing.files import find_files, open_files
from data_prep.own_log.parsing.remote import RawPath
from data_prep.own_log.rows.log_rows import ROW
from data_prep.own_log.rows.row_reader import RowReader
from data_prep.storage.bad_rows import BadRows
from data_prep.storage.sizes import raw_bytes
from data_prep.storage.work_folder import scratch_folder


@dataclasses.dataclass(frozen=True)
class EarlierRows:
    """The files of earlier rows.

    Attributes:
      files: Names of the files, or patterns.
      folder: Folder that these, and the names of the declaration's joined files, are relative to.
      work: Folder for intermediate files, which are removed.
      max_bad_rows: Number of bad rows that are left out.
    """

    files: Sequence[str]
    folder: RawPath
    work: pathlib.Path
    max_bad_rows: int

    def paths(self) -> list[RawPath]:
        """Returns the paths of the files.

        Raises:
          DatasetError: A pattern fits no file.
        """
        return find_files(self.folder, self.files)[0]

    @contextlib.contextmanager
    def histories(
        self, declared: Declaration, fields: Sequence[str], scored: Iterator[pl.DataFrame]
    ) -> Iterator[Histories]:
        """Makes the histories that rows see; they stay for as long as the context.

        A row sees what the earlier rows of its user hold, as in preparation; the rows that are
        scored are no earlier rows of each other unless they are in these files as well.

        Args:
          declared: The whole declaration of the dataset.
          fields: Names of the fields of the model.
          scored: The rows that are scored, chunk by chunk, with their times and users.

        Raises:
          DatasetError: A file cannot be read, or has more bad rows than tolerated.
        """
        declaration = _of_histories(declared, fields)
        joins = read_joins(declaration.joins, declaration, self.folder, BadRows(self.max_bad_rows))
        files = open_files(self.folder, self.files, declaration.selection).opened
        size = sum(raw_bytes(file.path) for file in files)
        with scratch_folder(self.work):
            histories = Histories(declaration.fields, self.work, 1 + size // BUCKET_BYTES)
            row = 0
            columns = {f.made_of.of for f in declaration.fields}
            columns |= {f.made_of.where for f in declaration.fields if f.made_of.where is not None}
            no_labels = {task.name: 0 for task in declaration.tasks}
            for frame in scored:
                absent = [pl.lit(None, pl.String).alias(name) for name in columns]
                _add(histories, frame.with_columns(absent), row, no_labels)
                row += frame.height
            read, bad_rows = RowReader(declaration, joins.tables), BadRows(self.max_bad_rows)
            for file in files:
                for frame, _, labels in read(file, 0, bad_rows, lambda done: None):
                    _add(histories, frame, row, labels)
                    row += frame.height
            learners = field_learners(declared, 0)
            names = {field.name for field in declaration.fields}
            histories.finish([one for one in learners if one.declared.name in names])
            yield histories


def _add(histories: Histories, frame: pl.DataFrame, first: int, labels: dict) -> None:
    rows = frame.height
    numbered = frame.with_columns(pl.Series(ROW, np.arange(first, first + rows)))
    whole = {task: np.broadcast_to(label, rows) for task, label in labels.items()}
    histories.add(numbered, np.zeros(rows, bool), whole)


def _of_histories(declared: Declaration, fields: Sequence[str]) -> Declaration:
    """The declaration with the histories among some fields alone, and what these are made of."""
    chosen = tuple(f for f in declared.fields if f.name in fields and f.history is not None)
    wanted = {f.made_of.where for f in chosen}
    tasks = []
    for task in reversed(declared.tasks):
        if task.name in wanted:
            wanted.add(task.only_where)
            tasks.append(dataclasses.replace(task, weight=None))
    return narrowed(dataclasses.replace(declared, fields=chosen, tasks=tuple(reversed(tasks))))


def narrowed(declared: Declaration, more: Sequence[str] = ()) -> Declaration:
    """Returns a declaration of rows of one split, with no joins or derived columns in vain.

    A row without partner in a joined file lacks the joined columns, whatever was declared.

    Args:
      declared: The declaration.
      more: Further columns that are needed.
    """
    declared = dataclasses.replace(declared, split=DeclaredSplit("file", {}), weight=None)
    wanted = {*declared.columns, *more}
    derived = needed(declared.derived, wanted)
    wanted |= {*sources_of(derived)}
    joins = tuple(
        dataclasses.replace(join, unmatched=MISSING, entity=False)
        for join in needed_joins(declared.joins, wanted)
    )
    return dataclasses.replace(declared, derived=derived, joins=joins)
