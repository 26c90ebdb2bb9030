"""The files of a simulated Ali-CCP."""

import contextlib
import dataclasses
import math
import pathlib
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute
import tqdm

from data_prep.ali_ccp import world as simulation
from data_prep.ali_ccp.fields import (
    COMMON_FILE,
    ENTRY_SEPARATOR,
    FIELDS,
    ID_SEPARATOR,
    SKELETON_FILE,
    SPLITS,
    VALUE_SEPARATOR,
)
from data_prep.simulation.auc_histogram import AucHistogram
from data_prep.simulation.folder import simulation_folder, write_simulation
from dcrnn_tf.system.errors import UsageError
from dcrnn_tf.system.settings import check

GROUND_TRUTH_FILE = "ground_truth_{split}.csv"

_ITEM_IDS = (1_000_000_000, 3_372_175_220)  # the published file's largest is the upper bound
_LARGEST_COUNT = 99  # the value of a token is the logarithm of a count, at most of this one


class TokenPool:
    """All strings that the files are made of; a block of text is one gather from them.

    Formatting numbers costs most of the time otherwise. The attributes say where in the pool a
    kind of strings begins; numbers of more than four digits are made of several.
    """

    def __init__(self, ids: dict[str, int]):
        self._parts: list[pa.Array] = []
        self._size = 0
        digits = pl.Series(np.arange(10_000)).cast(pl.String)
        self.plain = self._add(digits)
        self.padded = self._add(digits.str.zfill(4))
        self.hexadecimal = self._add([f"{number:04x}" for number in range(1 << 16)])
        self.labels = self._add([",0,0,", ",0,1,", ",1,0,", ",1,1,"])
        self.empty, self.comma, self.newline, self.point = (
            self._add([text]) for text in ("", ",", "\n", ",0.")
        )
        values = ["1.0"] + [f"{math.log(n):.5f}" for n in range(2, _LARGEST_COUNT + 1)]
        self.value = self._add([VALUE_SEPARATOR + value + ENTRY_SEPARATOR for value in values])
        self.last_value = self._add([VALUE_SEPARATOR + value + "\n" for value in values])
        self.field = {}
        for source, (start, step) in raw_ids(ids).items():
            text = pl.Series(np.arange(ids[source]) * step + start).cast(pl.String)
            prefix = pl.lit(source + ID_SEPARATOR)
            self.field[source] = self._add(pl.select(pl.concat_str(prefix, text)).to_series())
        self._strings = pa.concat_arrays(self._parts)
        del self._parts

    def _add(self, strings: pl.Series | list[str]) -> int:
        start = self._size
        self._parts.append(pl.Series(strings).to_arrow().cast(pa.binary()))
        self._size += len(strings)
        return start

    def number(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two tokens for each of the numbers below 10 ** 8."""
        high, low = np.divmod(numbers, 10_000)
        short = high == 0
        return np.where(short, self.empty, self.plain + high), np.where(
            short, self.plain + low, self.padded + low
        )

    def bits(self, bits: np.ndarray) -> list[np.ndarray]:
        """Four tokens, 16 hexadecimal digits, for each unsigned 64-bit integer."""
        parts = [(bits >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (48, 32, 16, 0)]
        return [self.hexadecimal + part.astype(np.int64) for part in parts]

    def probability(self, probabilities: np.ndarray) -> list[np.ndarray]:
        """Four tokens for each of the numbers in [0, 1): a comma and twelve decimals."""
        digits = (probabilities * 1e12).astype(np.int64)
        parts = [digits // 10**8, digits // 10**4 % 10**4, digits % 10**4]
        return [np.full(len(digits), self.point), *(self.padded + part for part in parts)]

    def features(self, header: list[np.ndarray], fields: dict) -> np.ndarray:
        """Tokens of lines: the header's, the number of features and the features.

        Args:
          header: a token a line each, `(lines,)`.
          fields: `Tokens` of each field, by the field's name in the files.
        """
        total = sum(tokens.lengths for tokens in fields.values())
        comma = np.full(len(total), self.comma)
        columns = np.stack([*header, comma, self.plain + total, comma], axis=1)
        lengths = np.stack(
            [np.full(len(total), columns.shape[1])]
            + [2 * tokens.lengths for tokens in fields.values()],
            axis=1,
        )
        ends = np.cumsum(lengths.ravel()).reshape(lengths.shape)
        line = np.empty(ends[-1, -1], np.int64)
        line[_positions(ends[:, 0], lengths[:, 0])] = columns.ravel()
        for number, (source, tokens) in enumerate(fields.items(), start=1):
            counts = 1 if tokens.counts is None else np.minimum(tokens.counts + 1, _LARGEST_COUNT)
            entries = np.empty((len(tokens.numbers), 2), np.int64)
            entries[:, 0] = self.field[source] + tokens.numbers
            entries[:, 1] = self.value - 1 + counts
            line[_positions(ends[:, number], lengths[:, number])] = entries.ravel()
        line[ends[:, -1] - 1] += self.last_value - self.value
        return line

    def text(self, tokens: np.ndarray) -> memoryview:
        """The tokens' strings end to end."""
        taken = pa.compute.take(self._strings, pa.array(tokens))
        _, offsets, content = taken.buffers()
        size = int(np.frombuffer(offsets, np.int32)[len(tokens)])
        return memoryview(content)[:size]


def _positions(ends: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Positions of runs of the given lengths that end before `ends`."""
    return np.repeat(ends - np.cumsum(lengths), lengths) + np.arange(lengths.sum())


def raw_ids(ids: dict[str, int]) -> dict[str, tuple[int, int]]:
    """First raw id of each field and the step between ids; no two fields share an id."""
    ranges = {}
    following = 101
    for field in FIELDS:
        count = ids[field.raw_name]
        if field.raw_name == "205":
            ranges[field.raw_name] = (_ITEM_IDS[0], (_ITEM_IDS[1] - _ITEM_IDS[0]) // count)
        else:
            ranges[field.raw_name] = (following, 1)
            following += count
    return ranges


def simulate(folder: pathlib.Path, settings: simulation.Settings) -> dict:
    """Writes a simulated Ali-CCP.

    Args:
      folder: Folder of the simulated files; must not exist.
      settings: Settings of the simulation.

    Returns:
      The content of `simulation.json`.

    Raises:
      DatasetError: the folder exists, or the settings make no sense.
    """
    check(settings)
    check_rates(settings)
    with simulation_folder(folder) as partial:
        simulated = simulation.Simulation(settings)
        pool = TokenPool(simulated.ids)
        summary: dict[str, Any] = {"seed": settings.seed}
        summary["settings"] = dataclasses.asdict(settings)
        summary["planted"] = simulation.planted()
        summary |= {"rows": {}, "users": {}, "clicks": {}, "conversions": {}, "bayes_auc": {}}
        for split in SPLITS:
            for name, value in _write_split(partial, split, simulated, pool).items():
                summary[name][split] = value
        write_simulation(partial, summary)
    return summary


def _write_split(
    folder: pathlib.Path, split: str, simulated: simulation.Simulation, pool: TokenPool
) -> dict:
    names = (SKELETON_FILE, COMMON_FILE, GROUND_TRUTH_FILE)
    click_auc, conversion_auc = AucHistogram(), AucHistogram()
    rows = users = clicks = conversions = 0
    # The index of a user's line, unlike the user, is of this split and seed.
    salt = 1000 * simulated.settings.seed + SPLITS.index(split)
    progress = tqdm.tqdm(
        total=simulated.settings.rows(split),
        desc=f"simulating {split}",
        unit=" rows",
        unit_scale=True,
    )
    with progress, contextlib.ExitStack() as stack:
        skeleton, common, truth = (
            stack.enter_context(open(folder / name.format(split=split), "wb")) for name in names
        )
        truth.write(b"sample_id,click,conversion\n")
        for block in simulated.blocks(split):
            count = len(block.click)
            index = pool.bits(simulation.hashed_bits(block.lines, salt))
            common.write(pool.text(pool.features(index, block.user_fields)))
            sample = pool.number(np.arange(rows + 1, rows + count + 1))
            header = [
                *sample,
                pool.labels + 2 * block.click + block.conversion,
                *(part[block.line_of] for part in index),
            ]
            skeleton.write(pool.text(pool.features(header, block.fields)))
            columns = [
                *sample,
                *pool.probability(block.click_probability),
                *pool.probability(block.conversion_probability),
                np.full(count, pool.newline),
            ]
            truth.write(pool.text(np.stack(columns, axis=1).ravel()))
            click_auc.add(block.click_probability, block.click)
            conversion_auc.add(block.conversion_probability, block.conversion)
            rows += count
            users += len(block.lines)
            clicks += int(block.click.sum())
            conversions += int(block.conversion.sum())
            progress.update(count)
    auc = {"click": click_auc.auc(), "conversion": conversion_auc.auc()}
    return {
        "rows": rows,
        "users": users,
        "clicks": clicks,
        "conversions": conversions,
        "bayes_auc": auc,
    }


def check_rates(settings: simulation.Settings) -> None:
    """Refuses rates of clicks and conversions that contradict each other.

    Raises:
      UsageError: says which.
    """
    if not settings.conversion_rate < settings.click_rate < 1:
        raise UsageError(
            f"--conversion_rate={settings.conversion_rate} and --click_rate={settings.click_rate} "
            "are not 0 < conversion rate < click rate < 1, both being shares of the exposures"
        )
