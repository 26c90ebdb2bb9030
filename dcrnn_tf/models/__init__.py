"""Models by name. Adding one: a module in a folder here that registers its class.

`task_chain` holds the models whose tasks follow one another, such as clicks and conversions.

A model outside of this package has the name `MODULE:CLASS`, see docs/extending.md. The classes of
the registered models are attributes of this package too, such as `models.MMoE`.
"""

import importlib
import pkgutil

from dcrnn_tf.system import keras_backend

keras_backend.check()

from dcrnn_tf.models import multi_task, single_task, task_chain
from dcrnn_tf.models.base import Explanation, ModelError, MultiTaskModel, feature_specs
from dcrnn_tf.models.registry import (
    Registration,
    build,
    model_class,
    names,
    register,
    registration,
    settings,
)
from dcrnn_tf.models.single_task.base import SingleTaskModel

__all__ = [
    "Explanation",
    "ModelError",
    "MultiTaskModel",
    "Registration",
    "SingleTaskModel",
    "build",
    "feature_specs",
    "model_class",
    "names",
    "register",
    "registration",
    "settings",
]

for _package in (multi_task, single_task, task_chain):
    for _module in pkgutil.iter_modules(_package.__path__, f"{_package.__name__}."):
        importlib.import_module(_module.name)


def __getattr__(name: str) -> type[MultiTaskModel]:
    """The class of a registered model."""
    for cls in map(model_class, names()):
        if cls.__name__ == name:
            return cls
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
