"""Makes a prepared dataset of the files that a declaration describes."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import polars as pl
from tqdm import tqdm

from data_prep.own_log.declaration import SPLIT_NAMES, Declaration
from data_prep.own_log.encode_rows import EncodeRows
from data_prep.own_log.extending import EXTENDS, ExtendedDataset
from data_prep.own_log.history.histories import Histories, open_histories
from data_prep.own_log.joined.exposures import Exposures
from data_prep.own_log.learning.classes import coded
from data_prep.own_log.learning.earlier import EarlierField
from data_prep.own_log.learning.field_learner import FieldLearner, field_learners
from data_prep.own_log.parsing.remote import raw_folder
from data_prep.own_log.row_counts import RowCounts, check_rows, never_met, written_spans
from data_prep.own_log.rows.log_rows import LogRows
from data_prep.own_log.split_draw import TRAIN
from data_prep.own_log.statistics import EncodedCounts, filters_of
from data_prep.own_log.weighting.negatives import NegativeDraw, StayingRows, staying
from data_prep.storage import sizes
from data_prep.storage.ahead import ahead
from data_prep.storage.bad_rows import Progress
from data_prep.storage.columns import select
from data_prep.storage.dataset_folder import check_absent
from data_prep.storage.writer import DatasetWriter, Ragged
from dcrnn_tf.dataset.schema import Schema, Task


def prepare(
    declaration: Declaration,
    data_dir: str | pathlib.Path,
    out_dir: str | pathlib.Path,
    seed: int = 0,
    max_bad_rows: int = 0,
    simulation: Mapping[str, object] | None = None,
    extended: ExtendedDataset | None = None,
) -> Schema:
    """Writes the prepared dataset that a declaration describes.

    Args:
      declaration: Declaration of the log, from `load_declaration`.
      data_dir: folder that the declaration's file patterns are relative to.
      out_dir: folder of the dataset; must not exist.
      seed: Seed of the split and the shuffle.
      max_bad_rows: Number of bad rows that are left out and counted; one more is an error.
      simulation: What the simulator recorded of simulated rows; None for real ones.
      extended: The dataset whose ids, scalings and classes this one keeps; None learns all anew.

    Returns:
      The schema of the dataset.

    Raises:
      DatasetError: `out_dir` exists, or something is wrong with a file or a row.
    """
    check_absent(pathlib.Path(out_dir))
    log = LogRows(declaration, raw_folder(data_dir), seed, max_bad_rows)
    require_room(sizes.OWN_LOG, declaration, log, pathlib.Path(out_dir))
    if log.counts_first:
        with _bar("splits", log.bytes, "B") as bar:
            log.count(bar.update)
    negatives = NegativeDraw.of(declaration, seed)
    with open_histories(declaration, log, pathlib.Path(out_dir)) as histories:
        with _bar("1/3 counting", log.bytes, "B") as bar:
            earlier = extended.fields if extended else {}
            learners, counts = learn(declaration, log, histories, seed, bar.update, earlier)
        check_rows(declaration, counts)
        encoders = [histories.encoder(*learner.finish()) for learner in learners]
        fields = [encoder.field for encoder in encoders]
        tasks = extended.tasks(counts.tasks()) if extended else counts.tasks()
        largest = int(counts.rows.max())
        encoded_counts = EncodedCounts()
        encode = EncodeRows(encoders, log.joins.tables)
        with DatasetWriter(out_dir, declaration.name, fields, tasks, seed, largest) as writer:
            for encoder in encoders:
                if (vocabulary := encoder.vocabulary) and not encoder.field.shares:
                    ages = (vocabulary.unseen,) if extended else ()
                    content = (vocabulary.ids, vocabulary.counts, *ages)
                    writer.add_vocabulary(encoder.field.name, *content)
            for entity, first in encode.chunks():
                writer.add_entity_rows(entity, encode.entity_rows(entity, first))
            rows_stay = StayingRows(negatives)
            with _bar("2/3 encoding", log.bytes, "B") as bar:
                rows = _encoded(encode, tasks, log, rows_stay, bar.update)
                for splits, encoded, missing in ahead(rows):
                    for split in np.unique(splits):
                        rows_of_split = np.flatnonzero(splits == split)
                        columns = {
                            name: take_rows(column, rows_of_split)
                            for name, column in encoded.items()
                        }
                        writer.add_rows(SPLIT_NAMES[split], columns)
                        absent = {name: lacks[rows_of_split] for name, lacks in missing.items()}
                        encode.count(encoded_counts, SPLIT_NAMES[split], columns, absent)
            source = source_of(declaration, log, simulation)
            filters = filters_of(
                log.bad_rows.counts,
                log,
                log.files_without_rows,
                {learner.declared.name: learner.counts for learner in learners},
                never_met(declaration, counts),
                written_spans(declaration, counts),
            )
            filters |= encoded_counts.filters()
            if extended is not None:
                grown = {
                    learner.declared.name: learner.growth.counts if learner.growth else None
                    for learner in learners
                }
                source[EXTENDS], filters[EXTENDS] = extended.source, extended.counts(grown)
            if negatives is not None:
                filters["negatives_left_out"] = rows_stay.left_out
            if rows_stay.in_no_split:
                filters["rows_in_no_split"] = rows_stay.in_no_split
            settings = settings_of(declaration)
            with _bar("3/3 shuffling", int(counts.rows.sum()), " rows") as bar:
                return writer.finish(source, settings, filters, bar.update, histories.remove)


def learn(
    declaration: Declaration,
    log: LogRows,
    histories: Histories,
    seed: int,
    progress: Progress,
    earlier: Mapping[str, EarlierField] = MappingProxyType({}),
) -> tuple[list[FieldLearner], RowCounts]:
    """Reads all rows of a log once.

    Args:
      declaration: Declaration of the log.
      log: The log.
      histories: Its histories, which are sorted then.
      seed: Seed of the draws, and of the samples that quantiles are taken from.
      progress: called with the number of bytes read since the last call.
      earlier: The fields of the dataset that is extended, by name.

    Returns:
      What was learned of each field, and the counts of rows.

    Raises:
      DatasetError: There are more bad rows than tolerated.
    """
    learners, counts = field_learners(declaration, seed, earlier), RowCounts(declaration)
    exposures = Exposures(log.joins.tables, declaration.entities)
    rows_stay = StayingRows(NegativeDraw.of(declaration, seed))
    for frame, splits, labels in ahead(_with_histories(log, histories, rows_stay, progress)):
        counts.add(frame, splits, labels)
        for learner in learners:
            if learner.declared.history is None and not learner.entity_of_ids:
                learner.add(frame, splits == TRAIN)
        exposures.add(frame, splits == TRAIN)
    exposures.teach(learners)
    histories.finish(learners)
    return learners, counts


def _with_histories(
    log: LogRows, histories: Histories, rows_stay: StayingRows, progress: Progress
) -> Iterator[tuple[pl.DataFrame, np.ndarray, dict]]:
    """Yields the rows that stay, after the histories have taken all."""
    for frame, splits, labels in log.read(progress):
        stay = rows_stay(splits, labels)
        histories.add(frame, (splits == TRAIN) & stay, labels)
        yield staying(frame, splits, labels, stay)


def _encoded(
    encode: EncodeRows,
    tasks: Sequence[Task],
    log: LogRows,
    rows_stay: StayingRows,
    progress: Progress,
) -> Iterator[tuple[np.ndarray, dict, dict]]:
    """Yields the split of each row that stays, its columns, and where numbers are missing."""
    for frame, splits, labels in log.read(progress):
        stay = rows_stay(splits, labels)
        frame, splits, labels = staying(frame, splits, labels, stay)
        yield splits, encode(frame) | coded(labels, tasks), encode.missing_numbers(frame)


def require_room(
    rates: sizes.Preparation, declaration: Declaration, log: LogRows, out_dir: pathlib.Path
) -> None:
    """States what the preparation of a log takes, and refuses it where the disk has less room.

    Args:
      rates: Rates of the preparation.
      declaration: Declaration of the log.
      log: The log.
      out_dir: Folder of the prepared dataset.
    """
    columns = {name for _, file in log.files for name in file.names}
    share = min(1.0, (len(declaration.fields) + len(declaration.tasks)) / max(len(columns), 1))
    longest = [field.max_values for field in declaration.fields if field.history]
    histories = sizes.histories(longest, len(columns))
    rates.require([file.path for file in log.all_files], out_dir, share, histories)


def source_of(
    declaration: Declaration, log: LogRows, simulation: Mapping[str, object] | None
) -> dict[str, object]:
    """The schema's `source`: what the files are, and what a simulator said of them."""
    source: dict[str, object] = {
        "files": [{"name": file.path.name, "bytes": file.bytes} for file in log.all_files],
        "simulated": declaration.simulated or simulation is not None,
    }
    return source if simulation is None else source | {"simulation": simulation}


def settings_of(declaration: Declaration) -> dict[str, object]:
    """The schema's `settings`: the declaration."""
    return {"declaration": declaration.content}


def take_rows(column: np.ndarray | Ragged, rows: np.ndarray) -> np.ndarray | Ragged:
    """The given rows, ascending, of a column."""
    if not isinstance(column, Ragged):
        return column[rows]
    chosen = np.zeros(len(column.row_lengths), bool)
    chosen[rows] = True
    return select({"": column}, chosen)[""]


def _bar(name: str, total: int, unit: str) -> tqdm:
    return tqdm(desc=name, total=total, unit=unit, unit_scale=True, dynamic_ncols=True)
