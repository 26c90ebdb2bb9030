"""Chunk files of Ali-CCP's parsed rows, and the counts of what they hold."""

import collections
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from data_prep.ali_ccp.parser import Fault, Lines
from data_prep.ali_ccp.settings import Settings
from data_prep.storage.columns import Ragged, lists, single_values
from dcrnn_tf.dataset.schema import DatasetError
from dcrnn_tf.system.whole_file import naming_file


@dataclasses.dataclass(frozen=True)
class Sample:
    """A chunk file of exposures, and which of its rows are sampled.

    Attributes:
      path: Path of the file.
      size: rows in it.
      share: Share of them that is sampled.
      seed: Seed of the draw.
    """

    path: pathlib.Path
    size: int
    share: int
    seed: tuple[int, ...]

    def kept(self) -> np.ndarray:
        """Which rows are sampled, `(size,)` bool."""
        kept = np.ones(self.size, bool)
        if self.share < self.size:
            order = np.random.default_rng(self.seed).permutation(self.size)
            kept[order[self.share :]] = False
        return kept


class ChunkedLog:
    """The rows of both splits: checked, conversions without a click left out, ids still raw.

    Args:
      folder: Folder of the chunk files.
      settings: Settings of what to keep.

    Attributes:
      users: Number of lines of both common files; they are numbered in order, those of train first.
      user_chunks: chunk files of the user fields, in the order of the users; none if no user
        field is wanted.
      rows: exposures kept, by split.
      counts: Counts of what the files hold, by split.
      bad_lines: lines left out, by reason.
      truncated: lists cut to `max_values`, by field.
      longest: values of the longest list kept, by field.
    """

    def __init__(self, folder: pathlib.Path, settings: Settings):
        self.users = 0
        self.user_chunks: list[pathlib.Path] = []
        self.counts: dict[str, collections.Counter[str]] = {}
        self.bad_lines: collections.Counter[str] = collections.Counter()
        self.truncated = {field.name: 0 for field in settings.fields if field.multiple}
        self.longest = dict.fromkeys(self.truncated, 0)
        self._folder = folder
        self._settings = settings
        self._chunks: dict[str, list[tuple[pathlib.Path, int]]] = {}

    def state(self) -> dict:
        """Returns everything but the chunk files' content, as JSON."""
        return {
            "users": self.users,
            "user_chunks": [path.name for path in self.user_chunks],
            "counts": self.counts,
            "bad_lines": self.bad_lines,
            "truncated": self.truncated,
            "longest": self.longest,
            "chunks": {
                split: [(path.name, size) for path, size in chunks]
                for split, chunks in self._chunks.items()
            },
        }

    def take_up(self, state: Mapping) -> None:
        """Takes over what `state` returned."""
        self.users = state["users"]
        self.user_chunks = [self._folder / name for name in state["user_chunks"]]
        self.counts = {split: collections.Counter(n) for split, n in state["counts"].items()}
        self.bad_lines = collections.Counter(state["bad_lines"])
        self.truncated = dict(state["truncated"])
        self.longest = dict(state["longest"])
        self._chunks = {
            split: [(self._folder / name, size) for name, size in chunks]
            for split, chunks in state["chunks"].items()
        }

    @property
    def rows(self) -> dict[str, int]:
        """Exposures by split, after sampling."""
        available = {split: sum(n for _, n in chunks) for split, chunks in self._chunks.items()}
        return {split: min(self._settings.rows or n, n) for split, n in available.items()}

    def samples(self, split: str) -> list[Sample]:
        """Each chunk file of a split, and which of its rows are sampled."""
        sizes = [size for _, size in self._chunks[split]]
        seed = (self._settings.seed, *split.encode())
        random = np.random.default_rng([*seed, 0])
        shares = random.multivariate_hypergeometric(sizes, self.rows[split], method="marginals")
        return [
            Sample(path, size, int(share), (*seed, number))
            for number, ((path, size), share) in enumerate(
                zip(self._chunks[split], shares, strict=True), 1
            )
        ]

    def chunks(self, split: str) -> Iterator[tuple[pathlib.Path, np.ndarray]]:
        """Yields each chunk file of a split and which of its rows are sampled, `(rows,)` bool."""
        for sample in self.samples(split):
            yield sample.path, sample.kept()

    def register(self, path: pathlib.Path, faults: Sequence[Fault]) -> None:
        """Counts faulty lines; raises `DatasetError` at the first that is one too many."""
        for fault in sorted(faults, key=lambda fault: fault.line):
            self.bad_lines[fault.reason] += 1
            if self.bad_lines.total() > self._settings.max_bad_lines:
                raise DatasetError(
                    f"{path}, line {fault.line}: {fault.clause}; repair or remove the line, or "
                    f"raise --max_bad_lines above {self._settings.max_bad_lines} "
                    f"(bad lines so far: {listed(self.bad_lines)})"
                )

    def add_list_lengths(self, lengths: Mapping[str, tuple[int, int]]) -> None:
        """Adds what `list_lengths` says of a chunk."""
        for name, (cut, longest) in lengths.items():
            self.truncated[name] += cut
            self.longest[name] = max(self.longest[name], longest)

    def add_exposures(self, split: str, path: pathlib.Path, size: int, counts: Mapping) -> None:
        """Adds a chunk file of exposures, and what `settle` counted."""
        self._chunks.setdefault(split, []).append((path, size))
        self.counts[split].update(counts)

    def check_rows(self, split: str, path: pathlib.Path) -> None:
        """Raises `DatasetError` if a split has no rows, all of whose chunks are added."""
        if not self.rows[split]:
            raise DatasetError(f"{path} holds no row that can be kept; fetch it again")


