"""Reads Ali-CCP's four files into chunk files of parsed rows, which are small and fast to read."""

import collections
import concurrent.futures
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from data_prep.ali_ccp.chunks import ChunkedLog, list_lengths, save_chunk, settle
from data_prep.ali_ccp.fields import COMMON_FILE, SKELETON_FILE, SPLITS
from data_prep.ali_ccp.parser import COMMON, SKELETON, Fault, Layout, Lines, parse_block
from data_prep.ali_ccp.settings import Settings
from data_prep.ali_ccp.text_blocks import read_blocks
from data_prep.storage.work_folder import WorkFolder
from data_prep.storage.writer import Ragged

WORKERS = 4  # blocks in work at a time

T = TypeVar("T")
R = TypeVar("R")


def file_names(split: str) -> tuple[str, str]:
    """The common file and the skeleton of a split."""
    return COMMON_FILE.format(split=split), SKELETON_FILE.format(split=split)


class ParsedLog(ChunkedLog):
    """The log, read from its four files.

    Args:
      files: path of each raw file, plain or .gz, by its plain name.
      work: folder for the chunk files. A split that was read before an interruption is not read
        again.
      settings: Settings of what to keep.
      progress: called with the number of bytes read since the last call.

    Raises:
      DatasetError: a file is empty or damaged, or there are more than `max_bad_lines` bad lines.
    """

    def __init__(
        self,
        files: Mapping[str, pathlib.Path],
        work: WorkFolder,
        settings: Settings,
        progress: Callable[[int], object],
    ):
        super().__init__(work.path, settings)
        self._progress = progress
        for split in SPLITS:
            common, skeleton = (files[name] for name in file_names(split))
            if (state := work.load(f"{split}.json")) is not None:
                self.take_up(state)
                progress(common.stat().st_size + skeleton.stat().st_size)
                continue
            self.counts[split] = collections.Counter()
            self._read_exposures(skeleton, split, self._read_users(common, split))
            work.save(f"{split}.json", self.state())

    def _read_users(self, path: pathlib.Path, split: str) -> dict[bytes, int]:
        """Parses a common file; returns the user's number of each of its indices."""
        rows: dict[bytes, int] = {}
        for lines, faults in ordered(
            parser(COMMON, self._settings), read_blocks(path, self._progress)
        ):
            new = np.zeros(len(lines.line), bool)
            for number, run in enumerate(lines.run.tolist()):
                index = lines.indices[run]
                if index in rows:
                    faults.append(repeated_index(int(lines.line[number]), index))
                else:
                    rows[index] = self.users + len(rows)
                    new[number] = True
            self.register(path, faults)
            lines = lines.select(new)
            if lines.columns:
                self.user_chunks.append(self._save(lines.columns))
            self.add_list_lengths(list_lengths(lines))
        self.users += len(rows)
        self.counts[split]["users"] = len(rows)
        return rows

    def _read_exposures(self, path: pathlib.Path, split: str, users: Mapping[bytes, int]) -> None:
        """Parses a skeleton file, and leaves out conversions without a click."""
        parse = parser(SKELETON, self._settings)

        def work(block: tuple[int, bytes]) -> tuple[Lines, list[Fault]]:
            lines, faults = parse(block)
            user = np.array([users.get(index, -1) for index in lines.indices], np.int64)[lines.run]
            for number in np.flatnonzero(user < 0):
                index = lines.indices[lines.run[number]]
                faults.append(unknown_index(int(lines.line[number]), index))
            lines.columns["user_row"] = user
            return lines.select(user >= 0), faults

        for lines, faults in ordered(work, read_blocks(path, self._progress)):
            self.register(path, faults)
            lines, counts = settle(lines, self._settings.keep_conversions_without_click)
            self.add_exposures(split, self._save(lines.columns), len(lines.line), counts)
            self.add_list_lengths(list_lengths(lines))
        self.check_rows(split, path)

    def _save(self, columns: Mapping[str, "np.ndarray | Ragged"]) -> pathlib.Path:
        """Saves a parsed chunk."""
        number = len(self.user_chunks) + sum(len(chunks) for chunks in self._chunks.values())
        path = self._folder / f"{number:06d}.npz"
        save_chunk(path, columns)
        return path


def parser(
    layout: Layout, settings: Settings
) -> Callable[[tuple[int, bytes]], tuple[Lines, list[Fault]]]:
    """What parses a block of `read_blocks`."""
    fields = [field for field in layout.fields if field in settings.fields]
    values = settings.keep_feature_value
    return lambda block: parse_block(*block, layout, fields, settings.max_values, values)


def repeated_index(line: int, index: bytes) -> Fault:
    """A line of a common file whose index an earlier one has."""
    clause = f"common_feature_index {index.decode()} stands in an earlier line too"
    return Fault(line, "repeated common_feature_index", clause)


def unknown_index(line: int, index: bytes) -> Fault:
    """A line of a skeleton whose index no line of the common file has."""
    clause = f"there is no common_feature_index {index.decode()} in the common file"
    return Fault(line, "unknown common_feature_index", clause)


def thread_pool() -> concurrent.futures.ThreadPoolExecutor:
    """Threads for NumPy and Polars, which let others run while they compute."""
    return concurrent.futures.ThreadPoolExecutor(WORKERS)


def ordered(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yields `function(item)` in order, computed by threads that are a few items ahead."""
    waiting: collections.deque[concurrent.futures.Future[R]] = collections.deque()
    with thread_pool() as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
