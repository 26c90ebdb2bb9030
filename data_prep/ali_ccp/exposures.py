"""Exposures of simulated users, as arrays."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Tokens:
    """A field's ids in the rows of a block, as numbers from 0; a field that is missing has none."""

    lengths: np.ndarray  # (rows,)
    numbers: np.ndarray  # (total,)
    counts: np.ndarray | None = None  # (total,) events behind each token; None where it is 1.0

    @classmethod
    def single(cls, numbers: np.ndarray, present: np.ndarray) -> "Tokens":
        """A field with at most one id a row."""
        return cls(present.astype(np.int64), numbers[present])

    def row_numbers(self) -> np.ndarray:
        """The row of each token, `(total,)`."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)


@dataclasses.dataclass(frozen=True)
class Exposures:
    """Some lines of the common file and all their exposures.

    Attributes:
      lines: the numbers of the lines of the common file, from 0 in each split, `(lines,)`.
      user_fields: Fields of these lines.
      line_of: Index in `lines` of each exposure's line, `(exposures,)`.
      fields: the fields of the skeleton.
    """

    lines: np.ndarray
    user_fields: dict[str, Tokens]
    line_of: np.ndarray
    fields: dict[str, Tokens]


@dataclasses.dataclass(frozen=True)
class Block(Exposures):
    """Exposures with their labels.

    Attributes:
      click_probability: Probability of a click on each exposure, `(exposures,)`.
      conversion_probability: Probability of a conversion of each exposure, clicked or not.
      click: 0 or 1.
      conversion: 0 or 1.
    """

    click_probability: np.ndarray
    conversion_probability: np.ndarray
    click: np.ndarray
    conversion: np.ndarray