def settle(lines: Lines, keep_conversions_without_click: bool) -> tuple[Lines, dict[str, int]]:
    """Counts exposures, and leaves out conversions without a click unless they are kept."""
    click, conversion = (single_values(lines.columns, name) > 0 for name in ("click", "conversion"))
    counts = {
        "rows": len(click),
        "clicks": int(click.sum()),
        "conversions": int((click & conversion).sum()),
        "conversions_without_click": int((conversion & ~click).sum()),
    }
    if not keep_conversions_without_click:
        lines = lines.select(click | ~conversion)
    return lines, counts


def list_lengths(lines: Lines) -> dict[str, tuple[int, int]]:
    """By list field, how many lists were cut, and the values of the longest."""
    return {
        name: (int(cut.sum()), int(lists(lines.columns, name).row_lengths.max(initial=0)))
        for name, cut in lines.truncated.items()
    }


def save_chunk(path: pathlib.Path, columns: Mapping[str, "np.ndarray | Ragged"]) -> None:
    """Writes a chunk file: columns of raw ids, by name."""
    arrays: dict[str, Any] = {}
    for name, column in columns.items():
        parts = dataclasses.asdict(column) if isinstance(column, Ragged) else {"": column}
        arrays |= {f"{name}/{p}": a for p, a in parts.items() if a is not None}
    with naming_file(path):
        np.savez(path, **arrays)


def load_chunk(path: pathlib.Path) -> dict[str, "np.ndarray | Ragged"]:
    """Reads a chunk file: columns of raw ids, by name."""
    columns: dict = {}
    with np.load(path, allow_pickle=False) as chunk:
        for key in chunk.files:
            name, part = key.split("/")
            columns[name] = columns.get(name, {}) | {part: chunk[key]}
    return {n: Ragged(**parts) if "" not in parts else parts[""] for n, parts in columns.items()}


def load_users(path: pathlib.Path) -> np.ndarray:
    """Reads the users' numbers alone of a chunk file of exposures, `(rows,)`."""
    with np.load(path, allow_pickle=False) as chunk:
        return chunk["user_row/"]


def listed(counts: Mapping[str, int]) -> str:
    """Counts by name, for a message."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
