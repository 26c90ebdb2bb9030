"""A simulated Criteo: rows of train.txt and the planted structure behind their clicks.

Counts are drawn log-normally, ids from a few frequent ones (by Zipf's law) and a long tail of rare
ones; missing rates, sizes of the counts and numbers of distinct ids follow the real file. A field's
*factor* is a number per frequent id, or a function of a count's logarithm, about standardised; a
missing value, and an id of the tail, has the factor 0. The logit of a click is a sum of factors of
single fields, which a linear model sees, and of products of two, which it does not, `EFFECTS`. All
of it is a function of what the file says, so that the true probability is what a perfect model
would predict. The planted fields have few frequent ids: a network finds most of the structure in a
hundred thousand rows. The other fields are noise.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
from scipy.optimize import brentq
from scipy.special import expit

from data_prep.criteo.fields import COUNTS, IDS, LABEL
from data_prep.criteo.world_settings import Settings

BLOCK_ROWS = 1 << 16
PILOT_BLOCKS = 2
LARGEST_COUNT = 2**31 - 1

# Of each count: share missing, mean and standard deviation of ln(1 + x).
COUNT_STATISTICS = {
    "I1": (0.45, 0.8, 1.0),
    "I2": (0.0, 2.1, 2.1),
    "I3": (0.21, 2.2, 1.3),
    "I4": (0.22, 1.7, 0.9),
    "I5": (0.03, 7.3, 2.9),
    "I6": (0.22, 3.5, 1.8),
    "I7": (0.04, 1.6, 1.4),
    "I8": (0.0, 2.1, 1.2),
    "I9": (0.04, 3.6, 1.7),
    "I10": (0.45, 0.4, 0.4),
    "I11": (0.04, 0.9, 0.75),
    "I12": (0.77, 0.3, 0.6),
    "I13": (0.22, 1.8, 1.0),
}
NEGATIVE_COUNT, NEGATIVE_SHARE = "I2", 0.1  # this count is -1 in this share of rows

# Of each id: share missing, distinct ids (as counted in the real file), frequent ones, share of
# the rows with another, exponent of Zipf's law.
ID_STATISTICS = {
    "C1": (0.0, 1_460, 9, 0.10, 1.5),
    "C2": (0.0, 583, 22, 0.30, 0.6),
    "C3": (0.03, 10_131_227, 10, 0.80, 0.8),
    "C4": (0.03, 2_202_608, 10, 0.75, 0.8),
    "C5": (0.0, 305, 6, 0.04, 1.8),
    "C6": (0.12, 24, 6, 0.01, 1.0),
    "C7": (0.0, 12_517, 20, 0.85, 0.3),
    "C8": (0.0, 633, 7, 0.07, 1.8),
    "C9": (0.0, 3, 3, 0.0, 3.0),
    "C10": (0.0, 93_145, 6, 0.65, 1.5),
    "C11": (0.0, 5_683, 20, 0.75, 0.4),
    "C12": (0.03, 8_351_593, 10, 0.80, 0.8),
    "C13": (0.0, 3_194, 20, 0.70, 0.4),
    "C14": (0.0, 27, 8, 0.03, 0.9),
    "C15": (0.0, 14_992, 20, 0.80, 0.4),
    "C16": (0.03, 5_461_306, 10, 0.80, 0.8),
    "C17": (0.0, 10, 10, 0.0, 0.8),
    "C18": (0.0, 5_652, 20, 0.60, 0.5),
    "C19": (0.44, 2_173, 6, 0.38, 2.0),
    "C20": (0.44, 4, 3, 0.01, 0.1),
    "C21": (0.03, 7_046_547, 10, 0.80, 0.8),
    "C22": (0.76, 18, 5, 0.01, 1.3),
    "C23": (0.0, 15, 9, 0.02, 0.9),
    "C24": (0.03, 286_181, 10, 0.60, 0.5),
    "C25": (0.44, 105, 10, 0.09, 0.9),
    "C26": (0.44, 142_572, 10, 0.70, 0.8),
}

# Relative variances of the products of factors; their sum is scaled to `Settings.signal`.
EFFECTS = {
    ("I7",): 0.06,
    ("I11",): 0.06,
    ("I6",): 0.05,
    ("C2",): 0.04,
    ("C6",): 0.06,
    ("C14",): 0.08,
    ("C17",): 0.10,
    ("C23",): 0.06,
    ("C25",): 0.04,
    ("C14", "C17"): 0.14,
    ("C6", "C23"): 0.11,
    ("I7", "C17"): 0.08,
    ("I11", "C14"): 0.07,
    ("I9", "I13"): 0.05,
}
HUMPS = ("I6",)  # counts in the middle have the smallest factor, rather than small ones


@dataclasses.dataclass(frozen=True)
class Block:
    """Some rows: `frame` has the columns of the file, `probability` is that of a click."""

    frame: pl.DataFrame
    probability: np.ndarray


class Simulation:
    """Draws rows block by block; the same settings give the same rows."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._shares, self._factors = {}, {}
        for number, name in enumerate(IDS):
            _, _, frequent, _, exponent = ID_STATISTICS[name]
            share = np.arange(1.0, frequent + 1) ** -exponent
            share /= share.sum()
            random = np.random.default_rng([settings.seed, 1, number])
            factor = random.permutation(np.linspace(-1.0, 1.0, frequent))
            factor -= (share * factor).sum()
            factor /= np.sqrt((share * factor**2).sum())
            self._shares[name] = np.cumsum(share)
            self._factors[name] = np.append(factor, 0.0)  # the last is the tail's
        pilot = [
            self._draw(np.random.default_rng([settings.seed, 2, number]), BLOCK_ROWS)[1]
            for number in range(PILOT_BLOCKS)
        ]
        planted = np.concatenate(pilot)
        self._scale = settings.signal / planted.std()
        self._intercept = brentq(
            lambda shift: expit(self._scale * planted + shift).mean() - settings.click_rate, -50, 50
        )

    def blocks(self) -> Iterator[Block]:
        """Yields all rows."""
        for number, start in enumerate(range(0, self.settings.rows, BLOCK_ROWS)):
            random = np.random.default_rng([self.settings.seed, 3, number])
            columns, planted = self._draw(random, min(BLOCK_ROWS, self.settings.rows - start))
            probability = expit(self._scale * planted + self._intercept)
            click = (random.random(len(probability)) < probability).astype(np.uint8)
            yield Block(pl.DataFrame({LABEL: click} | columns), probability)

    def _draw(self, random: np.random.Generator, rows: int) -> tuple[dict, np.ndarray]:
        """The columns of some rows and what is planted in them, before scaling."""
        columns, factors = {}, {}
        for name in COUNTS:
            columns[name], factors[name] = self._count(name, random, rows)
        for name in IDS:
            columns[name], factors[name] = self._ids(name, random, rows)
        planted = np.zeros(rows)
        for names, variance in EFFECTS.items():
            planted += np.sqrt(variance) * np.prod([factors[name] for name in names], axis=0)
        return columns, planted

    def _count(self, name: str, random: np.random.Generator, rows: int):
        missing_share, mean, deviation = COUNT_STATISTICS[name]
        drawn = np.exp(mean + deviation * random.standard_normal(rows)) - 1
        count = np.clip(np.rint(drawn), 0, LARGEST_COUNT).astype(np.int64)
        if name == NEGATIVE_COUNT:
            count[random.random(rows) < NEGATIVE_SHARE] = -1
        missing = random.random(rows) < missing_share
        scaled = np.clip((np.log1p(np.maximum(count, 0)) - mean) / deviation, -2.5, 2.5)
        factor = (np.square(scaled) - 1) / np.sqrt(2) if name in HUMPS else scaled
        column = pl.Series(count).set(pl.Series(missing), None)
        return column, np.where(missing, 0.0, factor)

    def _ids(self, name: str, random: np.random.Generator, rows: int):
        missing_share, distinct, frequent, tail_share, _ = ID_STATISTICS[name]
        rank = np.searchsorted(self._shares[name], random.random(rows))
        rank = np.minimum(rank, frequent - 1)
        if tail_share:
            tail = random.random(rows) < tail_share
            rank[tail] = random.integers(frequent, distinct, int(tail.sum()))
        missing = random.random(rows) < missing_share
        factor = self._factors[name][np.minimum(rank, frequent)]
        numbers = rank.astype(np.uint32) | np.uint32(IDS.index(name) << 24)
        column = hexadecimal(scattered(numbers)).set(pl.Series(missing), None)
        return column, np.where(missing, 0.0, factor)


def scattered(numbers: np.ndarray) -> np.ndarray:
    """Maps 32-bit numbers one to one on others that look random."""
    numbers = numbers ^ (numbers >> np.uint32(16))
    numbers = numbers * np.uint32(0x85EBCA6B)
    numbers = numbers ^ (numbers >> np.uint32(13))
    numbers = numbers * np.uint32(0xC2B2AE35)
    return numbers ^ (numbers >> np.uint32(16))


def hexadecimal(numbers: np.ndarray) -> pl.Series:
    """The eight hexadecimal digits of each 32-bit number, as text."""
    halves = np.stack([numbers >> np.uint32(16), numbers & np.uint32(0xFFFF)], axis=1)
    text = pa.py_buffer(np.ascontiguousarray(_HALVES[halves]))
    ends = pa.py_buffer(np.arange(0, 8 * len(numbers) + 1, 8, dtype=np.int32))
    return pl.Series(pa.StringArray.from_buffers(len(numbers), ends, text))


def _half_words() -> np.ndarray:
    """The four digits of every 16-bit number, `(65536, 4)` characters."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    numbers = np.arange(1 << 16)
    return np.stack([digits[numbers >> shift & 15] for shift in (12, 8, 4, 0)], axis=1)


_HALVES = _half_words()
