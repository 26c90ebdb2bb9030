"""Lines that are flat JSON objects, read by regular expressions instead of one by one.

Most files of JSON lines are written by programs, with the keys always in the same few orders. What
a pattern takes is JSON without escapes and without objects in objects, of which the texts of cells
are known without decoding; every other line is left to a reader of single lines.
"""

import json
from collections.abc import Callable, Collection

import numpy as np
import polars as pl

from dcrnn_tf.dataset.names import fault_of

_MOST_PATTERNS = 8
_MOST_TRIED = 100  # lines of a file of which no pattern can be made
_SPACE = r"[ \t\r]*"
_TEXT = r'"[^"\\\x00-\x1f]*"'
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_ITEM = f"(?:{_TEXT}|{_NUMBER}|true|false|null)"
_LIST = rf"\[{_SPACE}(?:{_ITEM}{_SPACE}(?:,{_SPACE}{_ITEM}{_SPACE})*)?\]"
_VALUE = f"{_TEXT}|{_NUMBER}|true|false|null|{_LIST}"
_WHOLE = r"-?(?:0|[1-9][0-9]*)"
# Lists that are written as a cell has them, but for the spaces: of whole numbers, or of texts one
# of which is no number.
_OF_NUMBERS = rf"^\[{_WHOLE}(?:, ?{_WHOLE})*\]$|^\[\]$"
_OF_TEXTS = r'^\["[^",]*"(?:, ?"[^",]*")*\]$'
_NO_NUMBER = r'(?:^\[|, ?)"(?:[^0-9"-]|")'


class FlatObjects:
    """Reads the lines that are flat objects with keys in an order that was met before.

    Args:
      names: Keys whose values are read.
      lists: Those whose values may be lists.
      decode: Function that makes the text of a cell of a list, or of a number with an exponent.
    """

    def __init__(
        self, names: Collection[str], lists: Collection[str], decode: Callable[[str], str | None]
    ):
        self._names = tuple(names)
        self._lists = set(lists)
        self._decode = decode
        self._patterns: dict[str, list[str]] = {}  # each with the names that it captures
        self._failed = 0

    def __call__(self, lines: list[bytes]) -> pl.DataFrame:
        """Returns the cells of the lines that it can read, and their positions as `position`."""
        texts = _texts(lines)
        left = texts.str.contains("{", literal=True).fill_null(False).arg_true().to_numpy()
        parts = []
        patterns = iter(list(self._patterns))
        while len(left):
            pattern = next(patterns, None)
            if pattern is None:
                if len(self._patterns) >= _MOST_PATTERNS or self._failed >= _MOST_TRIED:
                    break
                pattern = self._learned(texts[int(left[0])])
            if pattern is None:
                self._failed += 1
                left = left[1:]
                continue
            cells, read = self._read(pattern, texts.gather(left))
            parts.append(pl.DataFrame([*cells, pl.Series("position", left[read])]))
            left = left[~read]
        empty = pl.DataFrame(schema={**dict.fromkeys(self._names, pl.String), "position": pl.Int64})
        if not parts:
            return empty
        whole = pl.concat([empty, *parts], how="diagonal_relaxed")
        return whole if len(parts) == 1 else whole.sort("position")

    def _learned(self, line: str) -> str | None:
        """Returns a pattern of the keys of a line; None if it is known, or there are none."""
        try:
            pairs = json.loads(line, object_pairs_hook=list)
        except (ValueError, RecursionError):
            return None
        if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
            return None
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys) or any(fault_of(key) or '"' in key for key in keys):
            return None
        parts, captured = [], []
        for key in keys:
            group = "?:"
            if key in self._names:
                captured.append(key)
                group = f"?P<c{len(captured)}>"
            parts.append(f'"{pl.escape_regex(key)}"{_SPACE}:{_SPACE}({group}{_VALUE}){_SPACE}')
        pattern = rf"^{_SPACE}(?P<c0>\{{){_SPACE}{f',{_SPACE}'.join(parts)}\}}{_SPACE}$"
        if pattern in self._patterns:
            return None
        self._patterns[pattern] = captured
        return pattern

    def _read(self, pattern: str, texts: pl.Series) -> tuple[list[pl.Series], np.ndarray]:
        """Returns the cells of the texts that fit a pattern, and which do."""
        groups = texts.str.extract_groups(pattern).struct.unnest()
        names = self._patterns[pattern]
        fits = groups["c0"].is_not_null()
        for number, name in enumerate(names, start=1):
            if name not in self._lists:
                fits &= ~groups[f"c{number}"].str.starts_with("[").fill_null(False)
        if not fits.all():
            groups = groups.filter(fits)
        cells = [self._cells(groups[f"c{n}"]).alias(name) for n, name in enumerate(names, start=1)]
        return cells, fits.to_numpy()

    def _cells(self, values: pl.Series) -> pl.Series:
        """Returns values as the texts of cells."""
        first, value = values.str.slice(0, 1), pl.lit(values)
        quoted = first == '"'
        if quoted.all():
            return values.str.slice(1).str.head(-1)
        fraction = values.str.contains(r"^-?[0-9]+\.[0-9]+$")
        other = values.str.contains(r"^-?[0-9.]+[eE]|^\[")
        cells = pl.select(
            pl.when(quoted)
            .then(value.str.slice(1).str.head(-1))
            .when(fraction)
            .then(value.str.strip_chars_end("0").str.strip_chars_end("."))
            .when(first != "n")
            .then(value)
        ).to_series()
        if not other.any():
            return cells
        lists = values.str.contains(_OF_NUMBERS)
        lists |= values.str.contains(_OF_TEXTS) & values.str.contains(_NO_NUMBER)
        spaced = values.str.replace_all(r", ?", ", ")
        cells = pl.select(pl.when(pl.lit(lists)).then(spaced).otherwise(pl.lit(cells))).to_series()
        others = (other & ~lists).arg_true()
        decoded = [self._decode(text) for text in values.gather(others)]
        return cells.scatter(others, pl.Series(decoded, dtype=pl.String))


def _texts(lines: list[bytes]) -> pl.Series:
    """Returns lines as text, null where they are not UTF-8."""
    try:
        return pl.Series(lines, dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return pl.Series(map(_text, lines), dtype=pl.String)


def _text(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None
