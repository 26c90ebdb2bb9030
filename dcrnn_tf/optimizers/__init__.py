"""Optimizers by name. Adding one for embedding tables: a module here that registers its class."""

import importlib
import pkgutil

from dcrnn_tf.system import keras_backend

keras_backend.check()

from dcrnn_tf.optimizers.deferred_adam import DeferredAdam
from dcrnn_tf.optimizers.fused_adam import FusedAdam
from dcrnn_tf.optimizers.keras_optimizers import SGD, Adagrad, Adam
from dcrnn_tf.optimizers.lazy_adam import LazyAdam
from dcrnn_tf.optimizers.merging import merge_repeated_rows
from dcrnn_tf.optimizers.registry import (
    build,
    build_for_tables,
    names_for_tables,
    numbers_per_weight,
    register,
)

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "DeferredAdam",
    "FusedAdam",
    "LazyAdam",
    "build",
    "build_for_tables",
    "merge_repeated_rows",
    "names_for_tables",
    "numbers_per_weight",
    "register",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
