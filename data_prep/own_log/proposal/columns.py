"""What the first rows of a log hold of a column, and what it is by that."""

import dataclasses
import json
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from data_prep.own_log.cells import as_values, text_of

MOST_GRADES = 11
MOST_CLASSES = 30
FEW_VALUES = 100  # of a whole number that may be an id
_IDS = re.compile(r"id$|_id\b|^id|code|zip|^C\d+$|type|categor|gender|tab$", re.IGNORECASE)
_TIMES = re.compile(r"time|date|timestamp|^ts$|_ts$|_at$|^day$|hourmin", re.IGNORECASE)
_YEARS = 20 * 365 * 24 * 3600  # seconds, longer than logs are
_DAY = r"^[0-9]{4}[-/]?[01][0-9][-/]?[0-3][0-9]"


@dataclasses.dataclass(frozen=True)
class Column:
    """What the first rows hold of a column.

    Attributes:
      name: of the column.
      rows: Number of rows.
      missing: Number of missing cells.
      values: Distinct cells as text, the most frequent first.
      numbers: Whether all cells are numbers.
      whole: Whether they are whole numbers.
      lists: Separator of the lists in its cells, empty if they are in brackets; None of others.
      most: Share of the cells that hold the most frequent of single values.
    """

    name: str
    rows: int
    missing: int
    values: Sequence[str]
    numbers: bool
    whole: bool
    lists: str | None
    most: float = 0.0

    @classmethod
    def of(cls, cells: pl.Series) -> "Column":
        """Looks at the cells of a column."""
        if isinstance(cells.dtype, pl.List):
            items = text_of(cells.explode().drop_nulls()).value_counts(sort=True)
            empty = int((cells.list.len().fill_null(0) == 0).sum())
            listed = items.to_series(0).to_list()
            return cls(cells.name, len(cells), empty, listed, False, False, "")
        texts = text_of(cells).drop_nulls()
        counts = texts.value_counts(sort=True)
        values = counts.to_series(0)
        numbers = values.cast(pl.Float64, strict=False)
        is_number = len(values) > 0 and bool(numbers.is_finite().fill_null(False).all())
        return cls(
            cells.name,
            len(cells),
            cells.null_count(),
            values.to_list(),
            is_number,
            is_number and bool((numbers == numbers.round()).all()),
            None if is_number else _list_separator(values),
            counts.to_series(1)[0] / len(texts) if len(texts) else 0.0,
        )

    @property
    def is_label(self) -> bool:
        """Whether it holds 1 and 0, or true and false."""
        known = pl.Series(self.values, dtype=pl.String)
        ones = ("1", "true"), ("0", "false")
        return len(self.values) == 2 and all(as_values(one).hold(known).any() for one in ones)

    @property
    def is_time(self) -> bool:
        """Whether its cells are days, or seconds or parts of them since 1970."""
        texts = pl.Series(self.values, dtype=pl.String)
        if not self.values or not self.numbers:
            return bool(self.values) and bool(texts.str.contains(_DAY).all())
        numbers = texts.cast(pl.Float64)
        first, last = numbers.min(), numbers.max()
        if first >= 5e8 and last <= 4e9 and last - first < _YEARS and len(self.values) > FEW_VALUES:
            return True
        spans = ((19000101, 21001231), (5e8, 4e9), (5e11, 4e12), (5e14, 4e15))
        named = bool(_TIMES.search(self.name))
        return named and any(low <= first and last <= high for low, high in spans)

    @property
    def is_number(self) -> bool:
        """Whether its numbers measure something, rather than name it."""
        if not self.numbers or not self.whole:
            return self.numbers
        numbers = pl.Series(self.values, dtype=pl.String).cast(pl.Float64).to_numpy()
        dense = len(self.values) > 0.5 * (numbers.max() - numbers.min() + 1)
        return not (_IDS.search(self.name) or len(self.values) <= FEW_VALUES or dense)

    @property
    def is_rating(self) -> bool:
        """Whether it holds a few grades."""
        return self.whole and 3 <= len(self.values) <= MOST_GRADES

    @property
    def is_measured(self) -> bool:
        """Whether it holds numbers with many values that measure something, but no times."""
        return self.is_number and not self.is_time and len(self.values) > MOST_GRADES

    @property
    def has_classes(self) -> bool:
        """Whether it holds a few texts or whole numbers, each of several rows."""
        few = 3 <= len(self.values) <= min(MOST_CLASSES, (self.rows - self.missing) / 2)
        return few and self.lists is None and not self.is_time and self.numbers == self.whole

    @property
    def comment(self) -> str:
        """What it holds, in a few words."""
        shown = ", ".join(json.dumps(v[:20], ensure_ascii=False) for v in self.values[:3])
        missing = f", missing in {self.missing / self.rows:.0%}" if self.missing else ""
        noun = "value" if len(self.values) == 1 else "values"
        return f"{len(self.values):,} {noun}{missing}, such as {shown}"

    @property
    def is_skewed(self) -> bool:
        """Whether some of its numbers are many times their median."""
        numbers = pl.Series(self.values, dtype=pl.String).cast(pl.Float64).to_numpy()
        return bool(numbers.min() >= 0 and numbers.max() > 20 * max(np.median(numbers), 1e-9))


def _list_separator(values: pl.Series) -> str | None:
    """The separator of cells that are lists, empty of those in brackets; None if they are none."""
    if not len(values):
        return None
    if values.str.contains(r"^\[.*\]$").all():
        return ""
    for separator in ";|,":
        share = values.str.contains(separator, literal=True).to_numpy().mean()
        items = values.str.split(separator).explode()
        if share > 0.3 and items.n_unique() < 0.5 * len(items):
            return separator
    return None
