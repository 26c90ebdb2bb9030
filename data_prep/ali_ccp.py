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

import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import polars as pl
import tqdm
from absl import flags, logging

from data_prep.ali_ccp_fields import (
    COMMON_FILE,
    FIELDS,
    PUBLISHED_COUNTS,
    SKELETON_FILE,
    SPLITS,
    USER,
    RawField,
)
from data_prep.ali_ccp_parser import (
    COMMON,
    MISSING,
    SKELETON,
    Fault,
    Lines,
    parse_block,
    read_blocks,
    select,
)
from data_prep.vocabulary import IdCounter, Vocabulary
from data_prep.writer import Columns, DatasetWriter, Ragged
from dcrnn_tf import command_line
from dcrnn_tf.schema import (
    CATEGORICAL,
    MULTI_CATEGORICAL,
    PADDING_ROW,
    DatasetError,
    Field,
    Schema,
    Task,
)

FLAGS = flags.FLAGS
NAME = "ali_ccp"
TASKS = (Task("click"), Task("conversion"))
SIMULATION_FILE = "simulation.json"
WORKERS = 4  # blocks in work at a time

T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to keep of the raw files; see the flags of the same names."""

    fields: tuple[RawField, ...] = FIELDS
    max_values: int = 50
    min_count: int = 10
    keep_feature_value: bool = False
    keep_conversions_without_click: bool = False
    validation_fraction: float = 0.05
    rows: int | None = None
    max_bad_lines: int = 0
    seed: int = 0


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
    files = {name: _find(raw_dir, name) for s in SPLITS for name in _names(s)}
    source = _source(raw_dir, files.values())
    work = out_dir.with_name(out_dir.name + ".work")
    if work.exists():
        print(f"Removing {work}, left behind by a preparation that did not finish.")
        shutil.rmtree(work)
    work.mkdir(parents=True)
    try:
        return _Preparation(files, out_dir, work, settings).run(source)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Preparation:
    """One preparation: text to parsed chunks in `work`, count, encode, write."""

    def __init__(
        self,
        files: Mapping[str, pathlib.Path],
        out_dir: pathlib.Path,
        work: pathlib.Path,
        settings: Settings,
    ):
        self._files = files
        self._out_dir = out_dir
        self._work = work
        self._settings = settings
        self._bad_lines: collections.Counter[str] = collections.Counter()
        self._truncated = {field.name: 0 for field in settings.fields if field.multiple}
        self._counts = {split: collections.Counter() for split in SPLITS}
        self._users = 0
        self._user_chunks: list[pathlib.Path] = []
        self._chunks: dict[str, list[pathlib.Path]] = {split: [] for split in SPLITS}
        self._chunk_rows: dict[str, list[int]] = {split: [] for split in SPLITS}

    def run(self, source: Mapping[str, object]) -> Schema:
        total = sum(path.stat().st_size for path in self._files.values())
        with _progress(total, "Reading", "B") as bar:
            for split in SPLITS:
                common, skeleton = (self._files[name] for name in _names(split))
                users = self._read_users(common, split, bar.update)
                self._read_exposures(skeleton, split, users, bar.update)
        exposures, validation = self._draw_validation()
        vocabularies = self._count(exposures, validation)
        return self._write(vocabularies, validation, source)

    def _read_users(
        self, path: pathlib.Path, split: str, progress: Callable[[int], object]
    ) -> dict[bytes, int]:
        """Parses a common file; returns the row in the entity table of each of its indices."""
        rows: dict[bytes, int] = {}
        for lines, faults in _ordered(self._parse(COMMON), read_blocks(path, progress)):
            new = np.zeros(len(lines.line), bool)
            for number, run in enumerate(lines.run.tolist()):
                index = lines.indices[run]
                if index in rows:
                    reason = "repeated common_feature_index"
                    clause = f"common_feature_index {index.decode()} stands in an earlier line too"
                    faults.append(Fault(int(lines.line[number]), reason, clause))
                else:
                    rows[index] = self._users + len(rows)
                    new[number] = True
            self._register(path, faults)
            lines = lines.select(new)
            if lines.columns:
                self._user_chunks.append(self._save(lines.columns))
            self._add_truncated(lines)
        self._users += len(rows)
        self._counts[split]["users"] = len(rows)
        return rows

    def _read_exposures(
        self,
        path: pathlib.Path,
        split: str,
        users: Mapping[bytes, int],
        progress: Callable[[int], object],
    ) -> None:
        """Parses a skeleton file, and leaves out conversions without a click."""
        parse = self._parse(SKELETON)
        counts = self._counts[split]

        def work(block: tuple[int, bytes]) -> tuple[Lines, list[Fault]]:
            lines, faults = parse(block)
            user = np.array([users.get(index, -1) for index in lines.indices], np.int64)[lines.run]
            for number in np.flatnonzero(user < 0):
                index = lines.indices[lines.run[number]].decode()
                reason = "unknown common_feature_index"
                clause = f"there is no common_feature_index {index} in the common file"
                faults.append(Fault(int(lines.line[number]), reason, clause))
            lines.columns["user_row"] = user
            return lines.select(user >= 0), faults

        for lines, faults in _ordered(work, read_blocks(path, progress)):
            self._register(path, faults)
            click, conversion = lines.columns["click"] > 0, lines.columns["conversion"] > 0
            counts["rows"] += len(click)
            counts["clicks"] += int(click.sum())
            counts["conversions"] += int((click & conversion).sum())
            counts["conversions_without_click"] += int((conversion & ~click).sum())
            if not self._settings.keep_conversions_without_click:
                lines = lines.select(click | ~conversion)
            self._chunks[split].append(self._save(lines.columns))
            self._chunk_rows[split].append(len(lines.line))
            self._add_truncated(lines)
        if not sum(self._chunk_rows[split]):
            raise DatasetError(f"{path} holds no row that can be kept; fetch it again")

    def _parse(self, layout) -> Callable[[tuple[int, bytes]], tuple[Lines, list[Fault]]]:
        settings = self._settings
        fields = [field for field in layout.fields if field in settings.fields]
        values = settings.keep_feature_value
        return lambda block: parse_block(*block, layout, fields, settings.max_values, values)

    def _register(self, path: pathlib.Path, faults: Sequence[Fault]) -> None:
        """Counts faulty lines; raises `DatasetError` at the first that is one too many."""
        for fault in sorted(faults, key=lambda fault: fault.line):
            self._bad_lines[fault.reason] += 1
            if self._bad_lines.total() > self._settings.max_bad_lines:
                raise DatasetError(
                    f"{path}, line {fault.line}: {fault.clause}; repair or remove the line, or "
                    f"raise --max_bad_lines above {self._settings.max_bad_lines} "
                    f"(bad lines so far: {_listed(self._bad_lines)})"
                )

    def _add_truncated(self, lines: Lines) -> None:
        for name, cut in lines.truncated.items():
            self._truncated[name] += int(cut.sum())

    def _save(self, columns: Mapping[str, "np.ndarray | Ragged"]) -> pathlib.Path:
        """Saves a parsed chunk."""
        number = len(self._user_chunks) + sum(len(chunks) for chunks in self._chunks.values())
        path = self._work / f"{number:06d}.npz"
        arrays = {}
        for name, column in columns.items():
            parts = dataclasses.asdict(column) if isinstance(column, Ragged) else {"": column}
            arrays |= {f"{name}/{p}": a for p, a in parts.items() if a is not None}
        np.savez(path, **arrays)
        return path

    def _sampled(self, split: str) -> Iterator[tuple[pathlib.Path, np.ndarray]]:
        """Yields each chunk of a split and which of its rows --rows leaves, (rows,) bool."""
        rows = self._chunk_rows[split]
        wanted = min(self._settings.rows or sum(rows), sum(rows))
        seed = [self._settings.seed, *split.encode()]
        random = np.random.default_rng([*seed, 0])
        shares = random.multivariate_hypergeometric(rows, wanted, method="marginals")
        for number, (path, count, share) in enumerate(
            zip(self._chunks[split], rows, shares, strict=True), 1
        ):
            kept = np.ones(count, bool)
            if share < count:
                order = np.random.default_rng([*seed, number]).permutation(count)
                kept[order[share:]] = False
            yield path, kept

    def _draw_validation(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns each user's training rows, (users,), and who of them is in validation, bool."""
        exposures = np.zeros(self._users, np.int64)
        for path, kept in self._sampled("train"):
            with np.load(path) as chunk:
                exposures += np.bincount(chunk["user_row/"][kept], minlength=self._users)
        users = np.flatnonzero(exposures)
        users = np.random.default_rng([self._settings.seed, 1]).permutation(users)
        rows = np.cumsum(exposures[users])
        wanted = round(self._settings.validation_fraction * int(rows[-1]))
        validation = np.zeros(self._users, bool)
        validation[users[: np.searchsorted(rows, wanted, side="right")]] = True
        return exposures, validation

    def _count(self, exposures: np.ndarray, validation: np.ndarray) -> dict[str, Vocabulary]:
        """Counts the ids of the training split."""
        counters = {field.name: IdCounter() for field in self._settings.fields}
        weights = np.where(validation, 0, exposures)

        def add(item: tuple[str, "np.ndarray | Ragged", np.ndarray | None]) -> None:
            name, column, weight = item
            values = column
            if isinstance(column, Ragged):
                values = column.values
                weight = None if weight is None else np.repeat(weight, column.row_lengths)
            counted = values != MISSING
            if weight is not None:
                counted &= weight > 0
                weight = pl.Series(weight[counted])
            counters[name].add(pl.Series(values[counted]), weight)

        total = len(self._user_chunks) + len(self._chunks["train"])
        with _progress(total, "Counting", "chunk") as bar, _pool() as pool:
            first = 0
            for path in self._user_chunks:
                columns = _load(path)
                end = first + _rows(columns)
                list(pool.map(add, ((n, c, weights[first:end]) for n, c in columns.items())))
                first = end
                bar.update()
            for path, kept in self._sampled("train"):
                columns = _load(path)
                columns = select(columns, kept & ~validation[columns["user_row"]])
                list(pool.map(add, ((n, c, None) for n, c in columns.items() if n in counters)))
                bar.update()
        return {n: c.vocabulary(self._settings.min_count) for n, c in counters.items()}

    def _write(
        self,
        vocabularies: Mapping[str, Vocabulary],
        validation: np.ndarray,
        source: Mapping[str, object],
    ) -> Schema:
        """Encodes the chunks and writes the prepared dataset."""
        settings = self._settings
        fields = [_schema_field(f, vocabularies[f.name], settings) for f in settings.fields]
        has_users = any(field.entity for field in fields)

        def encode(columns: Columns) -> Columns:
            encoded = {}
            for name, column in columns.items():
                if name not in vocabularies:
                    encoded[name] = column
                elif isinstance(column, Ragged):
                    values = vocabularies[name].encode(pl.Series(column.values))
                    encoded[name] = dataclasses.replace(column, values=values)
                else:
                    encoded[name] = vocabularies[name].encode(pl.Series(column))
                    encoded[name][column == MISSING] = PADDING_ROW
            return encoded

        def exposures(item: tuple[str, tuple[pathlib.Path, np.ndarray]]) -> dict[str, Columns]:
            split, (path, kept) = item
            columns = encode(select(_load(path), kept))
            held_out = validation[columns["user_row"]]
            if not has_users:
                del columns["user_row"]
            if split == "test":
                return {"test": columns}
            return {"train": select(columns, ~held_out), "validation": select(columns, held_out)}

        largest = max(sum(rows) for rows in self._chunk_rows.values())
        total = sum(min(settings.rows or sum(r), sum(r)) for r in self._chunk_rows.values())
        with (
            DatasetWriter(self._out_dir, NAME, fields, TASKS, settings.seed, largest) as writer,
            _progress(2 * total, "Writing", "row") as bar,
        ):
            for name, vocabulary in vocabularies.items():
                writer.add_vocabulary(name, vocabulary.ids, vocabulary.counts)
            if has_users:
                for columns in _ordered(lambda path: encode(_load(path)), self._user_chunks):
                    writer.add_entity_rows(USER, columns)
            chunks = ((split, chunk) for split in SPLITS for chunk in self._sampled(split))
            for parts in _ordered(exposures, chunks):
                for split, columns in parts.items():
                    rows = len(columns["click"])
                    if rows:
                        writer.add_rows(split, columns)
                    bar.update(rows)
            return writer.finish(source, self._filters(), bar.update)

    def _filters(self) -> dict[str, object]:
        settings = dataclasses.asdict(self._settings)
        settings["fields"] = [field.source for field in self._settings.fields]
        return settings | {
            "bad_lines": dict(self._bad_lines),
            "truncated_lists": dict(self._truncated),
            "raw": {split: dict(counts) for split, counts in self._counts.items()},
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
    lines.append(f"bad lines: {_listed(filters['bad_lines']) or 'none'}")
    if filters["truncated_lists"]:
        cut = {name: n for name, n in filters["truncated_lists"].items() if n}
        lines.append(f"lists cut to {filters['max_values']} values: {_listed(cut) or 'none'}")
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


def _names(split: str) -> tuple[str, str]:
    return COMMON_FILE.format(split=split), SKELETON_FILE.format(split=split)


def _find(raw_dir: pathlib.Path, name: str) -> pathlib.Path:
    found = [path for path in (raw_dir / name, raw_dir / f"{name}.gz") if path.is_file()]
    if not found:
        raise DatasetError(
            f"{raw_dir} has neither {name} nor {name}.gz; Ali-CCP is four files, "
            f"{', '.join(n for split in SPLITS for n in _names(split))}"
        )
    if len(found) == 2:
        raise DatasetError(f"{raw_dir} has both {name} and {name}.gz; remove one of them")
    return found[0]


def _source(raw_dir: pathlib.Path, files: Iterable[pathlib.Path]) -> dict[str, object]:
    source: dict[str, object] = {"files": {path.name: path.stat().st_size for path in files}}
    path = raw_dir / SIMULATION_FILE
    if not path.exists():
        return source | {"simulated": False}
    try:
        return source | {"simulated": True, "simulation": json.loads(path.read_text("utf-8"))}
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON ({error}); simulate the data again") from None


def _schema_field(field: RawField, vocabulary: Vocabulary, settings: Settings) -> Field:
    return Field(
        field.name,
        MULTI_CATEGORICAL if field.multiple else CATEGORICAL,
        vocabulary.size,
        max_values=settings.max_values if field.multiple else 1,
        entity=USER if field.side == USER else None,
        weighted=field.multiple and settings.keep_feature_value,
        source=field.source,
    )


def _load(path: pathlib.Path) -> dict[str, "np.ndarray | Ragged"]:
    columns: dict = {}
    with np.load(path) as chunk:
        for key in chunk.files:
            name, part = key.split("/")
            columns[name] = columns.get(name, {}) | {part: chunk[key]}
    return {n: Ragged(**parts) if "" not in parts else parts[""] for n, parts in columns.items()}


def _rows(columns: Columns) -> int:
    column = next(iter(columns.values()))
    return len(column.row_lengths if isinstance(column, Ragged) else column)


def _pool() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(WORKERS)


def _ordered(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yields `function(item)` in order, computed by threads that are a few items ahead."""
    waiting: collections.deque[concurrent.futures.Future[R]] = collections.deque()
    with _pool() as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _progress(total: int, title: str, unit: str) -> tqdm.tqdm:
    return tqdm.tqdm(total=total, desc=title, unit=unit, unit_scale=True, file=sys.stderr)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _define_flags() -> None:
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
    flags.DEFINE_integer("seed", 0, "Of sampling, validation and shuffling.", 0)


def _chosen_fields(sources: Sequence[str]) -> tuple[RawField, ...]:
    unknown = sorted(set(sources) - {field.source for field in FIELDS})
    if unknown or not sources:
        raise DatasetError(
            f"--fields names {', '.join(unknown) or 'nothing'}; "
            f"the fields are {', '.join(field.source for field in FIELDS)}"
        )
    return tuple(field for field in FIELDS if field.source in sources)


def main() -> None:
    """Runs the program."""
    logging.set_verbosity(logging.ERROR)  # TFDS reports every step of writing its metadata
    names = [field.name for field in dataclasses.fields(Settings) if field.name != "fields"]
    given = {name: FLAGS[name].value for name in names}
    settings = Settings(_chosen_fields(FLAGS.fields), **given)
    try:
        print(summary(prepare(FLAGS.raw_dir, FLAGS.out_dir, settings)))
    except OSError as error:  # such as a full disk
        command_line.fail(str(error))


if __name__ == "__main__":
    _define_flags()
    command_line.run(main)
