"""Training of a model on a prepared dataset: the program, and what other programs call of it."""

from experiments.train.program import main
from experiments.train.settings import Settings, flags_of_run

__all__ = ["Settings", "flags_of_run", "main"]
