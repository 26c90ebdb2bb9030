"""Reads Ali-CCP's four files with many workers: parses blocks, and finds users by a join.

A block is the unit of work. Parsed, its indices go to the join, and come back as users; then its
lines are settled: faulty ones left out, the others counted and saved.
"""

import collections
import dataclasses
import pathlib
import zlib
from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np

from data_prep.ali_ccp.chunks import ChunkedLog, list_lengths, load_chunk, save_chunk, settle
from data_prep.ali_ccp.fields import SPLITS
from data_prep.ali_ccp.log import parser, repeated_index, unknown_index
from data_prep.ali_ccp.parser import COMMON, SKELETON, Fault, Lines
from data_prep.ali_ccp.settings import Settings
from data_prep.ali_ccp.text_blocks import block_count, read_block, read_blocks
from data_prep.beam.ali_ccp.join import Join, Key, UserNumbers, number_users, users_of_runs
from data_prep.beam.stage import Results, replaced
from data_prep.storage.columns import single_values
from dcrnn_tf.dataset.schema import DatasetError

PARTITION_BYTES = 1 << 28  # of raw text a partition of the join

_UNPACKED = ".text"  # ends the names of unpacked blocks
_PARSED = "-parsed"  # in the names of chunk files whose lines have no users yet


@dataclasses.dataclass(frozen=True)
class Parsed:
    """Results of parsing a block.

    Attributes:
      key: Key of the block.
      lines: Number of its lines.
      good: Number of lines that could be parsed.
      faults: Faults of the others; the block's first line has number 1.
      failure: a sentence if the file cannot be read.
    """

    key: Key
    lines: int = 0
    good: int = 0
    faults: Sequence[Fault] = ()
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class Settled:
    """A block whose lines have their users.

    Attributes:
      key: Key of the block.
      size: rows of its chunk file.
      faults: lines whose index is repeated or unknown, counted from the block's first, which is 1.
      counts: Counts made by `settle`.
      lengths: Lengths of the lists, as `list_lengths` gives them.
    """

    key: Key
    size: int
    faults: Sequence[Fault]
    counts: Mapping[str, int]
    lengths: Mapping[str, tuple[int, int]]


