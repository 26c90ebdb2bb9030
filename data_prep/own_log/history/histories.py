"""The histories of a log on one machine: what each row sees of its user's earlier rows."""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import as_values
from data_prep.own_log.declaration import ONE, Declaration
from data_prep.own_log.declared.fields import DeclaredField
from data_prep.own_log.declared.times import TIME
from data_prep.own_log.field_encoder import FieldEncoder
from data_prep.own_log.history.dictionary import Dictionary
from data_prep.own_log.history.event_files import EventFiles
from data_prep.own_log.learning.field_learner import FieldLearner
from data_prep.own_log.learning.id_sketch import IdSketch
from data_prep.own_log.rows.log_rows import ROW, LogRows
from data_prep.storage.columns import Ragged
from data_prep.storage.sizes import raw_bytes
from data_prep.storage.work_folder import scratch_folder
from dcrnn_tf.dataset.schema import Field
from dcrnn_tf.dataset.vocabulary import Vocabulary

BUCKET_BYTES = 32 << 20  # of raw files, whose rows of users are sorted at a time

Labels = Mapping[str, np.ndarray]


class Histories:
    """Collects the rows of a log, and finds what each of them sees of the earlier ones.

    Args:
      fields: The fields that are histories.
      folder: Folder for intermediate files.
      buckets: Number of parts in which users are sorted, one after the other in memory.
    """

    def __init__(self, fields: Sequence[DeclaredField], folder: pathlib.Path, buckets: int):
        self._users: dict[str, Dictionary] = {}
        self._values: dict[str, Dictionary] = {}
        self._fields: dict[str, list[DeclaredField]] = {}
        for field in fields:
            self._users.setdefault(field.made_of.by, Dictionary())
            self._values.setdefault(field.made_of.of, Dictionary())
            self._fields.setdefault(field.made_of.by, []).append(field)
        self._files = {
            by: EventFiles(folder / f"{number}", fields, buckets)
            for number, (by, fields) in enumerate(self._fields.items())
        }
        self._folder = folder
        self._learners: dict[str, FieldLearner] = {}

    def add(self, frame: pl.DataFrame, train: np.ndarray, labels: Labels) -> None:
        """Adds the rows of a chunk; `train` says which are training rows."""
        if not self._fields:
            return
        rows, times = frame[ROW].to_numpy(), frame[TIME].to_numpy()
        values = {name: known.numbers(frame[name]) for name, known in self._values.items()}
        for by, fields in self._fields.items():
            users = self._users[by].numbers(frame[by])
            events = [
                np.where(counts(field, frame, labels), values[field.made_of.of], -1)
                for field in fields
            ]
            self._files[by].add(rows, times, users, train, events)

    def finish(self, learners: Sequence[FieldLearner]) -> None:
        """Sorts the rows, and tells the learners of the histories what training rows see."""
        self._learners = {learner.declared.name: learner for learner in learners}
        for by, fields in self._fields.items():
            dictionaries = [self._values[field.made_of.of].ids for field in fields]
            seen = self._files[by].sort([len(ids) for ids in dictionaries])
            for field, ids, counts in zip(fields, dictionaries, seen, strict=True):
                used = np.flatnonzero(counts)
                counter = self._learners[field.name].counter
                if isinstance(counter, IdSketch):
                    counter.add(ids.gather(used))
                else:
                    counter.add(ids.gather(used), pl.Series(counts[used]))

    def encoder(self, field: Field, vocabulary: Vocabulary | None) -> FieldEncoder:
        """Returns the encoder of a field, after `finish`; of one that is a history, of its own."""
        for by, fields in self._fields.items():
            for number, declared in enumerate(fields):
                if declared.name == field.name:
                    ids = self._values[declared.made_of.of].ids
                    learner = self._learners[field.name]
                    return HistoryEncoder(field, vocabulary, ids, self._files[by], number, learner)
        return FieldEncoder(field, vocabulary)

    def remove(self) -> None:
        """Removes the files."""
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def open_histories(
    declaration: Declaration, log: LogRows, out_dir: pathlib.Path
) -> Iterator[Histories]:
    """Makes the histories of a log, whose files lie beside the prepared dataset for so long.

    Args:
      declaration: Declaration of the log.
      log: The log.
      out_dir: Folder of the prepared dataset.
    """
    fields = [field for field in declaration.fields if field.history is not None]
    work = out_dir.with_name(out_dir.name + ".work")
    if not fields:
        yield Histories([], work, 0)
        return
    size = sum(raw_bytes(file.path) for _, file in log.files)
    with scratch_folder(work):
        yield Histories(fields, work, 1 + size // BUCKET_BYTES)


class HistoryEncoder(FieldEncoder):
    """Encodes a history of the rows whose numbers are in the column `ROW`.

    Args:
      field: The field.
      vocabulary: Its vocabulary; None for hashed ids.
      ids: The ids in the order of their numbers in the files.
      files: The files of the events.
      number: Number of the history in the files.
      learner: Learner of the field, which counts empty lists as missing ones.
    """

    def __init__(
        self,
        field: Field,
        vocabulary: Vocabulary | None,
        ids: pl.Series,
        files: EventFiles,
        number: int,
        learner: FieldLearner,
    ):
        super().__init__(field, vocabulary)
        self._rows_of_ids = self._rows(ids)
        self._files = files
        self._number = number
        self._learner = learner

    def __call__(self, frame: pl.DataFrame) -> Ragged:
        """Returns the field's column of the dataset."""
        lists = self._files.lists(self._number, frame[ROW].to_numpy())
        self._learner.counts.missing += int(np.count_nonzero(lists.row_lengths == 0))
        return Ragged(self._rows_of_ids[lists.values], lists.row_lengths)


def counts(field: DeclaredField, frame: pl.DataFrame, labels: Labels) -> np.ndarray:
    """Returns which rows count for a history, `(rows,)`, if they have a value."""
    where = field.made_of.where
    if where is None:
        return np.ones(frame.height, bool)
    if where in labels:
        return labels[where] == 1
    return as_values(ONE).hold(frame[where]).to_numpy()
