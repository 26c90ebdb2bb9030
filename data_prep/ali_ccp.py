r"""Prepares Ali-CCP: the four raw files in, a prepared dataset out.

  python -m data_prep.ali_ccp --raw_dir=RAW --out_dir=PREPARED

RAW holds sample_skeleton_train.csv, sample_skeleton_test.csv, common_features_train.csv and
common_features_test.csv, each plain or as .csv.gz. What the common files say of a user is stored
once, in the entity table `user`: one row for each of their lines, the training file's first. The
official test split stays the test split; validation is a fraction of the training rows, whole
users. Ids are counted on the training rows that remain (sampled, without validation), a user's
ids once for each row of that user, lists as cut to --max_values: what one would count in the
joined table.
"""

import concurrent.futures
import dataclasses
import importlib
import itertools
import pathlib
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import tqdm
from absl import flags, logging

from data_prep.ali_ccp_chunks import ChunkedLog, Settings, listed, load_chunk, load_users
from data_prep.ali_ccp_encoding import (
    counted,
    divide,
    draw_validation,
    encode,
    row_count,
    schema_fields,
    training_rows,
)
from data_prep.ali_ccp_fields import FIELDS, PUBLISHED_COUNTS, SPLITS, USER, RawField
from data_prep.ali_ccp_log import ParsedLog, file_names, ordered, thread_pool
from data_prep.ali_ccp_parser import select
from data_prep.simulation_file import read_simulation
from data_prep.vocabulary import IdCounter, Vocabulary, read_vocabulary, write_vocabulary
from data_prep.work_folder import WorkFolder, identity
from data_prep.writer import Columns, DatasetWriter, Ragged
from dcrnn_tf.dataset.schema import DatasetError, Schema, Task
from dcrnn_tf.system import command_line

FLAGS = flags.FLAGS
NAME = "ali_ccp"
TASKS = (Task("click"), Task("conversion"))


def prepare(raw_dir: str | pathlib.Path, out_dir: str | pathlib.Path, settings: Settings) -> Schema:
    """Prepares Ali-CCP.

    Args:
      raw_dir: folder of the four raw files.
      out_dir: folder to make; must not exist.
      settings: what to keep.

    Returns:
      The schema of the prepared dataset; its `filters` hold all counts.

    Raises:
      DatasetError: the input is not as it must be, or `out_dir` exists.
    """
    raw_dir, out_dir = pathlib.Path(raw_dir), pathlib.Path(out_dir)
    if out_dir.exists():
        raise DatasetError(f"{out_dir} exists already; remove it or choose another folder")
    files = find_files(raw_dir)
    source = source_of(raw_dir, files)
    task = {"settings": dataclasses.asdict(settings), "files": list(map(identity, files.values()))}
    work = WorkFolder(out_dir.with_name(out_dir.name + ".work"), task)
    try:
        with _progress(sum(path.stat().st_size for path in files.values()), "Reading", "B") as bar:
            log = ParsedLog(files, work, settings, bar.update)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            # The writer needs it, and its import takes seconds of one core alone.
            pool.submit(importlib.import_module, "tensorflow")
            exposures = _count_exposures(log)
            validation = draw_validation(exposures, settings)
            vocabularies = _vocabularies(log, work, settings, exposures, validation)
        return _write(log, work, settings, vocabularies, validation, source, out_dir)
    except DatasetError:
        work.remove()
        raise
    finally:
        work.release()


def _count_exposures(log: ParsedLog) -> np.ndarray:
    """Returns each user's training rows, `(users,)`."""
    exposures = np.zeros(log.users, np.int64)
    for path, kept in log.chunks("train"):
        exposures += np.bincount(load_users(path)[kept], minlength=log.users)
    return exposures


def _vocabularies(
    log: ParsedLog,
    work: WorkFolder,
    settings: Settings,
    exposures: np.ndarray,
    validation: np.ndarray,
) -> dict[str, Vocabulary]:
    """Counts the ids, or reads what an interrupted preparation has counted."""
    files = {field.name: work.path / f"{field.name}.parquet" for field in settings.fields}
    if work.load("vocabularies.json") is None:
        for name, vocabulary in _count(log, settings, exposures, validation).items():
            write_vocabulary(files[name], vocabulary.ids, vocabulary.counts)
        work.save("vocabularies.json", {})
    return {name: read_vocabulary(path) for name, path in files.items()}


