"""How the raw values of a field become embedding rows or numbers, as the schema says it.

Preparations, `RowEncoder` and the graph of a served model read these definitions alone. Arithmetic
on numbers is written once: `xp` is NumPy, or a namespace with the functions of the same names.
What needs a vocabulary gets it as `NumberRows`, or looks ids up in a table of its own.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from dcrnn_tf.dataset.checked import checked, later
from dcrnn_tf.dataset.values import floats_of, numbers_of, spelled_text, words_of

PADDING_ROW = 0  # padding, and the value of a field that an exposure lacks
UNKNOWN_ROW = 1  # an id that the vocabulary does not know
FIRST_ID_ROW = 2  # the vocabulary's first id

MISSING_ID = -1  # stands for a missing id where ids are integers

VALUE, TEXT, INTEGER, NUMBER = "value", "text", "integer", "number"
FIRST, LAST = "first", "last"  # which values of a list that is too long are kept
NONE, STANDARD, LOG, QUANTILE = "none", "standard", "log", "quantile"

_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
_LOG_ABOVE = 2.0  # up to here a number is a bin of its own
# The k-th number has ln(x)^2 = k; the last is above all that float32 can hold.
_LOG_EDGES = np.array([math.exp(math.sqrt(k)) for k in range(1, 7873)])


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How the raw values of a field are encoded.

    Attributes:
      missing: Texts that stand for a missing value. Where raw values are numbers, those among the
        texts that are numbers.
      kind: Name of the encoding's kind, of `ENCODINGS`.
      gives_numbers: Whether a raw value becomes a number instead of an embedding row.
    """

    gives_numbers: ClassVar[bool] = False

    missing: tuple[str, ...] = ()
    kind: str = dataclasses.field(default="", init=False)

    @property
    def reads_numbers(self) -> bool:
        """Whether raw values are numbers instead of ids."""
        return True

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """The numbers among the missing values that float64 has without rounding them."""
        return tuple(floats_of(numbers_of(self.missing)))

    def cleaned(self, x: Any, xp: Any) -> tuple[Any, Any]:
        """Returns numbers without missing ones, which become 0, and which of them are present.

        A number that is not finite in float32 is missing; one below its normal numbers is 0, as it
        is in TensorFlow's threads.
        """
        x = _without_subnormals(x, xp)
        present = xp.isfinite(xp.asarray(x, np.float32))
        for number in self.missing_numbers:
            present &= x != xp.asarray(number, x.dtype)
        return xp.where(present, x, xp.zeros_like(x)), present


@dataclasses.dataclass(frozen=True)
class Ids(Encoding):
    """An id, or each id of a list, becomes its row: in the vocabulary, or by its hash.

    Attributes:
      values: Type of the raw ids: `value`, texts that are one id if they are one value, as
        `dcrnn_tf.dataset.values` tells; `integer`; or what earlier preparations wrote: `text`,
        without white space at its ends and else as it is spelled, and `number`, for a column whose
        cells are numbers for another field's sake.
      min_count: Least number of training rows of an id with a row of its own.
      separator: Text between the ids of a list in one cell; None if lists come as such.
      max_values: Longest list; of a longer one the first or the last ids that are not missing are
        taken.
      keep: `first` or `last`.
      hashed: Number of rows over which the hashes of ids are spread, as
        `dcrnn_tf.dataset.ids.hashing` does it; None where a vocabulary has the rows.
      weight_mark: Text between an id of a list in one cell and its weight; None without weights.
    """

    KEEPS: ClassVar = (FIRST, LAST)

    values: str = TEXT
    min_count: int = 1
    separator: str | None = None
    max_values: int = 1
    keep: str = later(FIRST)
    hashed: int | None = later(None)
    weight_mark: str | None = later(None)
    kind: str = dataclasses.field(default="ids", init=False)

    def __post_init__(self) -> None:
        _check_choice("values", self.values, (VALUE, TEXT, INTEGER, NUMBER))
        _check_choice("keep", self.keep, self.KEEPS)
        if self.hashed is not None and (self.hashed < 1 or self.values != VALUE):
            raise ValueError(f"hashed {self.hashed} of {self.values} ids is no number of rows")
        if self.max_values < 1:
            raise ValueError(f"max_values {self.max_values} is below 1")

    @property
    def reads_numbers(self) -> bool:
        """Whether raw values are cells of a column of numbers."""
        return self.values == NUMBER

    @property
    def missing_ids(self) -> list[str] | list[int]:
        """The missing values in the type of the ids; numbers among texts in one spelling alone."""
        if self.values == INTEGER:
            numbers = [n for n in numbers_of(self.missing) if n == n.to_integral_value()]
            return [int(number) for number in numbers if -(2**63) <= number < 2**63]
        if self.values == VALUE:
            texts = [(*words_of(text), spelled_text(text)) for text in self.missing]
            return list(dict.fromkeys(itertools.chain(*texts)))
        return list(self.missing)

    def rows(self, x: Any, vocabulary: "NumberRows", xp: Any) -> Any:
        """Returns the rows of ids that are numbers, int32 `(rows,)`; row 0 of missing ones."""
        x, present = self.cleaned(x, xp)
        return xp.where(present, vocabulary(x, xp), np.int32(PADDING_ROW))


