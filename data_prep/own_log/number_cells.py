"""What a cell should hold where a number is expected, for messages."""

import contextlib

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)


def expected_number(cell: object) -> str:
    """Says what is expected instead of a cell that is no number, or one beyond float32."""
    with contextlib.suppress(TypeError, ValueError):
        if abs(float(cell)) > _LARGEST:  # type: ignore[arg-type]
            return f"expected a number from -{_LARGEST:.1e} to {_LARGEST:.1e}, the range of float32"
    return "expected a number"
