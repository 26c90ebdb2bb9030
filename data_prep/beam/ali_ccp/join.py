"""Joins Ali-CCP's exposures with their users, by common feature index.

Indices are spread over partitions by hash; in each, the lines of the common file meet the
skeleton's runs of lines that name them. The join gives each run the block and the position of its
user's line, from which the user's number follows once the lines of all blocks are counted.
"""

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np

Key = tuple[int, int]  # number of a file among the four, in the order of reading, and of a block
Match = tuple[
    np.ndarray, np.ndarray
]  # runs of a block; block and position of each one's user's line


class Join(beam.DoFn):
    """Finds the lines of the common file that have the indices of the skeleton.

    Takes the indices of one partition: for each block its key, positions in it and their indices.
    Yields for each block of a skeleton its runs and a `(runs, 2)` array of their users' lines,
    block and position, -1 where there is none; as `repeated` the positions of lines of a common
    file whose index an earlier one has.

    Args:
      max_bad_lines: Number of such lines that are tolerated; at most one more is reported.
    """

    def __init__(self, max_bad_lines: int):
        self._max_bad_lines = max_bad_lines

    def process(self, element: tuple[tuple, Iterable]) -> Iterator:
        """Joins a partition."""
        line_of: dict[bytes, Key] = {}  # block and position
        repeated = collections.defaultdict(list)
        left = self._max_bad_lines + 1
        for (number, block), positions, indices in sorted(element[1], key=lambda part: part[0]):
            if number % 2 == 0:
                for position, index in zip(positions.tolist(), indices, strict=True):
                    line = block, position
                    if line_of.setdefault(index, line) != line and left:
                        repeated[number, block].append(position)
                        left -= 1
            else:
                lines = [line_of.get(index, (-1, -1)) for index in indices]
                yield (number, block), (positions, np.array(lines, np.int64).reshape(-1, 2))
        for key, positions in repeated.items():
            yield beam.pvalue.TaggedOutput("repeated", (key, np.array(positions)))


class UserNumbers:
    """Numbers of users, from the positions of their lines in the common files.

    Args:
      good: Number of lines of each block of the common files that could be parsed.
      repeated: Positions of those among them that repeat an earlier index, by block.
    """

    def __init__(self, good: Mapping[Key, int], repeated: Mapping[Key, np.ndarray]):
        self._repeated = repeated
        self._before = {}
        total = 0
        for key in sorted(good):
            self._before[key] = total
            total += good[key] - len(repeated.get(key, ()))

    def __call__(self, file: int, blocks: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """The number of each user, `(users,)` int64; -1 where the block is -1.

        Args:
          file: File of the lines.
          blocks: each line's block, `(users,)`, -1 if there is no such line.
          positions: each line's position in its block, `(users,)`.
        """
        numbers = np.full(len(blocks), -1, np.int64)
        for block in np.unique(blocks[blocks >= 0]).tolist():
            mine = blocks == block
            left_out = np.searchsorted(self._repeated.get((file, block), []), positions[mine])
            numbers[mine] = self._before[file, block] + positions[mine] - left_out
        return numbers


def number_users(
    _: None, good: Sequence[tuple[Key, int]], repeated: Sequence[tuple[Key, np.ndarray]]
) -> UserNumbers:
    """Numbers the users, from the counts of blocks and the repeated indices that the join finds."""
    positions = collections.defaultdict(list)
    for key, part in repeated:
        positions[key].append(part)
    return UserNumbers(
        dict(good), {key: np.sort(np.concatenate(p)) for key, p in positions.items()}
    )


def users_of_runs(file: int, runs: int, matches: Iterable[Match], users: UserNumbers) -> np.ndarray:
    """The user's number of each run of a block, `(runs,)`, -1 if unknown."""
    lines = np.full((runs, 2), -1, np.int64)
    for runs_of_match, part in matches:
        lines[runs_of_match] = part
    return users(file, lines[:, 0], lines[:, 1])
