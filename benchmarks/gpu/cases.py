"""What is measured on a GPU, in the order of its use."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.workload import MODELS as MODELS_OF_CPU

MODELS = MODELS_OF_CPU | {"dephn": ("dephn", {})}
PRECISIONS = {
    "float32": "Products of float32 numbers, TensorFloat-32 off.",
    "tf32": "Products of float32 numbers by way of TensorFloat-32.",
    "bfloat16": "Products and activations in bfloat16.",
    "float16": "Products and activations in float16, the loss scaled.",
}
BATCHES = (1024, 8192, 65536)


class Case(NamedTuple):
    """A training step that is timed.

    Attributes:
      model: Label of the model.
      precision: Precision of its products.
      compiled: Whether XLA compiles the step.
    """

    model: str
    precision: str
    compiled: bool

    @property
    def label(self) -> str:
        """Returns the case in words."""
        return f"{self.model} {self.precision}" + (" XLA" if self.compiled else "")


def cases(quick: bool) -> Iterator[Case]:
    """Yields the cases, so that what comes first says most if time runs out.

    Args:
      quick: Whether MMoE alone is measured, in float32 and bfloat16.
    """
    models = ("mmoe",) if quick else tuple(MODELS)
    precisions = ("float32", "bfloat16") if quick else tuple(PRECISIONS)
    for precision, compiled, model in itertools.product(precisions, (False, True), models):
        yield Case(model, precision, compiled)