def _count(
    log: ParsedLog, settings: Settings, exposures: np.ndarray, validation: np.ndarray
) -> dict[str, Vocabulary]:
    """Counts the ids of the training split."""
    counters = {field.name: IdCounter() for field in settings.fields}
    weights = np.where(validation, 0, exposures)

    def add(name: str, column: "np.ndarray | Ragged", weight: np.ndarray | None = None) -> None:
        counters[name].add(*counted(column, weight))

    def training(chunk: tuple[pathlib.Path, np.ndarray]) -> Columns:
        return training_rows(*chunk, validation)

    total = log.users + log.rows["train"]
    with _progress(total, "Counting", "row") as bar, thread_pool() as pool:
        first = 0
        for columns in ordered(load_chunk, log.user_chunks):
            end = first + row_count(columns)
            weight = itertools.repeat(weights[first:end])
            list(pool.map(add, columns, columns.values(), weight))
            bar.update(end - first)
            first = end
        for columns in ordered(training, log.chunks("train")):
            fields = {name: columns[name] for name in columns if name in counters}
            list(pool.map(add, fields, fields.values()))
            bar.update(row_count(columns))
    return {name: c.vocabulary(settings.min_count) for name, c in counters.items()}


def _write(
    log: ParsedLog,
    work: WorkFolder,
    settings: Settings,
    vocabularies: Mapping[str, Vocabulary],
    validation: np.ndarray,
    source: Mapping[str, object],
    out_dir: pathlib.Path,
) -> Schema:
    """Encodes the chunks and writes the prepared dataset."""
    sizes = {name: vocabulary.size for name, vocabulary in vocabularies.items()}
    fields = schema_fields(settings, sizes, log)
    has_users = any(field.entity for field in fields)

    def users(path: pathlib.Path) -> Columns:
        return encode(load_chunk(path), vocabularies)

    def splits(item: tuple[str, pathlib.Path, np.ndarray]) -> dict[str, Columns]:
        split, path, kept = item
        return divide(
            split, encode(select(load_chunk(path), kept), vocabularies), validation, has_users
        )

    with (
        DatasetWriter(
            out_dir, NAME, fields, TASKS, settings.seed, max(log.rows.values())
        ) as writer,
        _progress(2 * sum(log.rows.values()), "Writing", "row") as bar,
    ):
        for name, vocabulary in vocabularies.items():
            writer.add_vocabulary(name, vocabulary.ids, vocabulary.counts)
        for columns in ordered(users, log.user_chunks):
            writer.add_entity_rows(USER, columns)
        chunks = ((split, *chunk) for split in SPLITS for chunk in log.chunks(split))
        for parts in ordered(splits, chunks):
            for split, columns in parts.items():
                if row_count(columns):
                    writer.add_rows(split, columns)
                bar.update(row_count(columns))
        return writer.finish(source, filters(log, settings), bar.update, work.remove)


def filters(log: ChunkedLog, settings: Settings) -> dict[str, object]:
    """The schema's `filters`: the settings, and what was counted."""
    fields = [field.source for field in settings.fields]
    return dataclasses.asdict(settings) | {
        "fields": fields,
        "bad_lines": dict(log.bad_lines),
        "truncated_lists": dict(log.truncated),
        "raw": {split: dict(counts) for split, counts in log.counts.items()},
    }


def summary(schema: Schema) -> str:
    """Describes a prepared Ali-CCP, and compares the full data with the published counts."""
    filters = schema.filters
    lines = []
    if schema.simulated:
        lines.append("simulated data")
    dropped = "kept" if filters["keep_conversions_without_click"] else "dropped"
    for split, counts in filters["raw"].items():
        lines.append(
            f"{split} files: {counts['rows']:,} rows, {counts['clicks']:,} clicks, "
            f"{counts['conversions']:,} conversions after a click, "
            f"{counts['conversions_without_click']:,} conversions without a click ({dropped}), "
            f"{counts['users']:,} users"
        )
        lines += _differences(split, counts, schema.simulated)
    lines.append(f"bad lines: {listed(filters['bad_lines']) or 'none'}")
    if filters["truncated_lists"]:
        cut = {name: n for name, n in filters["truncated_lists"].items() if n}
        lines.append(f"lists cut to {filters['max_values']} values: {listed(cut) or 'none'}")
    for split in schema.splits.values():
        positives = ", ".join(f"{n:,} {task}s" for task, n in split.positives.items())
        lines.append(f"{split.name} split: {split.rows:,} rows, {positives}")
    for entity in schema.entities.values():
        lines.append(f"entity table {entity.name}: {entity.rows:,} rows")
    total = sum(field.vocabulary_size for field in schema.fields)
    lines.append(f"{len(schema.fields)} fields, {total:,} embedding rows")
    return "\n".join(lines)


