"""Prepares the two raw files of the WeChat Big Data Challenge 2021."""

import dataclasses
import functools
import pathlib
import shutil
import sys
from collections.abc import Sequence

import numpy as np
import polars as pl
import tqdm

from data_prep.own_log.declaration import SPLIT_NAMES
from data_prep.simulation.folder import read_simulation
from data_prep.storage import sizes
from data_prep.storage.bad_rows import BadRows, Progress
from data_prep.storage.columns import select
from data_prep.storage.dataset_folder import check_absent
from data_prep.storage.vocabulary import IdCounter
from data_prep.storage.work_folder import scratch_folder
from data_prep.storage.writer import DatasetWriter
from data_prep.wechat.feeds import Feeds, read_feeds
from data_prep.wechat.fields import (
    ACTION_FILE,
    BEHAVIOURS,
    EXPOSURE_IDS,
    FEED,
    FEED_FILE,
    FEED_ID,
    FEED_IDS,
    LISTS,
    PUBLISHED_DAYS,
    PUBLISHED_ROWS,
    SCORED_LIST,
    SECONDS,
    USER_ID,
)
from data_prep.wechat.log import TEST, TRAIN, ActionLog, DaySplit
from data_prep.wechat.settings import Settings
from dcrnn_tf.dataset.encodings import INTEGER, LOG, MISSING_ID, Ids, Scaling
from dcrnn_tf.dataset.schema import (
    CATEGORICAL,
    MULTI_CATEGORICAL,
    NUMERIC,
    DatasetError,
    Field,
    Schema,
    Task,
)
from dcrnn_tf.dataset.vocabulary import Vocabulary, without_missing

NAME = "wechat"


_FIELDS = (*EXPOSURE_IDS, *FEED_IDS, SECONDS, *LISTS)


_IDS = Ids((str(MISSING_ID),), INTEGER)


FEED_CHUNK = 1 << 16  # feeds that are handed to the writer at a time


def prepare(raw_dir: str | pathlib.Path, out_dir: str | pathlib.Path, settings: Settings) -> Schema:
    """Prepares the WeChat Big Data Challenge 2021.

    Args:
      raw_dir: folder of the two raw files.
      out_dir: folder to make; must not exist.
      settings: Settings of what to keep.

    Returns:
      The schema of the prepared dataset; its `filters` hold all counts.

    Raises:
      DatasetError: the input is not as it must be, or `out_dir` exists.
    """
    raw_dir, out_dir = pathlib.Path(raw_dir), pathlib.Path(out_dir)
    check_absent(out_dir)
    _check_tasks(settings.tasks)
    files = {name: _find(raw_dir, name) for name in (FEED_FILE, ACTION_FILE)}
    sizes.WECHAT.require(files.values(), out_dir)
    simulation = read_simulation(raw_dir)
    bad_rows = {name: BadRows(settings.max_bad_rows) for name in files}
    work = out_dir.with_name(out_dir.name + ".work")
    with scratch_folder(work):
        with _progress(sum(path.stat().st_size for path in files.values()), "Reading", "B") as bar:
            feeds = read_feeds(
                files[FEED_FILE], settings.max_values, bad_rows[FEED_FILE], bar.update
            )
            log = ActionLog(
                files[ACTION_FILE],
                settings.tasks,
                feeds.index(),
                work / "actions.arrow",
                bad_rows[ACTION_FILE],
                bar.update,
            )
        split = DaySplit(
            log,
            settings.test_days,
            settings.validation_days,
            settings.validation_fraction,
            settings.rows,
            settings.seed,
        )
        rows = _checked_rows(split, settings.tasks)
        if simulation is not None:
            simulation = _without_auc_of_other_rows(simulation, split, settings)
        feeds = feeds.with_unknown(log.unknown_feeds)
        vocabularies = _vocabularies(split, feeds, settings.min_count, log.rows)
        effective = dataclasses.asdict(settings) | {
            "tasks": list(settings.tasks),
            "test_days": list(split.test_days),
            "validation_days": list(settings.validation_days),
            "validation_fraction": split.validation_fraction,
        }
        filters = {
            "bad_rows": {name: dict(bad.counts) for name, bad in bad_rows.items()},
            "rows_by_day": {str(day): count for day, count in log.days.items()},
            "rows_after_test_days": split.rows_after,
            "feeds_not_in_feed_info": len(log.unknown_feeds),
            "rows_of_feeds_not_in_feed_info": log.unknown_feed_rows,
            "truncated_lists": feeds.truncated,
            "feeds_without": _missing(feeds),
        }
        fields = [_field(name, vocabularies, feeds, settings) for name in _FIELDS]
        writer = DatasetWriter(
            out_dir,
            NAME,
            fields,
            [Task(task) for task in settings.tasks],
            settings.seed,
            int(rows.max()),
        )
        with writer, _progress(log.rows + int(rows.sum()), "Writing", "row") as bar:
            _write(writer, split, feeds, fields, vocabularies, settings.tasks, bar.update)
            source = _source(list(files.values()), simulation)
            clean_up = functools.partial(shutil.rmtree, work)
            return writer.finish(source, effective, filters, bar.update, clean_up)


