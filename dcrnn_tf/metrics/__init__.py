"""Metrics by name. Adding one: a module in this folder that registers it."""

import importlib
import pkgutil

from dcrnn_tf.metrics.registry import (
    GROUP_COUNTS,
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
    "GROUP_COUNTS",
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

_found = (module.name for module in pkgutil.walk_packages(__path__, f"{__name__}."))
for _name in dict.fromkeys([*(f"{__name__}.{first}" for first in _FIRST), *_found]):
    importlib.import_module(_name)