def _differences(split: str, counts: Mapping[str, int], simulated: bool) -> list[str]:
    """Compares with the published counts if the file is about as long as the full one."""
    published = dataclasses.asdict(PUBLISHED_COUNTS[split])
    if simulated or abs(counts["rows"] / published["rows"] - 1) > 0.1:
        return []
    different = [
        f"WARNING: {split} files: {counts[name]:,} {name.replace('_', ' ')}, "
        f"published are {published[name]:,}"
        for name in published
        if counts[name] != published[name]
    ]
    return different or [f"{split} files: all counts are the published ones"]


def find_files(raw_dir: pathlib.Path) -> dict[str, pathlib.Path]:
    """The four files, plain or .gz, by their plain names in the order of reading.

    Raises:
      DatasetError: one of them is not there, or in both forms.
    """
    return {name: _find(raw_dir, name) for split in SPLITS for name in file_names(split)}


def _find(raw_dir: pathlib.Path, name: str) -> pathlib.Path:
    found = [path for path in (raw_dir / name, raw_dir / f"{name}.gz") if path.is_file()]
    if not found:
        raise DatasetError(
            f"{raw_dir} has neither {name} nor {name}.gz; Ali-CCP is four files, "
            f"{', '.join(n for split in SPLITS for n in file_names(split))}"
        )
    if len(found) == 2:
        raise DatasetError(f"{raw_dir} has both {name} and {name}.gz; remove one of them")
    return found[0]


def source_of(raw_dir: pathlib.Path, files: Mapping[str, pathlib.Path]) -> dict[str, object]:
    """The schema's `source`: what the files are, and what a simulator said of them."""
    sizes = {path.name: path.stat().st_size for path in files.values()}
    source: dict[str, object] = {"files": sizes}
    simulation = read_simulation(raw_dir)
    if simulation is None:
        return source | {"simulated": False}
    return source | {"simulated": True, "simulation": simulation}


def _progress(total: int, title: str, unit: str) -> tqdm.tqdm:
    return tqdm.tqdm(total=total, desc=title, unit=unit, unit_scale=True, file=sys.stderr)


def define_flags() -> None:
    """Defines the flags of the preparation."""
    flags.DEFINE_string("raw_dir", None, "Folder of the four raw files.", required=True)
    flags.DEFINE_string("out_dir", None, "Folder to make; must not exist.", required=True)
    flags.DEFINE_list("fields", [f.source for f in FIELDS], "Fields to keep, by raw name.")
    flags.DEFINE_integer(
        "max_values", 50, "Longer lists are cut to their first so many values.", 1, 65535
    )
    flags.DEFINE_integer("min_count", 10, "An id needs at least so many occurrences.", 1)
    flags.DEFINE_bool(
        "keep_feature_value",
        False,
        "Keep the feature values of multi-valued fields as pooling weights; those of "
        "single-valued fields are always dropped.",
    )
    flags.DEFINE_bool(
        "keep_conversions_without_click",
        False,
        "Keep rows that have a conversion and no click, faults of the log.",
    )
    flags.DEFINE_float(
        "validation_fraction", 0.05, "Share of the training rows for validation.", 0.0, 0.9
    )
    flags.DEFINE_integer(
        "rows", None, "Rows drawn without replacement from each split; all by default.", 1
    )
    flags.DEFINE_integer("max_bad_lines", 0, "So many faulty lines are left out, no more.", 0)
    flags.DEFINE_integer("seed", 0, "Of sampling, validation and shuffling.", 0, 2**32 - 1)


def _chosen_fields(sources: Sequence[str]) -> tuple[RawField, ...]:
    unknown = sorted(set(sources) - {field.source for field in FIELDS})
    if unknown or not sources:
        raise DatasetError(
            f"--fields names {', '.join(unknown) or 'nothing'}; "
            f"the fields are {', '.join(field.source for field in FIELDS)}"
        )
    return tuple(field for field in FIELDS if field.source in sources)


def settings_of_flags() -> Settings:
    """What the flags say."""
    names = [field.name for field in dataclasses.fields(Settings) if field.name != "fields"]
    given = {name: FLAGS[name].value for name in names}
    return Settings(_chosen_fields(FLAGS.fields), **given)


def main() -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    print(summary(prepare(FLAGS.raw_dir, FLAGS.out_dir, settings_of_flags())))


if __name__ == "__main__":
    define_flags()
    command_line.run(main)