def _vocabularies(
    split: DaySplit, feeds: Feeds, min_count: int, rows: int
) -> dict[str, Vocabulary]:
    """Counts the ids of the training split."""
    counters = {name: IdCounter() for name in _FIELDS if name != SECONDS}
    exposures = np.zeros(feeds.rows, np.int64)
    index = feeds.index()
    with _progress(rows, "Counting", "row") as bar:
        for columns, splits in split.chunks():
            train = splits == TRAIN
            for name in EXPOSURE_IDS:
                counters[name].add(without_missing(pl.Series(columns[name][train]), _IDS))
            feed_rows = index.get_indexer(columns[FEED_ID][train])
            exposures += np.bincount(feed_rows, minlength=feeds.rows)
            bar.update(len(splits))
    for name in FEED_IDS:
        counters[name].add(without_missing(feeds.single[name], _IDS), pl.Series(exposures))
    for name, column in feeds.lists.items():
        weights = np.repeat(exposures, column.row_lengths)
        counters[name].add(without_missing(pl.Series(column.values), _IDS), pl.Series(weights))
    return {name: counter.vocabulary(min_count) for name, counter in counters.items()}


def _write(
    writer: DatasetWriter,
    split: DaySplit,
    feeds: Feeds,
    fields: Sequence[Field],
    vocabularies: dict[str, Vocabulary],
    tasks: tuple[str, ...],
    progress: Progress,
) -> None:
    """Encodes the feeds and the exposures."""
    for name, vocabulary in vocabularies.items():
        writer.add_vocabulary(name, vocabulary.ids, vocabulary.counts)
    by_name = {field.name: field for field in fields}

    def rows(name: str, ids: pl.Series) -> np.ndarray:
        return vocabularies[name].encode(ids, by_name[name].encoded_as(Ids))

    encoded: dict = {name: rows(name, feeds.single[name]) for name in FEED_IDS}
    scaling = by_name[SECONDS].encoded_as(Scaling)
    encoded[SECONDS] = scaling.numbers(feeds.single[SECONDS].to_numpy(), np)
    for name, column in feeds.lists.items():
        values = rows(name, pl.Series(column.values))
        encoded[name] = dataclasses.replace(column, values=values)
    for start in range(0, feeds.rows, FEED_CHUNK):
        chosen = np.arange(feeds.rows) // FEED_CHUNK == start // FEED_CHUNK
        writer.add_entity_rows(FEED, select(encoded, chosen))
    index = feeds.index()
    for columns, splits in split.chunks():
        exposures = {name: rows(name, pl.Series(columns[name])) for name in EXPOSURE_IDS}
        exposures |= {f"{FEED}_row": index.get_indexer(columns[FEED_ID])}
        exposures |= {task: columns[task] for task in tasks}
        for number, name in enumerate(SPLIT_NAMES):
            if (chosen := splits == number).any():
                writer.add_rows(name, select(exposures, chosen))
        progress(len(splits))


def _field(
    name: str, vocabularies: dict[str, Vocabulary], feeds: Feeds, settings: Settings
) -> Field:
    entity = None if name in EXPOSURE_IDS else FEED
    if name == SECONDS:
        return Field(name, NUMERIC, entity=entity, raw_name=name, encoding=Scaling(method=LOG))
    size = vocabularies[name].size
    ids = dataclasses.replace(_IDS, min_count=settings.min_count)
    if name not in LISTS:
        return Field(name, CATEGORICAL, size, entity=entity, raw_name=name, encoding=ids)
    return Field(
        name,
        MULTI_CATEGORICAL,
        size,
        max_values=max(1, int(feeds.lists[name].row_lengths.max(initial=0))),
        entity=entity,
        weighted=name == SCORED_LIST,
        raw_name=name,
        encoding=dataclasses.replace(ids, max_values=settings.max_values),
        attended_by=USER_ID,
    )


def _missing(feeds: Feeds) -> dict[str, int]:
    """How many feeds lack each field."""
    missing = {name: feeds.single[name].null_count() for name in (*FEED_IDS, SECONDS)}
    return missing | {name: int((c.row_lengths == 0).sum()) for name, c in feeds.lists.items()}


