"""Ways to balance the losses of several tasks. Adding one: a module here that registers its class.

The sum of the losses is the base class, `Balancing`.
"""

import importlib
import pkgutil

from dcrnn_tf.system import keras_backend

keras_backend.check()

from dcrnn_tf.balancing.base import Balancing, BalancingError
from dcrnn_tf.balancing.registry import Registration, build, names, register, registration

__all__ = [
    "Balancing",
    "BalancingError",
    "Registration",
    "build",
    "names",
    "register",
    "registration",
]

register("sum", across_replicas=True)(Balancing)
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
