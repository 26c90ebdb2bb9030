"""Models by name. Adding one: a module here, and a line in `_MODELS`."""

import inspect
from collections.abc import Mapping

from dcrnn_tf.models.base import Explanation, ModelError, MultiTaskModel, feature_specs
from dcrnn_tf.models.dcrnn import DCRNN
from dcrnn_tf.models.dnn import DNN
from dcrnn_tf.models.mmoe import MMoE
from dcrnn_tf.models.ple import PLE
from dcrnn_tf.models.shared_bottom import SharedBottom
from dcrnn_tf.models.single_task import SingleTaskModel
from dcrnn_tf.models.snr import SNR
from dcrnn_tf.schema import Schema

__all__ = [
    "DCRNN",
    "DNN",
    "PLE",
    "SNR",
    "Explanation",
    "MMoE",
    "ModelError",
    "MultiTaskModel",
    "SharedBottom",
    "SingleTaskModel",
    "build",
    "feature_specs",
    "model_class",
    "names",
    "settings",
]

_MODELS: Mapping[str, type[MultiTaskModel]] = {
    "dcrnn": DCRNN,
    "dnn": DNN,
    "mmoe": MMoE,
    "ple": PLE,
    "shared_bottom": SharedBottom,
    "snr": SNR,
}


def names() -> tuple[str, ...]:
    """The models that `build` knows."""
    return tuple(_MODELS)


def model_class(name: str) -> type[MultiTaskModel]:
    """The class of a model.

    Raises:
      ModelError: there is no such model.
    """
    if name not in _MODELS:
        raise ModelError(f"model {name!r} is not one of {', '.join(_MODELS)}")
    return _MODELS[name]


def settings(name: str) -> dict[str, object]:
    """The settings of a model and their defaults.

    Raises:
      ModelError: there is no such model.
    """
    parameters = {}
    for cls in (MultiTaskModel, model_class(name)):
        parameters |= inspect.signature(cls.__init__).parameters
    empty = inspect.Parameter.empty
    return {key: p.default for key, p in parameters.items() if p.default is not empty}


def build(name: str, schema: Schema, **chosen) -> MultiTaskModel:
    """A model for a dataset, its weights created.

    The initial weights follow from `keras.utils.set_random_seed`, the precision from
    `keras.config.set_dtype_policy`.

    Args:
      name: one of `names()`.
      schema: of the dataset: its fields and tasks.
      **chosen: settings that shall differ from the defaults; `settings` lists them.

    Raises:
      ModelError: there is no such model or setting, or a setting has an impossible value.
    """
    known = settings(name)
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise ModelError(
            f"model {name} has no setting {', '.join(unknown)}; it has {', '.join(known)}"
        )
    try:
        model = model_class(name)(schema.fields, schema.task_names, name=name, **chosen)
    except (TypeError, ValueError) as error:
        raise ModelError(f"model {name}: {error}") from None
    model.build()
    return model