class ReadLog:
    """Builds the stage that reads the files, and makes a log of their results.

    Args:
      files: the four, plain or .gz: for each split the common file, then the skeleton.
      folder: Folder of the chunk files.
      settings: Settings of what to keep.
      block_bytes: Approximate size of the text of a block.
    """

    def __init__(
        self,
        files: Sequence[pathlib.Path],
        folder: pathlib.Path,
        settings: Settings,
        block_bytes: int,
    ):
        self._files = files
        self._folder = folder
        self._settings = settings
        self._block_bytes = block_bytes

    def build(self, pipeline: beam.Pipeline) -> Results:
        """Adds the steps; for `run_stage`."""
        packed, plain = [], []
        for number, path in enumerate(self._files):
            if path.suffix == ".gz":
                packed.append((number, path))
            else:
                blocks = range(block_count(path, self._block_bytes))
                plain += [((number, block), path) for block in blocks]
        read = (
            pipeline
            | "Plain blocks" >> beam.Create(plain)
            | "Spread blocks" >> beam.Reshuffle()
            | "Read blocks" >> beam.Map(_read, self._block_bytes)
        )
        unpacked = (
            pipeline
            | "Packed files" >> beam.Create(packed)
            | "Spread files" >> beam.Reshuffle()
            | "Unpack" >> beam.FlatMap(_unpack, self._block_bytes, self._folder)
            | "Spread unpacked blocks" >> beam.Reshuffle()
            | "Read unpacked blocks" >> beam.Map(_read_unpacked)
        )
        size = sum(path.stat().st_size for path in self._files)
        parse = _Parse(self._folder, self._settings, 1 + size // PARTITION_BYTES)
        parsed = (
            (read, unpacked)
            | "All blocks" >> beam.Flatten()
            | "Parse" >> beam.ParDo(parse).with_outputs("indices", main="parsed")
        )
        joined = (
            parsed.indices
            | "Group by index" >> beam.GroupByKey()
            | "Join"
            >> beam.ParDo(Join(self._settings.max_bad_lines)).with_outputs(
                "repeated", main="matches"
            )
        )
        lines = (
            parsed.parsed
            | "Common files" >> beam.Filter(lambda parsed: parsed.key[0] % 2 == 0)
            | "Their lines" >> beam.Map(lambda parsed: (parsed.key, parsed.good))
        )
        numbers = (
            pipeline
            | "Once" >> beam.Create([None])
            | "Number users"
            >> beam.Map(
                number_users, beam.pvalue.AsList(lines), beam.pvalue.AsList(joined.repeated)
            )
        )
        settled = (
            {
                "parsed": parsed.parsed
                | "By block" >> beam.Map(lambda parsed: (parsed.key, parsed)),
                "matches": joined.matches,
                "repeated": joined.repeated,
            }
            | "Meet" >> beam.CoGroupByKey()
            | "Settle"
            >> beam.ParDo(_Settle(self._folder, self._settings), beam.pvalue.AsSingleton(numbers))
        )
        return {"parsed": parsed.parsed, "settled": settled}

    def log(self, results: Mapping[str, list]) -> tuple[ChunkedLog, list[int]]:
        """Makes the log, as one machine reading line by line would have it.

        Args:
          results: Results of the stage.

        Returns:
          The log, and the number of the first user of each of its `user_chunks`.

        Raises:
          DatasetError: a file is empty or damaged, or more bad lines than tolerated.
        """
        log = ChunkedLog(self._folder, self._settings)
        settled = {one.key: one for one in results["settled"]}
        blocks = collections.defaultdict(list)
        for one in sorted(results["parsed"], key=lambda one: one.key):
            blocks[one.key[0]].append(one)
        first_users = []
        for number, path in enumerate(self._files):
            split, common = SPLITS[number // 2], number % 2 == 0
            if common:
                log.counts[split] = collections.Counter(users=0)
            first_line = 1
            for parsed in blocks[number]:
                if parsed.failure:
                    raise DatasetError(parsed.failure)
                if not parsed.lines:
                    continue
                one = settled[parsed.key]
                faults = [
                    dataclasses.replace(fault, line=first_line - 1 + fault.line)
                    for fault in (*parsed.faults, *one.faults)
                ]
                log.register(path, faults)
                if not common:
                    log.add_exposures(split, _chunk(self._folder, one.key), one.size, one.counts)
                elif one.size:
                    first_users.append(log.users)
                    log.user_chunks.append(_chunk(self._folder, one.key))
                    log.users += one.size
                    log.counts[split]["users"] += one.size
                log.add_list_lengths(one.lengths)
                first_line += parsed.lines
            if first_line == 1:
                next(read_blocks(path, lambda done: None))  # it says that the file is empty
            if not common:
                log.check_rows(split, path)
        if not any(field in COMMON.fields for field in self._settings.fields):
            log.user_chunks, first_users = [], []
        return log, first_users

    def clean_up(self) -> None:
        """Removes what the stage has left in the folder beside the chunk files."""
        for pattern in (f"*{_PARSED}.npz", f"*{_UNPACKED}"):
            for path in self._folder.glob(pattern):
                path.unlink()


def _chunk(folder: pathlib.Path, key: Key, suffix: str = "") -> pathlib.Path:
    return folder / f"{key[0]}-{key[1]:06d}{suffix}.npz"


def _read(element: tuple[Key, pathlib.Path], block_bytes: int) -> tuple[Key, "bytes | str"]:
    """Reads a block; text is a sentence on why that is not possible."""
    key, path = element
    try:
        return key, read_block(path, key[1], block_bytes)
    except (DatasetError, OSError) as error:
        return key, _sentence(path, error)


def _unpack(
    element: tuple[int, pathlib.Path], block_bytes: int, folder: pathlib.Path
) -> Iterator[tuple[Key, "pathlib.Path | str"]]:
    """Writes the blocks of a .gz file to files; text is a sentence on why that is not possible."""
    number, path = element
    block = 0
    try:
        for _, data in read_blocks(path, lambda done: None, block_bytes):
            unpacked = folder / f"{number}-{block:06d}{_UNPACKED}"
            with replaced(unpacked) as partial:
                partial.write_bytes(data)
            yield (number, block), unpacked
            block += 1
    except (DatasetError, OSError) as error:
        yield (number, block), _sentence(path, error)


def _sentence(path: pathlib.Path, error: DatasetError | OSError) -> str:
    if isinstance(error, DatasetError):
        return str(error)
    return f"{error.filename or path} cannot be read or written ({error.strerror})"


def _read_unpacked(element: tuple[Key, "pathlib.Path | str"]) -> tuple[Key, "bytes | str"]:
    key, unpacked = element
    return key, unpacked if isinstance(unpacked, str) else unpacked.read_bytes()


class _Parse(beam.DoFn):
    """Parses blocks into chunk files, and spreads their indices over the partitions."""

    def __init__(self, folder: pathlib.Path, settings: Settings, partitions: int):
        self._folder = folder
        self._settings = settings
        self._partitions = partitions

    def process(self, element: tuple[Key, "bytes | str"]) -> Iterator:
        key, data = element
        if isinstance(data, str):
            yield Parsed(key, failure=data)
            return
        if not data:
            yield Parsed(key)
            return
        common = key[0] % 2 == 0
        lines, faults = parser(COMMON if common else SKELETON, self._settings)((1, data))
        for fault in faults:
            beam.metrics.Metrics.counter("bad_lines", fault.reason).inc()
        _save_lines(_chunk(self._folder, key, _PARSED), lines)
        numbers = lines.run if common else np.arange(len(lines.indices))
        parts: dict[int, tuple[list, list]] = collections.defaultdict(lambda: ([], []))
        for position, run in enumerate(numbers.tolist()):
            index = lines.indices[run]
            part = parts[zlib.crc32(index) % self._partitions]
            part[0].append(position)
            part[1].append(index)
        for partition, (positions, indices) in parts.items():
            content = (key, np.array(positions), indices)
            yield beam.pvalue.TaggedOutput("indices", ((key[0] // 2, partition), content))
        faults = faults[: self._settings.max_bad_lines + 1]
        yield Parsed(key, data.count(b"\n"), len(lines.line), faults)


class _Settle(beam.DoFn):
    """Gives the lines of a block their users, leaves out those that have none, and counts."""

    def __init__(self, folder: pathlib.Path, settings: Settings):
        self._folder = folder
        self._settings = settings

    def process(self, element: tuple[Key, Mapping], users: UserNumbers) -> Iterator[Settled]:
        key, groups = element
        if not any(parsed.lines for parsed in groups["parsed"]):
            return
        lines = _load_lines(_chunk(self._folder, key, _PARSED))
        counts: Mapping[str, int] = {}
        if key[0] % 2 == 0:
            kept = np.ones(len(lines.line), bool)
            for positions in groups["repeated"]:
                kept[positions] = False
            fault_of = repeated_index
        else:
            user = users_of_runs(key[0] - 1, len(lines.indices), groups["matches"], users)[
                lines.run
            ]
            lines.columns["user_row"] = user
            kept = user >= 0
            fault_of = unknown_index
        bad = np.flatnonzero(~kept)[: self._settings.max_bad_lines + 1]
        faults = [fault_of(int(lines.line[n]), lines.indices[lines.run[n]]) for n in bad]
        lines = lines.select(kept)
        if key[0] % 2 == 1:
            lines, counts = settle(lines, self._settings.keep_conversions_without_click)
        with replaced(_chunk(self._folder, key)) as partial:
            save_chunk(partial, lines.columns)
        for fault in faults:
            beam.metrics.Metrics.counter("bad_lines", fault.reason).inc()
        yield Settled(key, len(lines.line), faults, counts, list_lengths(lines))


def _save_lines(path: pathlib.Path, lines: Lines) -> None:
    columns = dict(lines.columns)
    columns |= {f"truncated.{name}": cut for name, cut in lines.truncated.items()}
    columns |= {"line.": lines.line, "run.": lines.run, "indices.": np.array(lines.indices, "S")}
    with replaced(path) as partial:
        save_chunk(partial, columns)


def _load_lines(path: pathlib.Path) -> Lines:
    columns = load_chunk(path)
    line, run, indices = (single_values(columns, name) for name in ("line.", "run.", "indices."))
    begin = "truncated."
    names = [name for name in columns if name.startswith(begin)]
    truncated = {name.removeprefix(begin): single_values(columns, name) for name in names}
    for name in ("line.", "run.", "indices.", *names):
        del columns[name]
    return Lines(line, indices.tolist(), run, columns, truncated)
