"""How the numbers of a regression task are scaled for its loss, and its predictions back.

Preparation learns it from training rows; losses, predictions and exports read it. Arithmetic is
written once: `xp` is NumPy, or a namespace with the functions of the same names.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from dcrnn_tf.dataset.checked import checked

NONE, STANDARD, LOG = "none", "standard", "log"
SQUARED, HUBER, LOGISTIC = "squared", "huber", "logistic"
ZERO_INFLATED_LOGNORMAL = "zero_inflated_lognormal"


@dataclasses.dataclass(frozen=True)
class Target:
    """The scale on which a regression task is learned, and its loss.

    A number y becomes `(f(y) - mean) / deviation` with `standard` and `log`, where f is y itself
    and `sign(y) ln(1 + |y|)`; with `none` it stays y. A model learns the scaled number, and its
    output is scaled back. With the loss `zero_inflated_lognormal`, for amounts from 0 of which many
    are 0, f is `ln y` of the amounts above 0, and a model has three outputs.

    Attributes:
      loss: One of `LOSSES`.
      scaling: One of `SCALINGS[loss]`.
      mean: Mean of f over training rows.
      deviation: Standard deviation of f over training rows, 0 of a constant.
      average: Mean of y over training rows, which the constant predictor gives.
      above_0: Share of training rows with an amount above 0.
    """

    LOSSES: ClassVar = (SQUARED, HUBER, LOGISTIC, ZERO_INFLATED_LOGNORMAL)
    SCALINGS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        SQUARED: (STANDARD, LOG, NONE),
        HUBER: (STANDARD, LOG, NONE),
        LOGISTIC: (STANDARD, LOG, NONE),
        ZERO_INFLATED_LOGNORMAL: (LOG, NONE),
    }

    loss: str = SQUARED
    scaling: str = STANDARD
    mean: float = 0.0
    deviation: float = 1.0
    average: float = 0.0
    above_0: float = 1.0

    def __post_init__(self) -> None:
        if self.loss not in self.LOSSES:
            raise ValueError(f"loss {self.loss!r} is not one of {', '.join(self.LOSSES)}")
        if self.scaling not in self.SCALINGS[self.loss]:
            raise ValueError(
                f"scaling {self.scaling!r} is not one of {', '.join(self.SCALINGS[self.loss])}, "
                f"those of the loss {self.loss}"
            )
        if not self.deviation >= 0:
            raise ValueError(f"deviation {self.deviation} is below 0")
        if not 0 <= self.above_0 <= 1:
            raise ValueError(f"above_0 {self.above_0} is no share")
        numbers = (self.mean, self.deviation, self.average)
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"mean, deviation and average are {numbers}, expected finite numbers")

    @property
    def is_amount(self) -> bool:
        """Whether the numbers are amounts from 0, of which many are 0."""
        return self.loss == ZERO_INFLATED_LOGNORMAL

    @property
    def outputs(self) -> int:
        """Number of outputs that a model has for each example."""
        return 3 if self.is_amount else 1

    @property
    def shift(self) -> float:
        """What is taken off f."""
        return 0.0 if self.scaling == NONE else self.mean

    @property
    def scale(self) -> float:
        """What f is divided by then; 1 of a constant, which becomes 0."""
        return 1.0 if self.scaling == NONE else self.deviation or 1.0

    @property
    def logit_above_0(self) -> float:
        """The logit of `above_0`, which is added to a model's; 0 where all amounts are alike."""
        share = self.above_0
        return math.log(share / (1 - share)) if 0 < share < 1 else 0.0

    def moments(self) -> tuple[float, float]:
        """Returns mean and standard deviation of the scaled training numbers."""
        return (self.mean - self.shift) / self.scale, self.deviation / self.scale

    def transformed(self, y: Any, xp: Any) -> Any:
        """Returns f of numbers, those of amounts above 0."""
        if self.is_amount:
            return xp.log(y)
        return xp.sign(y) * xp.log1p(xp.abs(y)) if self.scaling == LOG else y

    def scaled(self, y: Any, xp: Any) -> Any:
        """Returns numbers on the scale on which they are learned."""
        return (self.transformed(y, xp) - self.shift) / self.scale

    def unscaled(self, z: Any, xp: Any) -> Any:
        """Returns learned numbers on their own scale; not for `zero_inflated_lognormal`."""
        f = z * self.scale + self.shift
        return xp.sign(f) * xp.expm1(xp.abs(f)) if self.scaling == LOG else f


def from_dict(content: Mapping[str, object] | None) -> Target | None:
    """Makes a target of what `dataclasses.asdict` or JSON holds of one.

    Raises:
      TypeError, ValueError: It is none.
    """
    if content is None:
        return None
    if not isinstance(content, Mapping):
        raise TypeError(f"the target {content!s:.80} is none")
    return checked(Target, content)