@dataclasses.dataclass(frozen=True)
class Bins(Encoding):
    """A number becomes the row of its bin, whose id stands in the field's vocabulary.

      * `log`: whole numbers up to 2, negative ones included, are bins of their own (fractions are
        rounded down); above, there is a bin for each value of `floor(ln(x)^2)`. The bin's id is the
        whole number, or `floor(ln(x)^2) + 3`, so that bins are numbered in the order of numbers.
      * `quantile`: a bin has the numbers from its edge to below the next one; the first bin has
        those below all edges too. A bin's id is its edge.

    Attributes:
      method: `log` or `quantile`.
      edges: Ascending edges of quantile bins.
      min_count: Least number of training rows of a bin with a row of its own.
    """

    METHODS: ClassVar = (LOG, QUANTILE)

    method: str = LOG
    edges: tuple[float, ...] = ()
    min_count: int = 1
    kind: str = dataclasses.field(default="bins", init=False)

    def __post_init__(self) -> None:
        _check_choice("method", self.method, self.METHODS)
        _check_ascending("edges", self.edges)

    def ids(self, x: Any, xp: Any) -> Any:
        """Returns the ids of the bins of numbers that are not missing, float64 `(rows,)`."""
        if self.method == LOG:
            return _log_bins(xp.asarray(x, np.float64), xp)
        edges = np.array(self.edges or (0.0,))
        # Compared in the numbers' own precision: rounded alike, an edge is still in its bin.
        below = xp.searchsorted(xp.asarray(edges, x.dtype), x, side="right")
        return xp.take(edges, xp.clip(below - 1, 0, len(edges) - 1))

    def rows(self, x: Any, vocabulary: "NumberRows", xp: Any) -> Any:
        """Returns the rows of numbers' bins, int32 `(rows,)`; row 0 of missing numbers."""
        x, present = self.cleaned(x, xp)
        return xp.where(present, vocabulary(self.ids(x, xp), xp), np.int32(PADDING_ROW))


@dataclasses.dataclass(frozen=True)
class Scaling(Encoding):
    """A number is scaled; a missing one becomes 0 after scaling.

      * `none`: `x`
      * `standard`: `(x - mean) / standard_deviation`, so that a missing number counts as the mean
      * `log`: `sign(x) ln(1 + |x|)`
      * `quantile`: between knots of the training values' distribution function, in [-1, 1], so that
        a missing number counts as the median

    Attributes:
      method: One of these four.
      mean: Mean of the training values, for `standard`.
      standard_deviation: Standard deviation of the training values, for `standard`.
      knots: Ascending training values, for `quantile`.
      scaled: What the knots become, for `quantile`.
    """

    METHODS: ClassVar = (NONE, STANDARD, LOG, QUANTILE)
    gives_numbers: ClassVar[bool] = True

    method: str = NONE
    mean: float = 0.0
    standard_deviation: float = 1.0
    knots: tuple[float, ...] = ()
    scaled: tuple[float, ...] = ()
    kind: str = dataclasses.field(default="scaling", init=False)

    def __post_init__(self) -> None:
        _check_choice("method", self.method, self.METHODS)
        _check_ascending("knots", self.knots)
        if len(self.knots) != len(self.scaled) or (self.method == QUANTILE and not self.knots):
            raise ValueError(f"{len(self.knots)} knots and {len(self.scaled)} scaled values")
        if self.standard_deviation <= 0:
            raise ValueError(f"standard_deviation {self.standard_deviation} is not above 0")

    def numbers(self, x: Any, xp: Any) -> Any:
        """Returns scaled numbers, float32 `(rows,)`."""
        x, present = self.cleaned(x, xp)
        x = xp.asarray(x, np.float64)
        if self.method == STANDARD:
            x = (x - self.mean) / self.standard_deviation
        elif self.method == LOG:
            x = xp.sign(x) * xp.log1p(xp.abs(x))
        elif self.method == QUANTILE:
            x = _interpolated(x, np.array(self.knots), np.array(self.scaled), xp)
        x = xp.clip(_without_subnormals(x, xp), -_LARGEST, _LARGEST)
        x = xp.asarray(x, np.float32)
        return xp.where(present, x, np.float32(0))


