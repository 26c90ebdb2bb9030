"""Metrics by name. Adding one: a module in this folder that registers it."""

import importlib
import pkgutil

from dcrnn_tf.metrics.registry import (
    PRIMARIES,
    PRIMARY,
    Metric,
    compute,
    get,
    present,
    primary_of,
    printed,
    register,
    registered,
)

__all__ = [
    "PRIMARIES",
    "PRIMARY",
    "Metric",
    "compute",
    "get",
    "present",
    "primary_of",
    "printed",
    "register",
    "registered",
]

# The first metrics that pages print; those of the other modules follow in the order of their names.
_FIRST = ("auc", "logloss", "calibration", "xauc", "macro_auc")

for _name in dict.fromkeys([*_FIRST, *(module.name for module in pkgutil.iter_modules(__path__))]):
    importlib.import_module(f"{__name__}.{_name}")
