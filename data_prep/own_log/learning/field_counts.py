"""What is counted of a field's cells, and which of them look like a mistake."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import polars as pl

from data_prep.own_log.cells import spelled
from data_prep.own_log.learning.id_sketch import IdSketch

# What programs write for lists, in text that is read as one id.
_WHOLE_LIST = r"""\[\s*(?:-?[0-9.]+|'.*'|".*"|.*,.*)?\s*\]|\(.*,.*\)|\{.*,.*\}"""
# What is left of one, such as `[[1, 2], [3]]`, that was cut at its commas.
_PIECE_OF_LIST = r"[\[({][^\])}]*|[^\[({]*[\])}]"
_WRITTEN_LIST = rf"^(?:{_WHOLE_LIST}|{_PIECE_OF_LIST})$"
# Numbers that are spelled as a typed number never is, such as 007, +5 and 2.50.
_ODD_NUMBER = r"^(?:[+-]?(?:0[0-9]+(?:\.[0-9]*)?|[0-9]+\.(?:[0-9]*0)?)|\+[0-9]+(?:\.[0-9]+)?)$"
_WRITTEN_LIST_OR_ODD_NUMBER = f"{_WRITTEN_LIST}|{_ODD_NUMBER}"  # two passes for few columns alone
_ODD_NUMBERS = 10_000  # kept of a field, the least of them


@dataclasses.dataclass
class FieldCounts:
    """Counts of one field over all rows.

    Attributes:
      missing: Number of rows without a value, those with an empty list among them.
      truncated: Number of lists that were cut; None where the field has no lists.
      owner: Name of the field whose ids they are.
      sketch: Sketch of the distinct ids of training rows, where these are hashed.
      written_lists: Number of ids that look like written lists.
      written_list: The least of these ids; None if there is none.
      odd_numbers: Ids that are numbers and spelled as no typed number is.
      spelled_otherwise: Those that are the number of another id of the vocabulary, and this id.
    """

    missing: int
    truncated: int | None
    owner: str
    sketch: IdSketch | None = None
    written_lists: int = 0
    written_list: str | None = None
    odd_numbers: frozenset[str] = frozenset()
    spelled_otherwise: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def cut(self, lists: int) -> None:
        """Counts lists that were cut."""
        self.truncated = (self.truncated or 0) + lists

    def add_ids(self, ids: pl.Series, times: np.ndarray | None = None) -> None:
        """Looks at ids of some rows.

        Args:
          ids: The ids.
          times: How often each of them is met, from 0 on; once if None.
        """
        if times is not None:
            ids, times = ids.filter(pl.Series(times > 0)), times[times > 0]
        if not ids.str.contains(_WRITTEN_LIST_OR_ODD_NUMBER).any():
            return
        is_list = ids.str.contains(_WRITTEN_LIST).fill_null(False)
        lists = ids.filter(is_list)
        count = len(lists) if times is None else int(times[is_list.to_numpy()].sum())
        odd = spelled(ids.filter(ids.str.contains(_ODD_NUMBER).fill_null(False)).unique())
        odd = odd.filter(odd.str.contains(_ODD_NUMBER))  # 5.0 is 5
        self._add(count, lists.min(), frozenset(odd))

    def merge(self, other: "FieldCounts") -> None:
        """Adds the counts of other rows."""
        self.missing += other.missing
        if self.truncated is not None:
            self.truncated += other.truncated or 0
        if self.sketch is not None and other.sketch is not None:
            self.sketch.merge(other.sketch)
        self._add(other.written_lists, other.written_list, other.odd_numbers)

    def _add(self, lists: int, one: str | None, odd: frozenset[str]) -> None:
        self.written_lists += lists
        self.written_list = min(filter(None, (self.written_list, one)), default=None)
        if odd - self.odd_numbers:
            self.odd_numbers = frozenset(sorted(self.odd_numbers | odd)[:_ODD_NUMBERS])

    def compare(self, ids: np.ndarray) -> None:
        """Compares the ids that are oddly spelled numbers with those of the vocabulary."""
        if not self.odd_numbers:
            return
        odd = pl.Series(sorted(self.odd_numbers))
        texts = pl.Series("id", ids, dtype=pl.String)
        known = pl.DataFrame([_plain(texts).rename("number"), texts])
        known = known.sort(pl.col("id") != pl.col("number"), maintain_order=True)
        known = known.unique("number", keep="first", maintain_order=True)
        pairs = pl.DataFrame([_plain(odd).rename("number"), odd.rename("odd")]).join(
            known, "number", maintain_order="left"
        )
        others = pairs.filter(pl.col("odd") != pl.col("id")).select("odd", "id")
        self.spelled_otherwise = dict(others.iter_rows())


def _plain(texts: pl.Series) -> pl.Series:
    """Returns numbers as their shortest texts, other texts as they are."""
    number = texts.str.contains(r"^[+-]?[0-9]*\.?[0-9]*$")
    plain = texts.str.strip_prefix("+").str.replace("^(-?)0+([0-9])", "${1}${2}")
    point = plain.str.contains(".", literal=True)
    short = plain.str.strip_chars_end("0").str.strip_chars_end(".")
    return pl.select(
        pl.when(number & point).then(short).when(number).then(plain).otherwise(texts)
    ).to_series()