@dataclasses.dataclass(frozen=True)
class Vector(Encoding):
    """A vector of numbers stays as it is; a missing one becomes zeros.

    Attributes:
      length: Number of its numbers.
      separator: Text between the numbers of a vector in one cell.
    """

    gives_numbers: ClassVar[bool] = True

    length: int = 1
    separator: str = ";"
    kind: str = dataclasses.field(default="vector", init=False)

    @property
    def reads_numbers(self) -> bool:
        """Whether raw values are single numbers."""
        return False

    def numbers(self, x: Any, xp: Any) -> Any:
        """Returns vectors, float32 `(rows, length)`; zeros where a number is not finite."""
        x = xp.asarray(_without_subnormals(x, xp), np.float32)
        present = xp.all(xp.isfinite(x), axis=-1, keepdims=True)
        return xp.where(present, x, xp.zeros_like(x))


ENCODINGS = {cls.kind: cls for cls in (Ids, Bins, Scaling, Vector)}


def from_dict(content: Mapping[str, object] | None) -> Encoding | None:
    """Makes an encoding of what `dataclasses.asdict` or JSON holds of one.

    Raises:
      TypeError, ValueError: It is none.
    """
    if content is None:
        return None
    kind = content.get("kind") if isinstance(content, Mapping) else None
    if not isinstance(kind, str) or kind not in ENCODINGS:
        raise TypeError(f"the encoding {content!s:.80} is of none of the kinds {[*ENCODINGS]}")
    attributes = {name: value for name, value in content.items() if name != "kind"}
    return checked(ENCODINGS[kind], attributes)


class NumberRows:
    """Finds the embedding rows of ids that are numbers.

    Args:
      ids: The vocabulary's ids, numbers or texts of numbers; `ids[0]` has row `FIRST_ID_ROW`.
    """

    def __init__(self, ids: np.ndarray):
        numbers = ids.astype(np.float64)
        order = np.argsort(numbers, kind="stable")
        # Never empty: a number that only looks like the first one has the row of unknown ids.
        self._ids = np.append(-np.inf, numbers[order])
        self._rows = np.append(UNKNOWN_ROW, order + FIRST_ID_ROW).astype(np.int32)

    def __call__(self, x: Any, xp: Any) -> Any:
        """Returns int32 rows of numbers that are not missing; row 1 of unknown ones."""
        ids = xp.asarray(self._ids, x.dtype)
        found = xp.clip(xp.searchsorted(ids, x, side="right") - 1, 0, len(self._ids) - 1)
        return xp.where(xp.take(ids, found) == x, xp.take(self._rows, found), np.int32(UNKNOWN_ROW))


def _without_subnormals(x: Any, xp: Any) -> Any:
    return xp.where(xp.abs(x) < _SMALLEST, xp.zeros_like(x), x)


def _log_bins(x: Any, xp: Any) -> Any:
    # Below -2^53 neighbouring whole numbers are no longer told apart, and int64 ends soon.
    small = xp.floor(xp.clip(x, -(2.0**53), _LOG_ABOVE))
    large = xp.asarray(xp.searchsorted(_LOG_EDGES, x, side="right"), np.float64) + _LOG_ABOVE + 1
    return xp.where(x > _LOG_ABOVE, large, small)


def _interpolated(x: Any, knots: np.ndarray, values: np.ndarray, xp: Any) -> Any:
    """Returns what `np.interp(x, knots, values)` is."""
    slopes = np.append(np.diff(values) / np.diff(knots), 0.0)
    x = xp.clip(x, knots[0], knots[-1])
    below = xp.searchsorted(knots, x, side="right") - 1
    distance, value = x - xp.take(knots, below), xp.take(values, below)
    return xp.where(distance > 0, xp.take(slopes, below) * distance + value, value)


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} {value!r} is not one of {', '.join(choices)}")


def _check_ascending(name: str, values: Sequence[float]) -> None:
    if any(second <= first for first, second in itertools.pairwise(values)):
        raise ValueError(f"{name} are not ascending")