def _checked_rows(split: DaySplit, tasks: tuple[str, ...]) -> np.ndarray:
    """Counts the rows of each split, and refuses what cannot be trained on."""
    rows, positives = split.count(tasks)
    for number in (TRAIN, TEST):
        if not rows[number]:
            raise DatasetError(
                f"no row is left for the {SPLIT_NAMES[number]} split; draw more with --rows or "
                "hold out less with --validation_fraction"
            )
    for task in tasks:
        if not 0 < positives[task] < rows[TRAIN]:
            raise DatasetError(
                f"task {task} has {positives[task]:,} positives among the {rows[TRAIN]:,} "
                "training rows, expected some and not all; choose other --tasks or more --rows"
            )
    return rows


def _check_tasks(tasks: tuple[str, ...]) -> None:
    if unknown := [task for task in tasks if task not in BEHAVIOURS]:
        raise DatasetError(
            f"--tasks names {unknown[0]!r}, which is no behaviour; these are "
            f"{', '.join(BEHAVIOURS)}"
        )
    if not tasks or len(set(tasks)) < len(tasks):
        raise DatasetError(
            f"--tasks={','.join(tasks)} must name one or more behaviours, each of them once"
        )


def summary(schema: Schema) -> str:
    """Describes a prepared dataset, and what was left out, in a few lines."""
    settings, filters = schema.settings, schema.filters
    total = sum(split.rows for split in schema.splits.values())
    lines = [f"{schema.name}: {total:,} rows" + (", simulated" if schema.simulated else "")]
    for split in schema.splits.values():
        rates = "".join(
            f", {task} {positives:,} ({positives / split.rows:.4f})"
            for task, positives in split.positives.items()
        )
        lines.append(f"  {split.name}: {split.rows:,} rows{rates}")
    days = filters["rows_by_day"]
    read = f"  {ACTION_FILE}: {sum(days.values()):,} usable rows on {len(days)} days"
    if not schema.simulated:
        read += f" (the published file: {PUBLISHED_ROWS:,} on {PUBLISHED_DAYS})"
    lines.append(read)
    lines.append(f"  test days: {', '.join(map(str, settings['test_days']))}")
    if after := filters["rows_after_test_days"]:
        lines.append(f"  rows of other days after the first test day, left out: {after:,}")
    feeds = schema.entities[FEED].rows
    lines.append(
        f"  entity table {FEED}: {feeds:,} rows, {filters['feeds_not_in_feed_info']:,} of them "
        f"not in {FEED_FILE} (shown in {filters['rows_of_feeds_not_in_feed_info']:,} rows)"
    )
    for field in schema.fields:
        what = "numeric, log scaling"
        if field.kind != NUMERIC:
            what = f"{field.kind}, {field.vocabulary_size:,} embedding rows"
        if missing := filters["feeds_without"].get(field.name):
            what += f", missing in {missing:,} feeds"
        if truncated := filters["truncated_lists"].get(field.name):
            what += f", {truncated:,} lists cut to {settings['max_values']} values"
        lines.append(f"  field {field.name}: {what}")
    for file, counts in filters["bad_rows"].items():
        bad = ", ".join(f"{reason}: {count:,}" for reason, count in counts.items())
        lines.append(f"  bad rows of {file} left out: {bad or 'none'}")
    return "\n".join(lines)


def _find(raw_dir: pathlib.Path, name: str) -> pathlib.Path:
    paths = [path for path in (raw_dir / name, raw_dir / f"{name}.gz") if path.is_file()]
    if not paths:
        raise DatasetError(
            f"{raw_dir} has neither {name} nor {name}.gz; the data are two files, {ACTION_FILE} "
            f"and {FEED_FILE}"
        )
    if len(paths) == 2:
        raise DatasetError(f"{raw_dir} has both {name} and {name}.gz; remove one of them")
    return paths[0]


def _source(files: list[pathlib.Path], simulation: dict | None) -> dict[str, object]:
    source: dict[str, object] = {"files": {path.name: path.stat().st_size for path in files}}
    if simulation is None:
        return source | {"simulated": False}
    return source | {"simulated": True, "simulation": simulation}


def _without_auc_of_other_rows(simulation: dict, split: DaySplit, settings: Settings) -> dict:
    """What was simulated, less the AUC of the true probabilities where it is of other rows.

    The simulator takes the last day as the test split and the days before it as training, of which
    validation is a random share.
    """
    known = simulation.get("bayes_auc")
    if not isinstance(known, dict):
        return simulation
    if not split.tests_last_day:
        known = {}
    elif settings.validation_days:
        known = {name: of_split for name, of_split in known.items() if name == SPLIT_NAMES[TEST]}
    if known:
        return simulation | {"bayes_auc": known}
    return {name: value for name, value in simulation.items() if name != "bayes_auc"}


def _progress(total: int, title: str, unit: str) -> tqdm.tqdm:
    return tqdm.tqdm(total=total, desc=title, unit=unit, unit_scale=True, file=sys.stderr)
